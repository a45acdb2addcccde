"""Rebuilding the board from very many events, as `cpor rebuild board` does."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection

from benchmarks import readers
from benchmarks.bench import Bench
from benchmarks.generator import EVENTS_OF_A_CLAIM, fill, lives
from benchmarks.process import Peak
from services.rebuild import PROCESSES
from services.schema import migrate
from services.settings import CHECKOUT, Settings, child_environment


async def measure(bench: Bench) -> dict[str, Any]:
    """Events per second, beside only reading them; and the memory that the rebuild needs."""
    database_url = bench.database("rebuild")
    await asyncio.to_thread(migrate, database_url)
    claims = bench.sizes.events // EVENTS_OF_A_CLAIM
    start = perf_counter()
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await fill(store, lives("rebuild", claims))
    filled = perf_counter() - start
    reading = {str(n): await readers.seconds(database_url, n) for n in sorted({1, PROCESSES})}
    done, peak = await rebuilt(bench.system.settings, database_url, "board")
    events: int = done["events"]
    return {
        "events": events,
        "rate": round(events / done["seconds"], 1),
        "seconds": done["seconds"],
        "memory_mib": round(peak, 1),
        "processes": PROCESSES,
        "reading_rate": round(events / min(reading.values()), 1),
        "reading_rates": {n: round(events / seconds, 1) for n, seconds in reading.items()},
        "filling_rate": round(events / filled, 1),
    }


async def rebuilt(
    settings: Settings, database_url: str, projection: str
) -> tuple[dict[str, Any], float]:
    """What `cpor rebuild` says of itself, and the most MiB that its processes used."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "rebuild", projection, "--json"),
        stdout=PIPE,
        cwd=CHECKOUT,
        env=child_environment(settings.model_copy(update={"database_url": database_url})),
    )
    peak = Peak(process.pid)
    watching = asyncio.create_task(peak.watch())
    printed, _ = await process.communicate()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    if process.returncode:
        raise RuntimeError(f"the rebuild ended with exit code {process.returncode}")
    done: dict[str, Any] = json.loads(printed)
    return done, peak.mib
