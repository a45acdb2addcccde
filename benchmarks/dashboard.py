"""The dashboard's pages: its reads of a large board, pages rendered, and how soon a change shows.

The reads are those of the claims list, decoding included, of a board of its own with as many
claims as the timer has clocks. Pages are rendered by one web process on the same board. What
becomes visible is measured on the stage's running system.
"""

import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import cycle, islice, pairwise, product
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from benchmarks.bench import Bench
from benchmarks.process import ask, cpu_seconds
from benchmarks.rows import PARTNERS, fill
from benchmarks.statistic import milliseconds
from domain.actor import Actor
from domain.vocabulary import ClockName, Role, Sla, Status, Turn
from projections.query import ClaimQuery, Sort, list_claims, summarize
from services.clock import real_now
from services.embedded.process import Child
from services.resource import load_policy
from services.schema import migrate
from services.settings import CHECKOUT, Settings, child_environment
from services.web.page.listing import PLAIN
from tests.free_port import free_port

CALLS: Final = 300
"""Of each read."""
CONNECTIONS: Final = 4
"""Browsers that ask one web process for pages at once."""
_SECONDS: Final = 10
_VIEWS: Final = ("", "sort=-updated_at", "whose_turn=reviewer", "status=approved")
"""Where the browsers begin; each goes on to the next page, again and again."""

_READERS: Final = (
    Actor(role=Role.REVIEWER, id="deniz"),
    Actor(role=Role.AUDITOR, id="ada"),
    *(
        Actor(role=Role.INCENTIVES_ADMIN, org=str(1_000_000 + 97 * number % PARTNERS), id="ayse")
        for number in range(4)
    ),
)
_FILTERS: Final[Sequence[dict[str, Any]]] = (
    {"whose_turn": (Turn.REVIEWER,)},
    {"whose_turn": (Turn.PARTNER,), "sla": Sla.MISSED},
    {"sla": Sla.DUE_SOON},
    {"clock": (ClockName.CONSENT,)},
    {"clock": (ClockName.DISPUTE_WINDOW,)},
    {"status": (Status.APPROVED,)},
    {"status": (Status.SUBMITTED, Status.UNDER_REVIEW)},
    {"product": "teams"},
    {"org": "1000123"},
)
_SEARCHES: Final = ("contoso", "tel", "contoso 1234", "fabrikam telephony", "litware-77", "nobody")
_EVENTS: Final = """
INSERT INTO cpor.stored_events (originator_id, originator_version, topic, state)
SELECT claim_id, version, 'claim.submitted',
    convert_to(json_build_object('timestamp', updated_at, 'policy', %s::json)::text, 'utf8')
FROM cpor.claim_board
"""
"""The last event of each claim, which the list shows, with the policy by which it counts days."""
_SOME: Final = "SELECT claim_id FROM cpor.claim_board ORDER BY claim_id LIMIT %s"
_FLUSH: Final = "SELECT pg_stat_force_next_flush()"
_SCANS: Final = """
SELECT indexrelname, idx_scan FROM pg_stat_user_indexes WHERE schemaname = 'cpor'
UNION ALL
SELECT 'all of ' || relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'cpor'
"""

Read = Callable[[AsyncConnection, Actor, int], Awaitable[object]]


async def measure(bench: Bench) -> dict[str, Any]:
    """Milliseconds of each read and the indexes it used, pages a second, and visibility."""
    database_url = bench.database("dashboard")
    migrate(database_url)
    now = real_now()
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await fill(store, bench.next_run(), bench.sizes.clocks, now)
        await store.execute(_EVENTS, [load_policy(Settings()).model_dump_json()])
        await store.execute("VACUUM (ANALYZE) cpor.stored_events")
        reads = {
            name: await _timed(store, read) for name, read in (await _reads(store, now)).items()
        }
    return {
        "claims": bench.sizes.clocks,
        "calls": CALLS,
        "reads": reads,
        "pages": await _pages(bench, database_url),
        "visible": await _visible(bench),
    }


async def _reads(store: AsyncConnection, now: datetime) -> dict[str, Read]:
    """What is read in the turn of a number, which decides on everything that varies."""
    orders = list(Sort)
    filters = [PLAIN.model_copy(update=each) for each in _FILTERS]
    filters.append(PLAIN.model_copy(update={"due_before": now + timedelta(days=1)}))
    cursors = await _places(store, now)

    async def first(connection: AsyncConnection, reader: Actor, turn: int) -> None:
        query = PLAIN.model_copy(update={"sort": orders[turn // len(_READERS) % len(orders)]})
        await list_claims(connection, query, reader=reader, now=now)

    async def filtered(connection: AsyncConnection, reader: Actor, turn: int) -> None:
        number = turn // len(_READERS)
        order = orders[(number + number // len(filters)) % len(orders)]
        query = filters[number % len(filters)].model_copy(update={"sort": order})
        await list_claims(connection, query, reader=reader, now=now)

    async def deep(connection: AsyncConnection, reader: Actor, turn: int) -> None:
        await list_claims(connection, cursors[turn % len(cursors)], reader=reader, now=now)

    async def search(connection: AsyncConnection, reader: Actor, turn: int) -> None:
        text = _SEARCHES[turn // len(_READERS) % len(_SEARCHES)]
        await list_claims(connection, PLAIN.model_copy(update={"q": text}), reader=reader, now=now)

    async def summary(connection: AsyncConnection, reader: Actor, _: int) -> None:
        await summarize(connection, reader=reader, now=now)

    return {
        "first page": first,
        "filtered page": filtered,
        "deep page": deep,
        "search": search,
        "summary": summary,
    }


async def _places(store: AsyncConnection, now: datetime) -> list[ClaimQuery]:
    """Pages anywhere in each order: ids are not in it, a page of one claim has its cursor."""
    rows = await store.execute(_SOME.encode(), [CALLS])
    ids: list[UUID] = [claim_id for (claim_id,) in await rows.fetchall()]
    places: list[ClaimQuery] = []
    for two, order in zip(pairwise(ids), cycle(Sort), strict=False):
        query = PLAIN.model_copy(update={"sort": order})
        one = query.model_copy(update={"limit": 1})
        page = await list_claims(store, one, reader=_READERS[1], now=now, among=two)
        if page.next:  # drafts are not for every reader
            places.append(query.model_copy(update={"after": page.next}))
    return places


async def _timed(store: AsyncConnection, read: Read) -> dict[str, Any]:
    """How long a read takes, and which indexes it used how often."""
    turns = list(islice(product(range(CALLS), _READERS), CALLS))
    for number, (_, reader) in enumerate(turns[: CALLS // 5]):
        await read(store, reader, number)
    before = await _scans(store)
    seconds: list[float] = []
    for number, (_, reader) in enumerate(turns):
        start = perf_counter()
        await read(store, reader, number)
        seconds.append(perf_counter() - start)
    after = await _scans(store)
    used = {name: scans - before.get(name, 0) for name, scans in after.items()}
    return {
        "p50_ms": milliseconds(seconds, 0.5),
        "p99_ms": milliseconds(seconds, 0.99),
        "scans": {name: scans for name, scans in sorted(used.items()) if scans},
    }


async def _scans(store: AsyncConnection) -> dict[str, int]:
    await store.execute(_FLUSH)
    return dict(await (await store.execute(_SCANS)).fetchall())


async def _pages(bench: Bench, database_url: str) -> dict[str, Any]:
    """Pages of the claims list that one web process renders."""
    settings = bench.system.settings.model_copy(
        update={"database_url": database_url, "rate_limit": 0, "http_port": free_port()}
    )
    async with _web(settings) as pid:
        before = cpu_seconds(pid)
        seen: dict[str, Any] = await ask(
            "benchmarks.browsing", port=settings.http_port, views=_VIEWS, seconds=_SECONDS
        )
        used = cpu_seconds(pid) - before
    return {
        "rate": round(seen["pages"] / seen["seconds"], 1),
        "connections": CONNECTIONS,
        "p50_ms": milliseconds(seen["took"], 0.5),
        "p99_ms": milliseconds(seen["took"], 0.99),
        "cpu_ms_per_page": round(1000 * used / seen["pages"], 2),
    }


async def _visible(bench: Bench) -> dict[str, Any]:
    """From sending a command to the changed row on a page that is open."""
    settings = bench.system.settings.model_copy(update={"http_port": free_port()})
    async with _web(settings):
        took: list[float] = await ask(
            "benchmarks.watching",
            port=settings.http_port,
            nats_url=settings.nats_url,
            run=bench.next_run(),
        )
    return {
        "changes": len(took),
        "p50_ms": milliseconds(took, 0.5),
        "p99_ms": milliseconds(took, 0.99),
    }


@asynccontextmanager
async def _web(settings: Settings) -> AsyncGenerator[int]:
    """The id of a web process with these settings."""
    web = await Child.start(
        [sys.executable, "-m", "services.cli", "service", "web"],
        death_signal=signal.SIGKILL,
        environment=child_environment(settings),
        folder=CHECKOUT,
    )
    try:
        yield web.pid
    finally:
        await web.stop((signal.SIGTERM, 15.0))
