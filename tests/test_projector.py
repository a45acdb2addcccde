"""The projector on real servers: what is published is on the board, once, whatever happens."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.claim import ClaimEvent
from projections import position
from projections.board import NotNext, past
from projections.board_table import ClaimBoard
from projections.open_clock import OpenClocks
from projections.position import CHANNEL
from projections.registry import PROJECTIONS
from projections.stage_table import ClaimStages
from services.connection import Connection, connected
from services.event_log import Placed, first_after
from services.projector import ProjectionStopped, Projector
from services.runtime import Context, Shell
from services.settings import Settings, child_environment
from services.streams import EVENTS, prepare
from tests.domain import examples as ex
from tests.projections.log import (
    Entry,
    body,
    claim_id,
    interleaved,
    publish,
    shown,
    told,
)
from tests.projections.test_board import LIVES
from tests.service import Reports, running

HISTORIES = [
    told(*life, claim_id=claim_id(number)) for number, life in enumerate(LIVES.values(), start=1)
]
LOG = interleaved(*HISTORIES)
PATIENCE = 30.0


@pytest.fixture
def settings(database_url: str, nats_url: str) -> Settings:
    """Settings that name the test's servers."""
    return Settings(database_url=database_url, nats_url=nats_url)


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to the test's nats-server, its streams made."""
    await prepare(nats_url)
    async with connected(nats_url, "test", 10.0) as connection:
        yield connection


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncGenerator[AsyncConnection]:
    """A connection to the test's database that hears how far the board is."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        yield connection


async def until_projected(store: AsyncConnection, position: int) -> None:
    """Wait until every projection has come to this position."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = await store.execute("SELECT min(position) FROM cpor.projection_positions")
            row = await rows.fetchone()
            if row and row[0] is not None and row[0] >= position:
                return
            async for _ in store.notifies(timeout=0.5, stop_after=1):
                pass


async def require_told(store: AsyncConnection, histories: Iterable[Sequence[ClaimEvent]]) -> None:
    """Check that the tables hold what these histories come to, and nothing else."""
    rows = {facts[0].originator_id: past(facts) for facts in histories}
    assert await ClaimBoard().load(store, rows) == rows
    found = await (await store.execute("SELECT count(*) FROM cpor.claim_board")).fetchone()
    assert found == (len(rows),)
    clocks = [record for facts in histories for _, record in OpenClocks().records(facts)]
    table = await (await store.execute("SELECT * FROM cpor.open_clocks")).fetchall()
    assert sorted(table) == sorted(clocks)
    told_of = [record for facts in histories for record in ClaimStages().records(facts)]
    for name in ClaimStages.tables:
        table = await (
            await store.execute(SQL("TABLE {}").format(Identifier("cpor", name)))
        ).fetchall()
        assert sorted(table) == sorted(record for each, record in told_of if each == name)
    counted = await store.execute(
        "SELECT org, status, whose_turn, passed, count(*) FROM cpor.claim_board GROUP BY 1, 2, 3, 4"
        " EXCEPT SELECT * FROM cpor.board_counts"
    )
    assert await counted.fetchall() == []
    total = await (await store.execute("SELECT sum(claims) FROM cpor.board_counts")).fetchone()
    assert total == (len(rows),)


async def run_alone(settings: Settings, nats: Connection) -> None:
    """The projector's loop until it ends by itself."""
    async with asyncio.timeout(PATIENCE):
        await Projector(settings).run(Context(settings, nats, asyncio.Event(), Reports()))


@asynccontextmanager
async def shell(settings: Settings) -> AsyncGenerator[Shell]:
    """The projector as it runs in a process of its own, for the length of the block."""
    host = Shell(Projector(settings), settings)
    task = asyncio.create_task(host.run())
    try:
        yield host
    finally:
        host.stop()
        await task


async def test_what_is_published_is_on_the_board(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """What was there before the projector began, and what comes while it runs."""
    half = len(LOG) // 2
    await publish(nats, LOG[:half])
    async with running(Projector(settings), settings, nats):
        await until_projected(store, half)
        await publish(nats, LOG[half:])
        await until_projected(store, len(LOG))

    await require_told(store, HISTORIES)


async def test_who_waits_is_told_how_far_the_board_is(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """The last notification names the last position."""
    await publish(nats, LOG)
    async with running(Projector(settings), settings, nats):
        async with asyncio.timeout(PATIENCE):
            async for notification in store.notifies():
                if int(notification.payload) == len(LOG):
                    break


@pytest.mark.fault(46)
async def test_a_replay_from_the_first_message_changes_nothing(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """Neither with the positions set back, nor with every message twice in the stream."""
    await publish(nats, LOG)
    async with running(Projector(settings), settings, nats):
        await until_projected(store, len(LOG))
    before = await shown(store)

    await store.execute("UPDATE cpor.projection_positions SET position = 0")
    await publish(nats, LOG)
    async with running(Projector(settings), settings, nats):
        await until_projected(store, len(LOG))
        await publish(nats, LOG[:10])
        extra = Entry(len(LOG) + 1, told(ex.created(), claim_id=claim_id(99))[0])
        await publish(nats, [extra])
        await until_projected(store, extra.position)

    after = await shown(store)
    assert after["open_clocks"] == before["open_clocks"]
    assert [row for row in after["claim_board"] if row[0] != str(claim_id(99))] == (
        before["claim_board"]
    )
    await require_told(store, [*HISTORIES, [extra.fact]])


@pytest.mark.fault(6)
async def test_a_projector_that_is_killed_goes_on_where_it_was(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """Killed again and again while events come, with whatever was on its way."""
    copies = [
        told(*life, claim_id=claim_id(100 * copy + number))
        for copy in range(1, 13)
        for number, life in enumerate(LIVES.values(), start=1)
    ]
    log = interleaved(*copies)
    publishing = asyncio.create_task(publish(nats, log))
    for target in (len(log) // 10, len(log) // 3, len(log) // 2):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "service", "projector"),
            env=child_environment(settings),
        )
        await until_projected(store, target)
        process.kill()
        await process.wait()
    await publishing
    async with running(Projector(settings), settings, nats):
        await until_projected(store, len(log))

    await require_told(store, copies)


async def test_two_projectors_at_once_have_one_effect(
    settings: Settings, store: AsyncConnection
) -> None:
    """Each takes the same events in, in batches of its own; the positions keep them apart."""
    log = [Placed(*entry) for entry in LOG]

    async def project(size: int) -> None:
        projector = Projector(settings)
        async with await AsyncConnection.connect(settings.database_url, autocommit=True) as own:
            for start in range(0, len(log), size):
                await projector.take_in(own, log[start : start + size])

    await position.begin(store, PROJECTIONS)
    await asyncio.gather(project(7), project(11))

    await require_told(store, HISTORIES)


async def test_rows_in_memory_count_only_while_they_are_those_of_the_table(
    settings: Settings, store: AsyncConnection
) -> None:
    """Neither after a transaction that was rolled back, nor when another projector was there."""
    life = told(*ex.UPHELD)
    log = [Placed(*entry) for entry in interleaved(life)]
    await position.begin(store, PROJECTIONS)
    projector, other = Projector(settings), Projector(settings)

    await projector.take_in(store, log[:2])
    with pytest.raises(NotNext):
        await projector.take_in(store, [log[2], log[4]])
    await projector.take_in(store, log[2:3])
    async with store.transaction(force_rollback=True):
        await projector.take_in(store, log[3:4])
    await projector.take_in(store, log[3:4])
    await other.take_in(store, log[4:5])
    await projector.take_in(store, log[5:])

    await require_told(store, [life])


async def test_rows_in_memory_end_with_a_transaction_that_another_projection_broke(
    settings: Settings, store: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board had taken its part in; what it remembers of that is not in its table."""
    life = told(*ex.SUBMITTED)[:2]
    log = [Placed(*entry) for entry in interleaved(life)]
    await position.begin(store, PROJECTIONS)
    projector = Projector(settings)
    await projector.take_in(store, log[:1])
    with monkeypatch.context() as broken:
        broken.setattr(OpenClocks, "take_in", _fail)
        with pytest.raises(RuntimeError):
            await projector.take_in(store, log[1:])

    await projector.take_in(store, log[1:])

    await require_told(store, [life])


async def _fail(*_: object) -> None:
    raise RuntimeError("a defect")


async def test_the_rows_that_changed_last_are_kept_in_memory(store: AsyncConnection) -> None:
    """So many, and until they are to be forgotten: of the table's rows nothing is read then."""
    board = ClaimBoard(keep=2)
    lives = [told(*ex.SUBMITTED, claim_id=claim_id(number)) for number in range(3)]
    await board.take_in(store, [fact for life in lives for fact in life[:2]])
    await board.take_in(store, [lives[1][2]])
    await store.execute("DELETE FROM cpor.claim_board")

    with pytest.raises(NotNext):
        await board.take_in(store, [lives[0][2]])
    await board.take_in(store, [lives[2][2]])
    rows = await board.load(store, map(claim_id, range(3)))
    assert rows == {claim_id(2): past(lives[2])}
    board.forget()
    with pytest.raises(NotNext):
        await board.take_in(store, [told(*ex.UNDER_REVIEW, claim_id=claim_id(1))[3]])


@pytest.mark.fault(12)
async def test_a_stream_that_is_made_and_filled_anew_changes_nothing(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """While it is behind the board nothing happens; then the projector goes on."""
    half = len(LOG) // 2
    await publish(nats, LOG[:half])
    async with shell(settings):
        await until_projected(store, half)
        await nats.js.delete_stream(EVENTS)
        await prepare(settings.nats_url)
        await publish(nats, LOG[: half // 2])
        await publish(nats, LOG[half // 2 :])
        await until_projected(store, len(LOG))

    await require_told(store, HISTORIES)


@pytest.mark.fault(42)
async def test_a_missing_event_stops_the_projector_with_its_position(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """What came before it is on the board; nothing is skipped."""
    life = [Entry(position, fact) for position, fact in enumerate(told(*ex.SUBMITTED), start=1)]
    other = Entry(9, told(ex.created(), claim_id=claim_id(2))[0])
    await publish(nats, [life[0], life[2], other])

    with pytest.raises(ProjectionStopped, match=r"stopped at position 3: .*version 3.*follows"):
        await run_alone(settings, nats)
    await require_told(store, [[life[0].fact]])


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    "unknown",
    [
        body(LOG[1]).replace(b"/schemas/created/1", b"/schemas/invented/1"),
        body(LOG[1]).replace(b"/schemas/created/1", b"/schemas/created/2"),
        body(LOG[1]).replace(b'"data":{', b'"data":{"surplus":1,'),
        b"null",
        b"\xff",
    ],
    ids=["event", "schema", "field", "null", "bytes"],
)
async def test_an_unknown_event_stops_the_projector_at_its_message(
    settings: Settings, nats: Connection, store: AsyncConnection, unknown: bytes
) -> None:
    """It is neither skipped nor guessed at; what came before it is on the board."""
    await publish(nats, LOG[:1])
    await nats.js.publish(f"cpor.events.created.{claim_id(2)}", unknown)

    with pytest.raises(ProjectionStopped, match="stopped at message 2 of CPOR_EVENTS"):
        await run_alone(settings, nats)
    await require_told(store, [[LOG[0].fact]])


@pytest.mark.fault(47)
async def test_a_missing_table_stops_the_projector_and_names_the_way_out(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """The position stays where it was."""
    await store.execute("DROP TABLE cpor.claim_board")
    await publish(nats, LOG)

    with pytest.raises(ProjectionStopped, match=r"claim_board.*`cpor rebuild`"):
        await run_alone(settings, nats)
    rows = await store.execute("SELECT DISTINCT position FROM cpor.projection_positions")
    assert await rows.fetchall() == [(0,)]


@pytest.mark.fault(20)
async def test_a_lost_database_connection_is_made_anew(
    settings: Settings, nats: Connection, store: AsyncConnection
) -> None:
    """In the middle of the stream; the shell starts the loop again."""
    half = len(LOG) // 2
    await publish(nats, LOG[:half])
    async with shell(settings):
        await until_projected(store, half)
        await store.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        await publish(nats, LOG[half:])
        await until_projected(store, len(LOG))

    await require_told(store, HISTORIES)


async def test_the_place_in_the_stream_is_found_by_position(nats: Connection) -> None:
    """With holes among positions and messages, before all, between, and after all."""
    assert await first_after(nats, 0) == 1
    positions = [2, 3, 5, 8, 13, 21, 34]
    begun = [told(ex.created(), claim_id=claim_id(position))[0] for position in positions]
    await publish(nats, map(Entry, positions, begun))
    for place in range(40):
        later = [n for n, position in enumerate(positions, start=1) if position > place]
        assert await first_after(nats, place) == (later[0] if later else 8)
    await nats.js.delete_msg(EVENTS, 4)
    assert await first_after(nats, 8) == 4
