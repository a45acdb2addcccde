"""What was found, as it is printed at the end of a run."""

from collections.abc import Iterator
from typing import cast

from rich.console import Console
from rich.table import Table

from benchmarks.bench import Results
from benchmarks.summary import findings

STAGES = ("always", "interval")
OTHERS = (
    ("interval", "rebuild"),
    ("interval", "timer"),
    ("growth", "growth"),
    ("notifications", "notifying"),
    ("dashboard", "dashboard"),
    ("idle", "idle"),
)
"""Measurements of which more than a rate is to be told."""
WIDTH = 120


def show(results: Results) -> None:
    """What was found, as tables."""
    speeds = Table("", "a second", "outcome p50, p99 ms", "board p50, p99 ms", title="Speed")
    for stage in STAGES:
        for name, found in results.get(stage, {}).items():
            for label, figures in _with_rate(f"{stage}: {name}", found):
                speeds.add_row(label, f"{figures['rate']:,.0f}", *_latencies(figures))
    others = Table("", "", title="Others")
    for stage, name in OTHERS:
        for label, value in results.get(stage, {}).get(name, {}).items():
            others.add_row(f"{name}: {label}", str(value))
    targets = Table("", "target", "measured", "", title="Targets")
    for finding in findings(results):
        verdict = "met" if finding.met else "missed"
        targets.add_row(finding.target.what, finding.bound, finding.shown, verdict)
    console = Console(width=WIDTH)
    for table in (speeds, others, targets):
        if table.row_count:
            console.print(table)


def _with_rate(label: str, found: Results) -> Iterator[tuple[str, Results]]:
    """Whatever in a measurement has a rate; a sentence where a peer is left out."""
    if "left_out" in found:
        print(found["left_out"])
    elif "rate" in found:
        yield label, found
    for name, inner in found.items():
        if isinstance(inner, dict) and "rate" in inner:
            yield f"{label}, {name}", cast("Results", inner)


def _latencies(figures: Results) -> tuple[str, ...]:
    if "outcome_p50_ms" not in figures:
        return ()
    return (
        f"{figures['outcome_p50_ms']}, {figures['outcome_p99_ms']}",
        f"{figures['board_p50_ms']}, {figures['board_p99_ms']}",
    )
