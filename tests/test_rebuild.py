"""Rebuilding projections beside the live ones, on real servers, with readers and events coming."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from itertools import count
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection, IsolationLevel

from domain.schema import UnknownEvent
from projections import position
from projections.board_table import ClaimBoard
from projections.query import ClaimQuery, list_claims, summarize
from projections.registry import PROJECTIONS
from services import rebuild as rebuilding
from services.beside import TablesBeside
from services.connection import Connection, connected
from services.event_log import Placed
from services.new_projection import fill_new
from services.projector import ProjectionStopped, Projector
from services.rebuild import Phase, Progress, RebuildFailedError, RebuildRefused, rebuild
from services.refold import Order, refold
from services.settings import Settings
from services.store import EventMapper, remember
from services.streams import prepare
from tests.cli import run, start
from tests.domain import examples as ex
from tests.projections.log import Entry, claim_id, interleaved, publish, shown, store, take_in, told
from tests.projections.test_board import LIVES
from tests.projections.test_query import AUDITOR, NOW
from tests.service import running
from tests.test_projector import run_alone, until_projected

COPIES = 5
HISTORIES = [
    told(*life, claim_id=claim_id(100 * copy + number))
    for copy in range(1, COPIES + 1)
    for number, life in enumerate(LIVES.values(), start=1)
]
LOG = interleaved(*HISTORIES)


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncGenerator[AsyncConnection]:
    """A database whose store holds the log."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as opened:
        await store(opened, LOG)
        yield opened


@pytest.fixture
def settings(database_url: str, nats_url: str) -> Settings:
    """Settings that name the test's servers."""
    return Settings(database_url=database_url, nats_url=nats_url)


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to the test's nats-server, its streams made."""
    await prepare(nats_url)
    async with connected(nats_url, "test", 10.0) as opened:
        yield opened


def nobody(_progress: Progress) -> None:
    """Nobody looks on."""


async def rebuild_all(database_url: str) -> None:
    """Rebuild every projection."""
    for name in PROJECTIONS:
        await rebuild(database_url, name, nobody, processes=1)


async def indexes(connection: AsyncConnection) -> list[tuple[str, str]]:
    """The projections' indexes, and all tables."""
    rows = await connection.execute(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'cpor'"
        " UNION ALL SELECT tablename, '' FROM pg_tables WHERE schemaname = 'cpor' ORDER BY 1, 2"
    )
    return await rows.fetchall()


@pytest.mark.fault(47)
@pytest.mark.parametrize("processes", [1, 2])
async def test_dropped_tables_are_made_anew_as_they_were(
    connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """Rows, counts, words, clocks and indexes, also when the log is folded in many ranges."""
    monkeypatch.setattr(rebuilding, "RANGE", 100)
    await take_in(connection, LOG)
    before, shape = await shown(connection), await indexes(connection)
    await connection.execute(
        "DROP TABLE cpor.claim_board, cpor.claim_words, cpor.board_counts, cpor.open_clocks,"
        " cpor.claim_progress, cpor.claim_stages"
    )

    told_of: list[Progress] = []
    for name in PROJECTIONS:
        done = await rebuild(database_url, name, told_of.append, processes=processes)
        assert done == Progress(Phase.DONE, len(LOG), len(LOG), len(LOG))
        assert told_of[-1] == done

    assert await shown(connection) == before
    assert await indexes(connection) == shape
    rows = await connection.execute("SELECT * FROM cpor.projection_positions ORDER BY name")
    assert await rows.fetchall() == [
        ("board", len(LOG)),
        ("open_clocks", len(LOG)),
        ("stages", len(LOG)),
    ]
    assert {progress.phase for progress in told_of} >= {Phase.FOLDING, Phase.INDEXING, Phase.DONE}


@pytest.mark.fault(48)
async def test_wrong_rows_are_replaced_while_readers_see_whole_tables(
    connection: AsyncConnection, database_url: str
) -> None:
    """As after a bug was fixed: readers see the old board or the new one, never a part."""
    await take_in(connection, LOG)
    expected = await shown(connection)
    await connection.execute(
        "UPDATE cpor.claim_board SET status = 'editing', whose_turn = 'partner', due_at = NULL;"
        "UPDATE cpor.open_clocks SET due_at = due_at + interval '1 day';"
        "UPDATE cpor.board_counts SET claims = claims + 1 WHERE claims = 5"
    )
    stopping = asyncio.Event()

    async def read() -> set[tuple[int, int]]:
        seen: set[tuple[int, int]] = set()
        query = ClaimQuery(limit=500)
        async with await AsyncConnection.connect(database_url, autocommit=True) as reader:
            while not stopping.is_set():
                page = await list_claims(reader, query, reader=AUDITOR, now=NOW)
                summary = await summarize(reader, reader=AUDITOR, now=NOW)
                seen.add((len(page.rows), sum(summary.sla.values())))
        return seen

    readers = [asyncio.create_task(read()) for _ in range(3)]
    wrong = await summarize(connection, reader=AUDITOR, now=NOW)
    for _ in range(3):
        await rebuild_all(database_url)
    stopping.set()
    seen = set[tuple[int, int]]().union(*await asyncio.gather(*readers))

    assert await shown(connection) == expected
    whole = (len(HISTORIES), len(HISTORIES))
    assert seen <= {whole, (len(HISTORIES), sum(wrong.sla.values()))}
    assert whole in seen


@pytest.mark.fault(48)
async def test_a_running_projector_goes_on_with_the_rebuilt_rows(
    connection: AsyncConnection, settings: Settings
) -> None:
    """Not with those that it has in memory, although the swap moved its position nowhere."""
    life = told(*ex.UPHELD, claim_id=claim_id(9999))
    log = interleaved(life, first=len(LOG) + 1)
    before, after = log[:3], log[3:]
    await store(connection, before)
    await take_in(connection, [*LOG, *before[:2]])
    await connection.execute(
        "UPDATE cpor.claim_board SET claim = replace(claim::text, %s, 'wrong')::json", [ex.ORG]
    )
    await position.begin(connection, PROJECTIONS)
    projector = Projector(settings)
    await projector.take_in(connection, [Placed(*before[2])])

    await rebuild_all(settings.database_url)
    await projector.take_in(connection, [Placed(*entry) for entry in after])

    found = await shown(connection)
    await connection.execute(
        "TRUNCATE cpor.claim_board, cpor.claim_words, cpor.board_counts, cpor.open_clocks,"
        " cpor.claim_progress, cpor.claim_stages"
    )
    await take_in(connection, [*LOG, *log])
    assert found == await shown(connection)


@pytest.mark.fault(48)
async def test_events_that_come_meanwhile_are_on_the_rebuilt_board(
    connection: AsyncConnection, settings: Settings, nats: Connection
) -> None:
    """The projector works on before, during and after the swap, on connections of its own."""
    await publish(nats, LOG)
    written = list(HISTORIES)
    numbers = count(1000)
    stopping = asyncio.Event()

    async def write() -> int:
        position = len(LOG)
        while not stopping.is_set():
            history = told(*ex.UPHELD, claim_id=claim_id(next(numbers)))
            written.append(history)
            log = interleaved(history, first=position + 1)
            await store(connection, log)
            await publish(nats, log)
            position += len(log)
        return position

    async with (
        running(Projector(settings), settings, nats),
        await AsyncConnection.connect(settings.database_url, autocommit=True) as own,
    ):
        await until_projected(own, len(LOG))
        writing = asyncio.create_task(write())
        for _ in range(2):
            await rebuild_all(settings.database_url)
        stopping.set()
        position = await writing
        await until_projected(own, position)

    found = await shown(connection)
    await connection.execute(
        "TRUNCATE cpor.claim_board, cpor.claim_words, cpor.board_counts, cpor.open_clocks,"
        " cpor.claim_progress, cpor.claim_stages"
    )
    await take_in(connection, interleaved(*written))
    assert found == await shown(connection)


async def test_a_board_that_is_behind_comes_to_the_end_of_the_log(
    connection: AsyncConnection, settings: Settings, nats: Connection
) -> None:
    """The projector then skips what the rebuild has taken in."""
    await publish(nats, LOG)
    await rebuild_all(settings.database_url)
    before = await shown(connection)

    extra = Entry(len(LOG) + 1, told(ex.created(), claim_id=claim_id(9999))[0])
    await publish(nats, [extra])
    async with running(Projector(settings), settings, nats):
        await until_projected(connection, extra.position)
    after = await shown(connection)
    assert after["open_clocks"] == before["open_clocks"]
    assert len(after["claim_board"]) == len(before["claim_board"]) + 1


@pytest.mark.fault(42)
async def test_a_rebuild_leads_over_a_hole_in_the_stream(
    connection: AsyncConnection, settings: Settings, nats: Connection
) -> None:
    """The store has every event: rebuilt from it, the projector goes on after the hole."""
    third = next(entry for entry in LOG if entry.fact.originator_version == 3)
    claim = third.fact.originator_id
    second = next(
        e for e in LOG if e.fact.originator_id == claim and e.fact.originator_version == 2
    )
    await publish(nats, [entry for entry in LOG if entry != second])
    with pytest.raises(ProjectionStopped, match="stopped at position"):
        await run_alone(settings, nats)

    await rebuild_all(settings.database_url)
    extra = Entry(len(LOG) + 1, told(ex.created(), claim_id=claim_id(9999))[0])
    await publish(nats, [extra])
    async with running(Projector(settings), settings, nats):
        await until_projected(connection, extra.position)


@pytest.mark.fault(6)
async def test_a_rebuild_that_is_killed_leaves_the_live_tables_as_they_were(
    connection: AsyncConnection, settings: Settings
) -> None:
    """With a table beside, with an index on it, and at the end; then the next one succeeds."""
    await take_in(connection, LOG)
    before, shape = await shown(connection), await indexes(connection)
    for relation in (
        "claim_words_beside",
        "claim_board_beside",
        "claim_board_place_due_idx_beside",
    ):
        process = await start({"CPOR_DATABASE_URL": settings.database_url}, "rebuild", "board")
        ended = asyncio.create_task(process.wait())
        while not (ended.done() or await is_there(connection, relation)):
            await asyncio.wait([ended], timeout=0.001)
        with suppress(ProcessLookupError):  # it was quicker
            process.kill()
        await process.communicate()
        assert await shown(connection) == before
        await until_nobody_rebuilds(connection)

    await rebuild_all(settings.database_url)
    assert await shown(connection) == before
    assert await indexes(connection) == shape


async def is_there(connection: AsyncConnection, relation: str) -> bool:
    """Whether a table or index exists."""
    rows = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"cpor.{relation}"])
    return await rows.fetchone() == (True,)


async def until_nobody_rebuilds(connection: AsyncConnection) -> None:
    """PostgreSQL notices within moments that a killed client is gone."""
    async with asyncio.timeout(20):
        while True:
            rows = await connection.execute(
                "SELECT FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
            if not await rows.fetchall():
                return
            await asyncio.sleep(0.05)


async def test_the_command_line_rebuilds(connection: AsyncConnection, database_url: str) -> None:
    """With a result for programs or for people, and a sentence when it can't."""
    variables = {"CPOR_DATABASE_URL": database_url}
    await take_in(connection, LOG)

    for_programs = await run(variables, "rebuild", "board", "--json")
    for_people = await run(variables, "rebuild", "open_clocks", "--processes", "1")
    for_nobody = await run(variables, "rebuild", "bord")

    result = json.loads(for_programs.out)
    assert (for_programs.code, for_programs.err) == (0, "")
    assert (result["projection"], result["phase"]) == ("board", "done")
    assert result["events"] == result["position"] == len(LOG)
    assert for_people.code == 0
    assert f"open_clocks is rebuilt from {len(LOG)} events in" in for_people.out
    assert for_nobody.code == 1
    assert for_nobody.err == (
        "There is no projection bord: there are board, open_clocks, stages.\n"
    )


async def test_one_rebuild_at_a_time(connection: AsyncConnection, database_url: str) -> None:
    """A second one is refused at once."""
    await connection.execute("SELECT pg_advisory_lock(hashtext('cpor rebuild board'))")

    with pytest.raises(RebuildRefused, match="board is being rebuilt already"):
        await rebuild(database_url, "board", nobody)


async def test_a_new_projection_is_filled_before_the_projector_comes_to_it(
    connection: AsyncConnection, database_url: str
) -> None:
    """An upgrade keeps nobody waiting for the board; what is not new stays as it is."""
    await rebuild_all(database_url)
    before = await shown(connection)
    await connection.execute(
        "TRUNCATE cpor.claim_progress, cpor.claim_stages;"
        "DELETE FROM cpor.projection_positions WHERE name = 'stages'"
    )

    short = await fill_new(database_url, long=len(LOG) + 1)
    told_of = await fill_new(database_url, long=len(LOG))
    again = await fill_new(database_url, long=len(LOG))

    assert told_of == [f"The projection stages is new, and was made from {len(LOG)} events."]
    assert (short, again) == ([], [])
    assert await shown(connection) == before
    rows = await connection.execute("SELECT DISTINCT position FROM cpor.projection_positions")
    assert await rows.fetchall() == [(len(LOG),)]


async def test_there_is_nothing_else_to_rebuild(database_url: str) -> None:
    """The names that there are stand in the sentence."""
    with pytest.raises(
        RebuildRefused, match="no projection bord: there are board, open_clocks, stages"
    ):
        await rebuild(database_url, "bord", nobody)


@pytest.mark.fault(42)
async def test_a_log_that_cannot_be_folded_leaves_the_live_tables(
    connection: AsyncConnection, database_url: str
) -> None:
    """An unknown event, or a missing one, is named."""
    await take_in(connection, LOG)
    before = await shown(connection)
    await connection.execute(
        "UPDATE cpor.stored_events SET topic = 'claim.invented' WHERE notification_id = 7"
    )
    with pytest.raises(RebuildFailedError, match="no event is called 'invented'"):
        await rebuild(database_url, "board", nobody)

    await connection.execute("DELETE FROM cpor.stored_events WHERE notification_id = 7")
    with pytest.raises(RebuildFailedError, match="follows version 0"):
        await rebuild(database_url, "board", nobody)
    assert await shown(connection) == before


async def test_an_empty_log_is_an_empty_board(database_url: str) -> None:
    """Nothing to fold is no fault."""
    done = await rebuild(database_url, "board", nobody)

    assert done == Progress(Phase.DONE, 0, 0, 0)


async def test_the_swap_waits_for_readers_without_holding_others_up(
    connection: AsyncConnection, database_url: str
) -> None:
    """A reader that takes long delays the swap; other readers pass meanwhile."""
    async with await AsyncConnection.connect(database_url) as slow:
        await slow.execute("SELECT count(*) FROM cpor.claim_board")
        task = asyncio.create_task(rebuild(database_url, "board", nobody))
        reads = 0
        ends = asyncio.get_running_loop().time() + 2.0
        while asyncio.get_running_loop().time() < ends:
            async with asyncio.timeout(20.0):
                await list_claims(connection, ClaimQuery(), reader=AUDITOR, now=NOW)
            reads += 1
            await asyncio.sleep(0.01)
        assert not task.done()
        assert reads > 1
        await slow.rollback()
    assert (await task).phase is Phase.DONE


@pytest.mark.fault(42)
def test_an_event_is_remembered_however_it_was_written() -> None:
    """In its present schema in one go, else as the store recalls it; of no unknown schema."""
    fact = told(*ex.SUBMITTED)[2]
    stored = EventMapper().to_stored_event(fact)
    ids = str(fact.originator_id), fact.originator_version, stored.topic
    assert remember(*ids, stored.state) == fact

    spaced = stored.state.replace(b'{"schema_version":1,', b'{ "schema_version": 1, ')
    assert remember(*ids, spaced) == fact
    unknown = stored.state.replace(b'"schema_version":1', b'"schema_version":9')
    with pytest.raises(UnknownEvent, match="unknown schema version 9"):
        remember(*ids, unknown)


async def test_a_process_left_over_by_a_killed_rebuild_writes_nothing(
    connection: AsyncConnection, database_url: str
) -> None:
    """The tables beside may be another rebuild's by now: its own moment is gone."""
    projection = ClaimBoard(beside=True)
    await TablesBeside(projection.tables).create(connection)
    order = Order(snapshot="00000003-0000001B-1", low=str(UUID(int=0)), high=None)

    with psycopg.connect(database_url, autocommit=True) as orphan:
        orphan.isolation_level = IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.Error, match="snapshot"):
            refold(orphan, projection, order)
    rows = await connection.execute("SELECT count(*) FROM cpor.claim_board_beside")
    assert await rows.fetchone() == (0,)
