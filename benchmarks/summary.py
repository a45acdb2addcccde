"""What the results come to: each target, what was measured for it, and whether it is met."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.bench import Results

Value = Callable[[Results], float]


class Target(NamedTuple):
    """A figure that has a bound. `more` tells whether more of it is better."""

    what: str
    value: Value
    bound: float
    more: bool
    unit: str = ""


class Finding(NamedTuple):
    """A target, and what was measured for it."""

    target: Target
    value: float

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side of its bound."""
        if self.target.more:
            return self.value >= self.target.bound
        return self.value < self.target.bound

    @property
    def bound(self) -> str:
        """The bound in words."""
        words = "at least" if self.target.more else "less than"
        return f"{words} {shown(self.target.bound, self.target.unit)}"

    @property
    def shown(self) -> str:
        """The value with its unit."""
        return shown(self.value, self.target.unit)


def ratio(stage: str, other: str) -> Value:
    """Of our commands per second to another rate of the same stage."""

    def value(results: Results) -> float:
        return float(results[stage]["commands"]["rate"]) / float(results[stage][other]["rate"])

    return value


def figure(stage: str, part: str, name: str) -> Value:
    """A figure as it was measured."""
    return lambda results: float(results[stage][part][name])


def _longest_lag(results: Results) -> float:
    return max(
        float(results[stage]["commands"][lag])
        for stage in ("always", "interval")
        for lag in ("relay_lag_s", "board_lag_s")
    )


def _rebuild(results: Results) -> float:
    rebuild = results["interval"]["rebuild"]
    return float(rebuild["rate"]) / float(rebuild["reading_rate"])


def _growth(results: Results) -> float:
    growth = results["growth"]["growth"]
    return float(growth["many_rate"]) / float(growth["few_rate"])


def _dashboard(*path: str) -> Value:
    def value(results: Results) -> float:
        found = results["dashboard"]["dashboard"]
        for name in path:
            found = found[name]
        return float(found)

    return value


READS = ("first page", "filtered page", "deep page", "search", "summary")
"""Of the claims list, as the dashboard's measurement calls them."""
DASHBOARD = (
    *(
        Target(
            f"p99 of the claims list's {name} in the database",
            _dashboard("reads", name, "p99_ms"),
            50,
            more=False,
            unit="ms",
        )
        for name in READS
    ),
    Target(
        "pages of the claims list per second, of one web process",
        _dashboard("pages", "rate"),
        200,
        more=True,
    ),
    Target(
        "p99 from sending a command to the changed row on an open page",
        _dashboard("visible", "p99_ms"),
        300,
        more=False,
        unit="ms",
    ),
)
TARGETS = (
    Target(
        "commands/s with `always`, of what JetStream acknowledges of the same messages",
        ratio("always", "broker"),
        0.7,
        more=True,
    ),
    Target(
        "commands/s with `always`, of what JetStream lets pass a work queue",
        ratio("always", "queue"),
        0.7,
        more=True,
    ),
    Target(
        "commands/s with `interval`, of plain CRUD's changes/s",
        ratio("interval", "crud"),
        1.5,
        more=True,
    ),
    Target(
        "commands/s with `interval`, of the `eventsourcing` library's changes/s",
        ratio("interval", "library"),
        8,
        more=True,
    ),
    Target(
        "relay and board behind after the load has ended", _longest_lag, 2, more=False, unit="s"
    ),
    Target("rebuilding the board, of only reading its events", _rebuild, 0.25, more=True),
    Target(
        "memory of the rebuild at its peak",
        figure("interval", "rebuild", "memory_mib"),
        500,
        more=False,
        unit="MiB",
    ),
    Target("commands/s with many claims, of those with few", _growth, 0.8, more=True),
    Target(
        "memory of everything when idle",
        figure("idle", "idle", "memory_mib"),
        700,
        more=False,
        unit="MiB",
    ),
    Target(
        "CPU of everything when idle, of one core",
        figure("idle", "idle", "cpu_percent"),
        5,
        more=False,
        unit="%",
    ),
    Target(
        "the last of the clocks that come due together is passed after",
        figure("interval", "timer", "all_fired_s"),
        60,
        more=False,
        unit="s",
    ),
    Target(
        "p99 of other commands meanwhile, of the normal one",
        figure("interval", "timer", "p99_ratio"),
        2,
        more=False,
    ),
    *DASHBOARD,
)


def findings(results: Results) -> Iterator[Finding]:
    """The targets for which these results, of a whole run or a part, say anything."""
    for target in TARGETS:
        try:
            yield Finding(target, target.value(results))
        except KeyError:  # not measured
            continue


def shown(value: float, unit: str = "") -> str:
    """A number as people read it, with three digits, or none behind the point."""
    digits = 0 if value == int(value) else max(0, 3 - len(str(int(value))))
    return f"{value:,.{digits}f} {unit}".rstrip()
