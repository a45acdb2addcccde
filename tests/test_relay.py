"""The relay on real servers: the stream is the store's log, each event once, whatever happens."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Literal
from uuid import UUID, uuid5

import psycopg
import pytest
import pytest_asyncio
from nats.js.errors import NotFoundError

from services.claims.application import Claims
from services.connection import Connection, connected
from services.relay import BatchRefusedError, LogEntry, Relay, publish_batch, stream_place
from services.resource import load_catalogue, load_policy
from services.runtime import Context
from services.settings import Settings
from services.streams import EVENTS, StreamsDiffer, prepare
from tests.claims.orders import CREATE, NOON, arrival
from tests.service import Reports, running
from tests.system.checker import Entry, log_of, published

NAMESPACE = UUID("c1a10000-0000-4000-8000-000000000000")


@pytest.fixture
def settings(database_url: str, nats_url: str) -> Settings:
    """Settings that name the test's servers."""
    return Settings(database_url=database_url, nats_url=nats_url)


@pytest.fixture
def claims(database_url: str) -> Iterator[Claims]:
    """What writes the log."""
    application = Claims(database_url, policy=load_policy(Settings()), catalogue=load_catalogue())
    yield application
    application.close()


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to the test's nats-server, its streams made."""
    await prepare(nats_url)
    async with connected(nats_url, "test", 10.0) as connection:
        yield connection


def create(claims: Claims, first: int, count: int) -> None:
    """Append an event for each of so many new claims."""
    ids = [uuid5(NAMESPACE, str(number)) for number in range(first, first + count)]
    claims.handle([arrival(claim_id, "create_claim", CREATE) for claim_id in ids])


async def until_relayed(nats: Connection, database_url: str) -> list[Entry]:
    """Wait until the stream has come to the end of the log; the log."""
    log = await asyncio.to_thread(log_of, database_url)
    async with asyncio.timeout(20):
        while await position_in_stream(nats) < log[-1].position:  # noqa: ASYNC110 - of a server
            await asyncio.sleep(0.02)
    return log


async def position_in_stream(nats: Connection) -> int:
    """How far the stream is; nowhere while it is missing."""
    try:
        return (await stream_place(nats)).position
    except NotFoundError:
        return 0


def names(log: list[Entry]) -> list[tuple[str, int]]:
    """What must stand in the stream for a log."""
    return [(f"{entry.claim_id}-{entry.version}", entry.position) for entry in log]


@pytest.mark.parametrize("sync", ["always", "interval"])
async def test_the_stream_is_the_log(
    settings: Settings,
    nats: Connection,
    claims: Claims,
    database_url: str,
    sync: Literal["always", "interval"],
) -> None:
    """What was there before the relay began, and what comes while it runs, in the log's order."""
    settings = settings.model_copy(update={"nats_sync": sync})
    create(claims, 0, 450)
    async with running(Relay(settings), settings, nats):
        create(claims, 450, 7)
        log = await until_relayed(nats, database_url)

        assert await published(nats) == names(log)


@pytest.mark.fault(4)
async def test_a_relay_goes_on_where_the_last_one_ended(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """It reads from the stream itself how far it is."""
    for part in range(3):
        create(claims, part * 30, 30)
        async with running(Relay(settings), settings, nats):
            await until_relayed(nats, database_url)

    assert await published(nats) == names(log_of(database_url))


@pytest.mark.fault(5)
async def test_a_batch_that_was_taken_unnoticed_is_not_repeated(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """The relay died after publishing, before it knew: the stream tells the next one."""
    create(claims, 0, 10)
    entries = [LogEntry(*entry) for entry in log_of(database_url)]
    await publish_batch(nats, entries[:6], 0, atomic=False)

    async with running(Relay(settings), settings, nats):
        log = await until_relayed(nats, database_url)

    assert await published(nats) == names(log)


@pytest.mark.fault(50)
async def test_two_relays_cannot_interleave(
    nats: Connection, claims: Claims, database_url: str
) -> None:
    """Of two batches after the same message, the server takes one whole and none of the other."""
    create(claims, 0, 20)
    entries = [LogEntry(*entry) for entry in log_of(database_url)]

    results = await asyncio.gather(
        *(publish_batch(nats, entries, 0, atomic=True) for _ in range(2)), return_exceptions=True
    )

    assert sorted(map(type, results), key=str) == sorted([int, BatchRefusedError], key=str)
    assert len(await published(nats)) == 20


@pytest.mark.fault(50)
async def test_two_relays_that_publish_one_by_one_write_one_log(
    nats: Connection, nats_url: str, claims: Claims, database_url: str
) -> None:
    """Whichever comes first with an event, it stands at its own sequence, once."""
    create(claims, 0, 200)
    log = log_of(database_url)
    entries = [LogEntry(*entry) for entry in log]

    async with connected(nats_url, "the other one", 10.0) as other:
        await asyncio.gather(
            *(publish_batch(each, entries, 0, atomic=False) for each in (nats, other)),
            return_exceptions=True,
        )

    assert await published(nats) == names(log)


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.fault(50)
async def test_what_does_not_come_after_the_last_message_is_refused(
    nats: Connection, claims: Claims, database_url: str, *, atomic: bool
) -> None:
    """An old relay, whose place is no longer the stream's, adds nothing."""
    create(claims, 0, 20)
    log = log_of(database_url)
    entries = [LogEntry(*entry) for entry in log]
    await publish_batch(nats, entries, 0, atomic=True)

    with pytest.raises(BatchRefusedError):
        await publish_batch(nats, entries[:12], 0, atomic=atomic)

    assert await published(nats) == names(log)


@pytest.mark.fault(11)
@pytest.mark.fault(12)
async def test_a_deleted_stream_is_made_and_filled_again(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """While nothing happens, the relay notices; the store has everything that the stream had."""
    create(claims, 0, 30)
    async with running(Relay(settings), settings, nats):
        await until_relayed(nats, database_url)
        await nats.js.delete_stream(EVENTS)
        log = await until_relayed(nats, database_url)

    assert await published(nats) == names(log)


@pytest.mark.fault(11)
@pytest.mark.fault(12)
async def test_a_purged_stream_is_filled_again(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """Its sequences go on, its positions begin anew: the log is in it, each event once."""
    create(claims, 0, 30)
    async with running(Relay(settings), settings, nats):
        await until_relayed(nats, database_url)
        await nats.js.purge_stream(EVENTS)
        log = await until_relayed(nats, database_url)

    assert await published(nats) == names(log)


@pytest.mark.fault(12)
async def test_a_stream_without_its_beginning_stops_the_relay(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """While it goes on publishing it notices, says where the stream begins and what to do."""
    create(claims, 0, 30)
    context = Context(settings, nats, asyncio.Event(), Reports())
    relay = asyncio.create_task(Relay(settings).run(context))
    log = await until_relayed(nats, database_url)
    await nats.js.purge_stream(EVENTS, seq=11)
    create(claims, 30, 3)

    begins = f"CPOR_EVENTS begins at position {log[10].position}, where the store begins at 1"
    with pytest.raises(StreamsDiffer, match=begins):
        await asyncio.wait_for(relay, 20)


@pytest.mark.fault(12)
async def test_a_stream_with_a_gap_stops_the_relay(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """Beginning and end are as they must be; what is between is counted."""
    create(claims, 0, 5)
    async with running(Relay(settings), settings, nats):
        log = await until_relayed(nats, database_url)
    assert await nats.js.delete_msg(EVENTS, 3)

    gap = f"holds 4 events up to position {log[-1].position}, where the store has 5"
    with pytest.raises(StreamsDiffer, match=gap):
        async with running(Relay(settings), settings, nats):
            pass


@pytest.mark.fault(12)
async def test_a_message_deleted_at_the_end_of_the_stream_is_published_again(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """What the last message that is left says is where the relay goes on."""
    create(claims, 0, 5)
    async with running(Relay(settings), settings, nats):
        await until_relayed(nats, database_url)
    assert await nats.js.delete_msg(EVENTS, 5)
    create(claims, 5, 2)

    async with running(Relay(settings), settings, nats):
        log = await until_relayed(nats, database_url)

    again = [await nats.js.get_msg(EVENTS, sequence) for sequence in (4, 6, 7, 8)]
    assert [json.loads(message.data or b"")["sequence"] for message in again] == [
        entry.position for entry in log[3:]
    ]


@pytest.mark.fault(70)
async def test_a_message_of_somebody_else_stops_the_relay_until_it_is_deleted(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """It says which message that is, and goes on without it."""
    create(claims, 0, 3)
    async with running(Relay(settings), settings, nats):
        await until_relayed(nats, database_url)
    foreign = await nats.js.publish("cpor.events.created.x", b"{}")
    create(claims, 3, 2)

    with pytest.raises(StreamsDiffer, match=f"message {foreign.seq} of CPOR_EVENTS is no event"):
        async with running(Relay(settings), settings, nats):
            pass

    await nats.js.delete_msg(EVENTS, foreign.seq)
    async with running(Relay(settings), settings, nats):
        log = await until_relayed(nats, database_url)
    assert await published(nats) == names(log)


@pytest.mark.fault(49)
async def test_a_stream_ahead_of_its_store_stops_the_relay(
    settings: Settings, nats: Connection, claims: Claims, database_url: str
) -> None:
    """A store that was set back is not followed: the position that differs is named."""
    create(claims, 0, 10)
    async with running(Relay(settings), settings, nats):
        log = await until_relayed(nats, database_url)
    with psycopg.connect(database_url) as store:
        store.execute(
            "DELETE FROM cpor.stored_events WHERE notification_id > %s", [log[4].position]
        )

    with pytest.raises(StreamsDiffer, match=f"position {log[-1].position}"):
        async with running(Relay(settings), settings, nats):
            pass


def test_events_carry_arrival_times(claims: Claims, database_url: str) -> None:
    """An event's time is the instant at which its command arrived (R18)."""
    create(claims, 0, 1)

    assert NOON.isoformat().replace("+00:00", "Z").encode() in log_of(database_url)[0].state
