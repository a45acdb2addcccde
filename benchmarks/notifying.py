"""The notifier: how fast a long log becomes notices and mails, and whether a slow server matters.

The mail server is a process that throws mails away. That a slow one delays no claim shows in the
time that commands take, 200 a second, with a notifier that waits for it, beside that with one that
need not wait, and that without any.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection

from benchmarks.arrival import seconds_until_relayed
from benchmarks.bench import Bench
from benchmarks.generator import EVENTS_OF_A_CLAIM, fill, lives
from benchmarks.latency import QUIET_RATE
from benchmarks.lifecycle import LIFE
from benchmarks.loaded import loaded
from benchmarks.process import Peak
from projections.position import recorded
from services.connection import connected
from services.embedded.process import Child
from services.settings import CHECKOUT

NAME: Final = "notifier"
_SLOW: Final = 2.0
"""Seconds that the slow server takes for a mail."""
_LOADED_SECONDS: Final = 20
_PATIENCE: Final = 1800.0
_GLANCE: Final = 0.1

_CONTACT: Final = """
INSERT INTO cpor.contacts (contact_id, claim_id, name, email)
SELECT DISTINCT ON (contact) contact, originator_id, 'Ayşe Demir', 'ayse@partner.example'
FROM cpor.stored_events,
    CAST(convert_from(state, 'utf8')::json -> 'partner_contact' ->> 'id' AS uuid) AS contact
WHERE topic = 'claim.created' ON CONFLICT DO NOTHING
"""
_PLANNED: Final = "SELECT position >= %s FROM cpor.notifier_position"
_SENT: Final = "SELECT NOT EXISTS (SELECT FROM cpor.notices WHERE state = 'waiting')"
_FOUND: Final = """
SELECT count(*), count(*) FILTER (WHERE state = 'sent' AND recipient = 'partner'),
    count(DISTINCT ended_at) FILTER (WHERE state = 'sent' AND recipient = 'reviewers')
FROM cpor.notices
"""


async def measure(bench: Bench) -> dict[str, Any]:
    """Events planned and mails sent per second, memory; and commands' p99 beside each server."""
    system = bench.system
    claims = _LOADED_SECONDS * QUIET_RATE // len(LIFE)
    without = (await loaded(bench, claims, QUIET_RATE)).figures
    quick, slow = [await _loaded_beside(bench, claims, seconds) for seconds in (0.0, _SLOW)]
    await asyncio.gather(*(system.stop_service(name) for name in system.names))
    async with await AsyncConnection.connect(
        system.settings.database_url, autocommit=True
    ) as store:
        told = await _told(bench, store)
    await asyncio.gather(*(system.start_service(name) for name in system.names if name != "relay"))
    return {
        **told,
        "slow_s": _SLOW,
        "without_p99_ms": without["outcome_p99_ms"],
        "quick_p99_ms": quick["outcome_p99_ms"],
        "slow_p99_ms": slow["outcome_p99_ms"],
        "slow_ratio": round(slow["outcome_p99_ms"] / quick["outcome_p99_ms"], 2),
    }


async def _loaded_beside(bench: Bench, claims: int, seconds: float) -> Mapping[str, Any]:
    """A loaded run beside a notifier whose server takes so long for each mail."""
    async with _mail_server(bench, seconds):
        await bench.system.start_service(NAME)
        try:
            return (await loaded(bench, claims, QUIET_RATE)).figures
        finally:
            await bench.system.stop_service(NAME)


async def _told(bench: Bench, store: AsyncConnection) -> dict[str, Any]:
    """A long log, in the stream before the notifier starts, and what becomes of it."""
    system = bench.system
    events = bench.sizes.told
    await fill(store, lives("told", events // EVENTS_OF_A_CLAIM))
    await store.execute(_CONTACT)
    last = await recorded(store)
    await system.start_service("relay")
    async with connected(system.settings.nats_url, "benchmark", 10.0) as nats:
        await seconds_until_relayed(nats, last)
    async with _mail_server(bench, 0.0):
        start = perf_counter()
        await system.start_service(NAME)
        peak = Peak(system.pids()[NAME])
        watching = asyncio.create_task(peak.watch())
        await _until(store, _PLANNED, [last])
        planned = perf_counter() - start
        await _until(store, _SENT)
        sent = perf_counter() - start
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await system.stop_service(NAME)
    found = await (await store.execute(_FOUND)).fetchone()
    notices, to_partners, to_reviewers = found or (0, 0, 0)
    mails = to_partners + to_reviewers
    return {
        "events": events,
        "planned_s": round(planned, 2),
        "plan_rate": round(events / planned, 1),
        "notices": notices,
        "mails": mails,
        "sent_s": round(sent, 2),
        "mail_rate": round(mails / sent, 1),
        "memory_mib": round(peak.mib, 1),
    }


@asynccontextmanager
async def _mail_server(bench: Bench, seconds: float) -> AsyncGenerator[None]:
    """A server for the system's notifier, which takes so long for each mail."""
    system = bench.system
    socket = system.settings.data_dir / "sink"
    server = await Child.start(
        [sys.executable, "-m", "benchmarks.sink", str(socket), str(seconds)],
        death_signal=signal.SIGKILL,
        folder=CHECKOUT,
    )
    before = system.wired
    system.wired = before.model_copy(
        update={
            "smtp_url": f"unix:{socket}",
            "reviewers_email": "reviewers@cpor.example",
            "reviewers_pause": 0.0,
            "mails_an_hour": 0,
        }
    )
    try:
        yield
    finally:
        system.wired = before
        await server.stop((signal.SIGKILL, 5.0))


async def _until(
    store: AsyncConnection, question: LiteralString, given: list[Any] | None = None
) -> None:
    async with asyncio.timeout(_PATIENCE):
        while await (await store.execute(question, given)).fetchone() != (True,):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(_GLANCE)
