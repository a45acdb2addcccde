"""One claim's cost must not grow with the number of claims: the rate with few, and with many.

Both on the same system. The many claims are put into the store, folded by `cpor rebuild`, and
copied into the event stream by the relay, before the load goes on.
"""

import asyncio
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection

from benchmarks.arrival import seconds_until_relayed
from benchmarks.bench import Bench
from benchmarks.generator import fill, lives
from benchmarks.loaded import loaded
from benchmarks.rebuild import rebuilt
from benchmarks.statistic import middle_round
from projections.position import recorded
from projections.registry import PROJECTIONS
from services.connection import connected
from services.streams import EVENTS

_ROUNDS = 3
_EVENTS = 3
"""Of each of the many claims: it is handed in, and its review is to start."""


async def measure(bench: Bench) -> dict[str, Any]:
    """Commands per second with few and with many claims; and how fast the relay copies."""
    few_claims = bench.sizes.claims
    await loaded(bench, few_claims // 2)  # as many as are to be there, with those of the start
    few = await _rate(bench)
    system = bench.system
    await asyncio.gather(*(system.stop_service(name) for name in system.names))
    many_claims = bench.sizes.existing
    async with await AsyncConnection.connect(
        system.settings.database_url, autocommit=True
    ) as store:
        await fill(store, lives("growth", many_claims, events=_EVENTS))
        last = await recorded(store)
    for projection in PROJECTIONS:
        await rebuilt(system.settings, system.settings.database_url, projection)
    relayed = await _relay(bench, last)
    await asyncio.gather(*(system.start_service(n) for n in system.names if n != "relay"))
    await system.until_running()
    await loaded(bench, few_claims // 10)
    many = await _rate(bench)
    return {
        "few": few_claims,
        "few_rate": few["rate"],
        "few_rates": few["rates"],
        "many": many_claims,
        "many_rate": many["rate"],
        "many_rates": many["rates"],
        "relay_rate": round(relayed, 1),
    }


async def _rate(bench: Bench) -> dict[str, Any]:
    claims = bench.sizes.claims
    return middle_round([(await loaded(bench, claims)).figures for _ in range(_ROUNDS)])


async def _relay(bench: Bench, position: int) -> float:
    """Start the relay and wait until it has come so far; events per second."""
    async with connected(bench.system.settings.nats_url, "benchmark", 10.0) as nats:
        before = (await nats.js.stream_info(EVENTS)).state.last_seq
        start = perf_counter()
        await bench.system.start_service("relay")
        await seconds_until_relayed(nats, position)
        after = (await nats.js.stream_info(EVENTS)).state.last_seq
    return (after - before) / (perf_counter() - start)
