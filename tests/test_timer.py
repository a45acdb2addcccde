"""The timer on real servers: what it sends, and how much at once."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from services.clock import real_now
from services.connection import Connection, connected
from services.settings import Settings
from services.streams import COMMANDS, prepare
from services.timer import IN_FLIGHT, SHORTEST_SLEEP, Timer

HALF = IN_FLIGHT // 2
DUE = 2 * IN_FLIGHT + HALF - 1


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to the test's nats-server, its streams made."""
    await prepare(nats_url)
    async with connected(nats_url, "test", 10.0) as connection:
        yield connection


async def open_clocks(store: AsyncConnection, now: datetime) -> None:
    """As many clocks as DUE says, due a second ago, of claims that nobody knows."""
    async with store.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO cpor.open_clocks (claim_id, clock, opened_at, due_at, passed)"
            " VALUES (%s, 'consent', %s, %s, false)",
            [(UUID(int=each), now, now - timedelta(seconds=1)) for each in range(DUE)],
        )


async def sent(nats: Connection) -> int:
    """How many commands are on the stream."""
    return (await nats.js.stream_info(COMMANDS)).state.messages


@pytest.mark.rule("R18")
@pytest.mark.fault(54)
async def test_many_deadlines_at_one_instant_leave_room_for_other_commands(
    database_url: str, nats_url: str, nats: Connection
) -> None:
    """So many are under way at once, none twice; as they are decided, the next are sent."""
    timer = Timer(Settings(database_url=database_url, nats_url=nats_url))
    now = real_now()
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await open_clocks(store, now)
        assert not await timer.pass_due(nats, store, now)
        assert not await timer.pass_due(nats, store, now)
        assert await sent(nats) == IN_FLIGHT

        await store.execute("DELETE FROM cpor.open_clocks WHERE claim_id < %s", [UUID(int=HALF)])
        assert not await timer.pass_due(nats, store, now)
        assert await sent(nats) == IN_FLIGHT + HALF

        decided = UUID(int=IN_FLIGHT + HALF)
        await store.execute("DELETE FROM cpor.open_clocks WHERE claim_id < %s", [decided])
        assert await timer.pass_due(nats, store, now)
        assert await timer.pass_due(nats, store, now)
        assert await sent(nats) == DUE


@pytest.mark.rule("R18")
@pytest.mark.fault(59)
async def test_deadlines_that_nobody_decides_hold_others_up_for_moments_only(
    database_url: str, nats_url: str, nats: Connection
) -> None:
    """Each second the next ones are sent, whatever became of those before."""
    timer = Timer(Settings(database_url=database_url, nats_url=nats_url))
    now = real_now()
    async with (
        await AsyncConnection.connect(database_url, autocommit=True) as store,
        asyncio.timeout(20),
    ):
        await open_clocks(store, now)
        while not await timer.pass_due(nats, store, now):  # noqa: ASYNC110 - time is all it takes
            await asyncio.sleep(SHORTEST_SLEEP)

    assert await sent(nats) == DUE
