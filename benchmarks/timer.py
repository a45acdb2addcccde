"""The timer with very many open clocks, and with very many that come due at one instant."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from benchmarks.arming import arming_and_closing
from benchmarks.bench import Bench
from benchmarks.generator import fill, lives
from benchmarks.latency import QUIET_RATE
from benchmarks.lifecycle import LIFE, claim_ids
from benchmarks.loaded import Sample, loaded
from benchmarks.process import MIB, cpu_seconds, memory_mib
from benchmarks.statistic import milliseconds, percentile
from benchmarks.wire import wired
from projections.open_clock import due_clocks, next_due_at
from services.clock import real_now
from services.store import CHANNEL

_NORMAL_SECONDS = 12
_NOTICE = 30.0
"""Seconds from filling the store with the claims concerned until their clocks are due."""
_LEAD = 5.0
"""Seconds that the load is started before that, about two of which it needs to make messages."""
_LOADED_SECONDS = 20
_QUIET = 5.0
_POLLS = 500
_PATIENCE = 180.0

_OPEN = """
INSERT INTO cpor.open_clocks (claim_id, clock, opened_at, due_at, passed)
SELECT gen_random_uuid(), 'partner_response', now(), now() + interval '30 days' * (1 + random()),
    false
FROM generate_series(1, %s)
"""
_SIZE = "SELECT pg_total_relation_size('cpor.open_clocks')"
_COMING = "SELECT count(*) FROM cpor.open_clocks WHERE NOT passed AND due_at = %s"


async def measure(bench: Bench) -> dict[str, Any]:
    """Memory, cost of a poll, of arming and of closing; lateness when many are due at once."""
    database_url = bench.system.settings.database_url
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await store.execute(_OPEN, [bench.sizes.clocks])
        await store.execute("VACUUM (ANALYZE) cpor.open_clocks")
        at_rest = await _at_rest(bench, store)
        costs = await arming_and_closing(store)
        normal = (await loaded(bench, _claims(_NORMAL_SECONDS), QUIET_RATE)).figures
        due = await _due_at_once(bench, store)
    ratio = due["meanwhile_p99_ms"] / normal["outcome_p99_ms"]
    return {
        "clocks": bench.sizes.clocks,
        **at_rest,
        **costs,
        **due,
        "normal_p99_ms": normal["outcome_p99_ms"],
        "p99_ratio": round(ratio, 2),
    }


def _claims(seconds: int) -> int:
    """Whose lives keep the quiet rate for so long."""
    return seconds * QUIET_RATE // len(LIFE)


async def _at_rest(bench: Bench, store: AsyncConnection) -> dict[str, Any]:
    """Nothing is due: what the timer needs, and what one look costs."""
    timer = bench.system.pids()["timer"]
    before = cpu_seconds(timer)
    await asyncio.sleep(_QUIET)
    used = cpu_seconds(timer) - before
    start = perf_counter()
    for _ in range(_POLLS):
        now = real_now()
        await due_clocks(store, now, limit=500)
        await next_due_at(store, after=now)
    polling = perf_counter() - start
    size = await (await store.execute(_SIZE)).fetchone()
    return {
        "timer_memory_mib": round(memory_mib([timer]), 1),
        "timer_cpu_percent": round(100 * used / _QUIET, 2),
        "table_mib": round(size[0] / MIB, 1) if size else None,
        "poll_ms": round(1000 * polling / _POLLS, 3),
    }


async def _due_at_once(bench: Bench, store: AsyncConnection) -> dict[str, Any]:
    """Let many clocks come due at one instant, under a light load."""
    claims = bench.sizes.due_at_once
    run = bench.next_run()
    due_at = real_now() + timedelta(seconds=_NOTICE)
    await fill(store, lives(run, claims, due_at))
    await store.execute(f"NOTIFY {CHANNEL}")
    await _until_coming(store, due_at, claims)
    await asyncio.sleep((due_at - real_now()).total_seconds() - _LEAD)
    load = asyncio.create_task(loaded(bench, _claims(_LOADED_SECONDS), QUIET_RATE))
    fired = await _firing(bench.system.settings.nats_url, claim_ids(run, claims))
    instant = perf_counter() - (real_now() - due_at).total_seconds()
    lateness = [moment - instant for moment in fired]
    meanwhile = _between((await load).samples, instant, max(fired))
    return {
        "due_at_once": claims,
        "lateness_p50_s": round(percentile(lateness, 0.5), 3),
        "lateness_p99_s": round(percentile(lateness, 0.99), 3),
        "all_fired_s": round(max(lateness), 3),
        "commands_meanwhile": len(meanwhile),
        "meanwhile_p99_ms": milliseconds(meanwhile, 0.99),
    }


async def _until_coming(store: AsyncConnection, due_at: datetime, clocks: int) -> None:
    """Wait until the projector has opened them all. RuntimeError when it is too late for that."""
    while (await (await store.execute(_COMING, [due_at])).fetchone()) != (clocks,):
        if (due_at - real_now()).total_seconds() < _LEAD:
            raise RuntimeError(f"the {clocks} clocks were not open before they came due")
        await asyncio.sleep(0.1)


async def _firing(nats_url: str, claims: Iterable[UUID]) -> Sequence[float]:
    """When the outcome of each claim's deadline came."""
    left = {f"cpor.outcomes.{claim_id}".encode() for claim_id in claims}
    fired: list[float] = []
    done = asyncio.Event()

    def on_message(subject: bytes, body: bytes) -> None:
        claim, _, command = subject.rpartition(b".")
        if claim in left and command.startswith(b"timer-") and b'"result":"accepted"' in body:
            left.remove(claim)
            fired.append(perf_counter())
            if not left:
                done.set()

    async with asyncio.timeout(_PATIENCE), wired(nats_url, on_message) as wire:
        await wire.listen("cpor.outcomes.>")
        await done.wait()
    return fired


def _between(samples: Iterable[Sample], begin: float, end: float) -> list[float]:
    """How long the commands took that were published meanwhile."""
    return [each.to_outcome for each in samples if begin <= each.published <= end]
