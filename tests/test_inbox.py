"""The pull loop, on a real nats-server that is killed, wiped and stalled."""

# pyright: reportPrivateUsage=false
# Some losses can only be made by reaching below the surface.

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sized
from datetime import timedelta
from itertools import count, takewhile

import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error

from services import inbox as inbox_module
from services.clock import real_now
from services.connection import Connection, connect
from services.embedded.nats import NatsServer
from services.health import State
from services.inbox import Durable, From, PullInbox, StreamChangedError
from services.message import Message
from services.streams import (
    CLAIMS_CONSUMER,
    COMMANDS,
    EVENTS,
    command_subject,
    event_subject,
    prepare,
    restore,
)
from tests.free_port import free_port
from tests.no_channel import NoChannel

COMMAND = command_subject("submit_claim", "a")
EVENT = event_subject("submitted", "a")
CLAIMS = Durable(COMMANDS, CLAIMS_CONSUMER)


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to a server with all streams."""
    await prepare(nats_url)
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


def numbers_until(enough: asyncio.Event) -> Iterator[int]:
    """Numbers from 0, until it is enough."""
    return takewhile(lambda _: not enough.is_set(), count())


async def publish(nats: Connection, subject: str, numbers: Iterable[int]) -> int:
    """Publish the numbers, each until the server has acknowledged it; how many they were."""
    acknowledged = 0
    for number in numbers:
        while True:
            try:
                await nats.js.publish(subject, str(number).encode(), timeout=2)
            except Error:
                await nats.until_up()
            else:
                acknowledged += 1
                break
    return acknowledged


async def numbers_of(inbox: PullInbox, count: int, *, ack: bool = False) -> list[int]:
    """Take until so many different numbers have come; all that came, in order."""
    came: list[int] = []
    async with asyncio.timeout(60):
        while len(set(came)) < count:
            for message in await inbox.take():
                came.append(int(message.data))
                if ack:
                    await message.ack()
    return came


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.01)  # what is waited for has no event of its own


async def until_left(nats: Connection, commands: int) -> None:
    """Wait until so few commands are left: the server takes answers in behind everything else.

    There must never be fewer.
    """
    left = commands + 1
    async with asyncio.timeout(20):
        while left > commands:
            left = (await nats.js.stream_info(COMMANDS)).state.messages
    assert left == commands


async def until_more(came: Sized, count: int = 0) -> None:
    """Wait until more than so many have come since now."""
    now = len(came)
    await until(lambda: len(came) > now + count)


async def restarted(server: NatsServer) -> None:
    """Kill -9, and start again on the same port and store."""
    os.kill(server.pid, signal.SIGKILL)
    await server.wait()
    await server.start()


async def test_a_message_says_when_and_as_what_it_arrived(nats: Connection) -> None:
    """Subject, bytes, headers, sequence, deliveries and the stream's own time."""
    before = real_now() - timedelta(milliseconds=1)
    await nats.js.publish(COMMAND, b"x", headers={"Content-Type": "text/plain"})
    after = real_now() + timedelta(milliseconds=1)
    async with PullInbox(nats, CLAIMS) as inbox:
        (message,) = await inbox.take()

    assert message.subject == COMMAND
    assert message.data == b"x"
    assert message.content_type == "text/plain"
    assert message.stream == COMMANDS
    assert message.stream_sequence == 1
    assert message.deliveries == 1
    assert message.arrived_at.utcoffset() == timedelta(0)
    assert before <= message.arrived_at <= after


def test_a_message_from_behind_a_domain_is_read_alike() -> None:
    """Leaf nodes and accounts put two more words into the reply subject."""
    long = b"$JS.ACK.hub.ACCHASH.CPOR_EVENTS.projector.3.17.4.1795360898345338908.0.rnd"
    message = Message(NoChannel(), EVENT.encode(), long, b"", b"")

    assert (message.stream, message.deliveries) == ("CPOR_EVENTS", 3)
    assert (message.stream_sequence, message.consumer_sequence) == (17, 4)
    assert message.arrived_at.isoformat() == "2026-11-22T15:21:38.345338+00:00"


async def test_acked_is_done_and_nacked_comes_again_later(nats: Connection) -> None:
    """The four answers do what they say."""
    await publish(nats, COMMAND, range(4))
    async with PullInbox(nats, CLAIMS) as inbox:
        came: list[Message] = []
        while len(came) < 4:
            came += await inbox.take()
        acked, terminated, nacked, busy = came
        await acked.ack()
        await terminated.term()
        began = asyncio.get_running_loop().time()
        await nacked.nak(0.3)
        await busy.in_progress()
        (again,) = await inbox.take()

        assert asyncio.get_running_loop().time() - began >= 0.3
        assert int(again.data) == 2
        assert again.deliveries == 2
        await again.ack()
        await until_left(nats, 1)
        state = (await nats.js.consumer_info(COMMANDS, CLAIMS_CONSUMER)).num_ack_pending
        assert state == 1


async def test_what_was_not_taken_is_given_back_at_the_end(nats: Connection) -> None:
    """The next instance need not wait for the acks of the last one."""
    await publish(nats, COMMAND, range(1200))
    async with PullInbox(nats, CLAIMS) as first:
        taken: list[Message] = []
        while len(taken) < 10:
            taken += await first.take(10 - len(taken))
        for message in taken:
            await message.ack()
        await until(lambda: len(first._buffer) > 1000)

    async with PullInbox(nats, CLAIMS) as second:
        async with asyncio.timeout(10):
            came = await numbers_of(second, 1190)

    assert sorted(came) == list(range(10, 1200))


async def test_memory_is_bounded_by_what_is_asked_for(nats: Connection) -> None:
    """A reader that doesn't read gets no more than fits; when it reads, the rest comes."""
    await publish(nats, EVENT, range(4000))
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:
        await until(lambda: len(inbox._buffer) == inbox_module.CAPACITY)
        await asyncio.sleep(0.3)
        assert len(inbox._buffer) == inbox_module.CAPACITY

        assert await numbers_of(inbox, 4000) == list(range(4000))


@pytest.mark.fault(40)
async def test_large_messages_are_bounded_by_their_bytes(nats: Connection) -> None:
    """The largest messages come through, a few at a time."""
    large = b"x" * 1_000_000
    for _ in range(60):
        await nats.js.publish(COMMAND, large)
    async with PullInbox(nats, CLAIMS) as inbox:
        await until(lambda: inbox._buffered_bytes >= 8_000_000)
        await asyncio.sleep(0.3)
        most = inbox_module.CAPACITY_BYTES + 3 * inbox_module.BATCH_BYTES
        assert inbox._buffered_bytes <= most

        count = 0
        while count < 60:
            for message in await inbox.take(5):
                assert message.data == large
                await message.ack()
                count += 1


async def test_take_returns_nothing_only_when_told_to_stop(nats: Connection) -> None:
    """A waiting reader is woken by `stopping`."""
    stopping = asyncio.Event()
    async with PullInbox(nats, CLAIMS, stopping=stopping) as inbox:
        taking = asyncio.create_task(inbox.take())
        await asyncio.sleep(0.1)
        assert not taking.done()

        stopping.set()

        async with asyncio.timeout(30):
            assert await taking == []


async def test_a_cancelled_take_loses_nothing(nats: Connection) -> None:
    """Whoever stops waiting can wait again."""
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:
        taking = asyncio.create_task(inbox.take())
        await asyncio.sleep(0.05)
        taking.cancel()
        await asyncio.wait([taking])
        await publish(nats, EVENT, range(3))

        assert await numbers_of(inbox, 3) == [0, 1, 2]


async def test_a_consumer_of_our_own_starts_where_it_is_told(nats: Connection) -> None:
    """From a sequence on; and it is removed when it is not needed any more."""
    await publish(nats, EVENT, range(10))
    async with PullInbox(nats, From(EVENTS, "test", 8)) as inbox:
        assert await numbers_of(inbox, 3) == [7, 8, 9]

    assert (await nats.js.stream_info(EVENTS)).state.consumer_count == 0


@pytest.mark.fault(8)
@pytest.mark.parametrize("nats_server", ["always"], indirect=True)
async def test_every_acknowledged_command_is_seen_through_kills_of_the_server(
    nats_server: NatsServer, nats: Connection
) -> None:
    """Kill -9 and start again, five times under load: none is missing, and it goes on."""
    enough = asyncio.Event()
    publisher = await connect(nats_server.url, "publisher")
    publishing = asyncio.create_task(publish(publisher, COMMAND, numbers_until(enough)))
    came: set[int] = set()
    async with PullInbox(nats, CLAIMS) as inbox:

        async def read() -> None:
            while True:
                for message in await inbox.take():
                    came.add(int(message.data))
                    await message.ack()

        reading = asyncio.create_task(read())
        for _ in range(5):
            await until_more(came, 100)
            await restarted(nats_server)
            await until_more(came)
        enough.set()
        acknowledged = await publishing
        await until(lambda: came >= set(range(acknowledged)))
        reading.cancel()
    await publisher.close()


@pytest.mark.fault(8)
@pytest.mark.parametrize("nats_server", ["always"], indirect=True)
async def test_a_consumer_without_acks_sees_each_event_once_in_order_through_kills(
    nats_server: NatsServer, nats: Connection
) -> None:
    """Through kills it goes back to where it was: nothing missing, doubled or out of order."""
    enough = asyncio.Event()
    publisher = await connect(nats_server.url, "publisher")
    publishing = asyncio.create_task(publish(publisher, EVENT, numbers_until(enough)))
    sequences: list[int] = []
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:

        async def read() -> None:
            while True:
                sequences.extend(message.stream_sequence for message in await inbox.take())

        reading = asyncio.create_task(read())
        for _ in range(5):
            await until_more(sequences, 100)
            await restarted(nats_server)
        enough.set()
        await publishing
        last = (await publisher.js.stream_info(EVENTS)).state.last_seq
        await until(lambda: sequences[-1] >= last)
        reading.cancel()

    assert sequences == list(range(1, last + 1))
    await publisher.close()


class Requests:
    """Counts what is asked of JetStream, as a bystander sees it."""

    def __init__(self) -> None:
        self.count = 0

    async def on_request(self, _message: Msg) -> None:
        """One more."""
        self.count += 1


@pytest.mark.fault(12)
async def test_a_deleted_consumer_is_waited_for_without_a_hot_loop(nats: Connection) -> None:
    """It shows soon, asks less than ten times a second, and goes on when it is back."""
    states: list[tuple[State, str]] = []
    requests = Requests()
    await nats.listen("$JS.API.CONSUMER.>", requests.on_request)

    def report(state: State, detail: str) -> None:
        states.append((state, detail))

    async with PullInbox(nats, CLAIMS, report=report) as inbox:
        await until(lambda: inbox.state is State.RUNNING)
        await nats.js.delete_consumer(COMMANDS, CLAIMS_CONSUMER)
        async with asyncio.timeout(10):
            await until(lambda: inbox.state is State.FAILING)

        requests.count = 0
        await asyncio.sleep(3)
        assert requests.count < 30
        assert inbox.detail == (
            "consumer claims of stream CPOR_COMMANDS: is missing (consumer not found)"
        )

        await restore(nats.js)
        await publish(nats, COMMAND, range(3))
        assert sorted(await numbers_of(inbox, 3)) == [0, 1, 2]
        assert inbox.state is State.RUNNING

    assert [state for state, _ in states][:2] == [State.RUNNING, State.FAILING]
    assert states[-1] == (State.RUNNING, "")


@pytest.mark.fault(12)
async def test_a_deleted_stream_is_made_again_when_one_knows_how(nats: Connection) -> None:
    """The claims service heals what it needs by itself."""
    binding = Durable(COMMANDS, CLAIMS_CONSUMER, lambda: restore(nats.js))
    async with PullInbox(nats, binding) as inbox:
        await until(lambda: inbox.state is State.RUNNING)
        await nats.js.delete_stream(COMMANDS)

        await publish(nats, COMMAND, range(3))

        assert sorted(await numbers_of(inbox, 3)) == [0, 1, 2]


@pytest.mark.fault(11)
@pytest.mark.fault(45)
async def test_an_answer_to_a_lost_message_does_not_settle_a_new_one(nats: Connection) -> None:
    """A stream made anew numbers its messages alike: old acks must not reach it."""
    binding = Durable(COMMANDS, CLAIMS_CONSUMER, lambda: restore(nats.js))
    await publish(nats, COMMAND, range(5))
    async with PullInbox(nats, binding) as inbox:
        old = await inbox.take(5)
        await nats.js.delete_stream(COMMANDS)
        await until(lambda: inbox.state is State.FAILING)
        await until(lambda: inbox.state is State.RUNNING)
        await publish(nats, COMMAND, range(5))
        new: list[Message] = []
        while len(new) < 5:
            new += await inbox.take()

        for message in (*old, new[0]):
            await message.ack()

        await until_left(nats, 4)  # the last of those answers, and no other, has settled a message
        for message in new[1:]:
            await message.ack()
        await until_left(nats, 0)


@pytest.mark.fault(12)
async def test_a_deleted_consumer_of_our_own_is_made_again_where_it_was(
    nats: Connection,
) -> None:
    """Nothing is missing, and nothing comes twice."""
    await publish(nats, EVENT, range(10))
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:
        assert await numbers_of(inbox, 10) == list(range(10))
        (consumer,) = await nats.js.consumers_info(EVENTS)
        await nats.js.delete_consumer(EVENTS, consumer.name)
        await publish(nats, EVENT, range(10, 20))

        assert await numbers_of(inbox, 10) == list(range(10, 20))


@pytest.mark.fault(11)
@pytest.mark.parametrize("messages", [0, 3, 20])
async def test_a_stream_made_anew_is_not_taken_for_the_old_one(
    nats: Connection, messages: int
) -> None:
    """Its sequences mean other messages: the reader must find its place anew."""
    await publish(nats, EVENT, range(10))
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:
        await numbers_of(inbox, 10)
        await nats.js.delete_stream(EVENTS)
        await restore(nats.js)
        await publish(nats, EVENT, range(messages))

        async with asyncio.timeout(10):
            with pytest.raises(StreamChangedError):
                await inbox.take()

        assert inbox.state is State.FAILING


async def test_a_start_beyond_the_end_is_refused(nats: Connection) -> None:
    """Waiting there would be for ever: the reader must find its place anew."""
    async with PullInbox(nats, From(EVENTS, "test", 5)) as inbox:
        async with asyncio.timeout(10):
            with pytest.raises(StreamChangedError, match="ends at 0, before 5"):
                await inbox.take()


async def test_a_message_lost_on_the_way_is_fetched_again(nats: Connection) -> None:
    """A gap makes the reader go back to where it was."""
    await publish(nats, EVENT, range(5))
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:
        assert await numbers_of(inbox, 5) == list(range(5))
        inbox._delivered -= 1  # as if the server had sent one that never came

        await publish(nats, EVENT, range(5, 10))

        assert await numbers_of(inbox, 5) == list(range(5, 10))


async def test_a_lost_last_message_shows_in_the_heartbeat(nats: Connection) -> None:
    """Nothing follows that would show the gap: the server's heartbeat does."""
    await publish(nats, EVENT, range(5))
    async with PullInbox(nats, From(EVENTS, "test")) as inbox:
        await numbers_of(inbox, 5)
        inbox._delivered -= 1
        inbox._next -= 1

        async with asyncio.timeout(10):
            (message,) = await inbox.take()
            assert int(message.data) == 4


async def test_forgotten_pull_requests_are_noticed(
    nats: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence where heartbeats were due: the consumer is there, but owes nothing; ask again."""
    monkeypatch.setattr(inbox_module, "HEARTBEAT", 0.2)
    async with PullInbox(nats, CLAIMS) as inbox:
        await until(lambda: inbox.state is State.RUNNING)
        assert inbox._subscription
        await nats._send_unsubscribe(inbox._subscription._id)  # the server drops our requests

        await publish(nats, COMMAND, range(3))

        assert await numbers_of(inbox, 3, ack=True) == [0, 1, 2]


@pytest.mark.fault(14)
async def test_a_connection_that_hangs_is_noticed_and_replaced(
    nats_server: NatsServer, nats: Connection
) -> None:
    """A proxy swallows everything: within 30 seconds it shows, and all comes another way."""
    proxy = _Proxy(nats_server.url)
    await proxy.start()
    through = await connect(proxy.url, "through the proxy")
    async with PullInbox(through, From(EVENTS, "test")) as inbox:
        await publish(nats, EVENT, range(3))
        assert await numbers_of(inbox, 3) == [0, 1, 2]

        proxy.swallow()
        await publish(nats, EVENT, range(3, 6))
        async with asyncio.timeout(30):
            assert await numbers_of(inbox, 3) == [3, 4, 5]

    await through.close()
    await proxy.stop()


class _Proxy:
    """Passes bytes on to a server; connections that it was told to swallow pass nothing more."""

    def __init__(self, url: str) -> None:
        self._upstream = int(url.rpartition(":")[2])
        self._port = free_port()
        self._open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = f"nats://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    def swallow(self) -> None:
        self._open.clear()
        self._open = asyncio.Event()  # the next connections are well
        self._open.set()

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        for source, target in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._pass(source, target, self._open))
            self._tasks.add(task)

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, gate: asyncio.Event
    ) -> None:
        try:
            while data := await source.read(65536):
                await gate.wait()
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()


async def test_a_client_closed_for_good_ends_the_reading(nats: Connection) -> None:
    """Nothing will ever come: the reader is told instead of waiting."""
    async with PullInbox(nats, CLAIMS) as inbox:
        await until(lambda: inbox.state is State.RUNNING)
        taking = asyncio.create_task(inbox.take())
        await asyncio.sleep(0)

        await nats.close()

        async with asyncio.timeout(30):
            with pytest.raises(ConnectionClosedError):
                await taking


@pytest.mark.fault(13)
async def test_nats_away_for_a_while_needs_no_restart(
    nats_server: NatsServer, nats: Connection
) -> None:
    """While it is away that shows; when it is back all goes on."""
    async with PullInbox(nats, CLAIMS) as inbox:
        await until(lambda: inbox.state is State.RUNNING)
        await nats_server.stop()
        await until(lambda: inbox.state is State.FAILING)
        await asyncio.sleep(2)

        await nats_server.start()
        await publish(nats, COMMAND, range(3))

        assert await numbers_of(inbox, 3, ack=True) == [0, 1, 2]
        assert inbox.state is State.RUNNING
