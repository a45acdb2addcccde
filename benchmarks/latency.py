"""How long a command takes when the system is not full: at 200 commands/s, and half full."""

from typing import Any

from benchmarks import commands
from benchmarks.bench import Bench
from benchmarks.lifecycle import LIFE
from benchmarks.loaded import loaded

QUIET_RATE = 200
"""Commands per second of the quiet run."""
_QUIET_SECONDS = 10


async def measure(bench: Bench) -> dict[str, Any]:
    """Latencies to the outcome and to the board."""
    full = [*bench.found.get("commands", ())] or [await commands.measure(bench)]
    quiet = await loaded(bench, _QUIET_SECONDS * QUIET_RATE // len(LIFE), QUIET_RATE)
    half = await loaded(bench, bench.sizes.claims, full[0]["rate"] / 2)
    return {"quiet": quiet.figures, "half": half.figures}
