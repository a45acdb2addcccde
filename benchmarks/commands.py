"""Commands end to end, as fast as they go: published on NATS, until their outcomes are there."""

from typing import Any

from benchmarks.bench import Bench
from benchmarks.loaded import loaded


async def measure(bench: Bench) -> dict[str, Any]:
    """Whole lives of claims, each command waiting for its outcome."""
    return (await loaded(bench, bench.sizes.claims)).figures
