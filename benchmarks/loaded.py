"""One loaded run of the whole system, and what it comes to."""

from typing import Any, NamedTuple

from benchmarks.bench import IN_FLIGHT, Bench
from benchmarks.lifecycle import LIFE
from benchmarks.process import ask, cpu_seconds
from benchmarks.statistic import milliseconds


class Sample(NamedTuple):
    """What a command met: seconds, from when it was published."""

    published: float
    to_outcome: float
    to_board: float


class Loaded(NamedTuple):
    """A run as it was seen by the load generator, and what it came to."""

    samples: list[Sample]
    figures: dict[str, Any]


async def loaded(bench: Bench, claims: int, rate: float = 0) -> Loaded:
    """Let claims live, at a rate of commands per second, or as fast as it goes."""
    before = _cpu(bench)
    seen: dict[str, Any] = await ask(
        "benchmarks.load",
        nats_url=bench.system.settings.nats_url,
        database_url=bench.system.settings.database_url,
        run=bench.next_run(),
        claims=claims,
        in_flight=IN_FLIGHT,
        rate=rate,
    )
    after = _cpu(bench)
    commands = claims * len(LIFE)
    used = {name: after[name] - before[name] for name in after} | {"load": seen["cpu_seconds"]}
    figures = {
        "commands": commands,
        "rate": round(commands / seen["seconds"], 1),
        "outcome_p50_ms": milliseconds(seen["to_outcome"], 0.5),
        "outcome_p99_ms": milliseconds(seen["to_outcome"], 0.99),
        "board_p50_ms": milliseconds(seen["to_board"], 0.5),
        "board_p99_ms": milliseconds(seen["to_board"], 0.99),
        "relay_lag_s": round(seen["relay_lag"], 3),
        "board_lag_s": round(seen["board_lag"], 3),
        "cpu_us_per_command": {
            name: round(1e6 * seconds / commands, 1) for name, seconds in used.items()
        },
    }
    columns = seen["published"], seen["to_outcome"], seen["to_board"]
    return Loaded(list(map(Sample, *columns)), figures)


def _cpu(bench: Bench) -> dict[str, float]:
    """Seconds of CPU that each process of the system has used."""
    return {name: cpu_seconds(pid) for name, pid in bench.system.pids().items()}
