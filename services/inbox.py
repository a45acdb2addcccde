"""The pull loop on JetStream, written once: the messages of one consumer, as they arrive.

A private subscription collects what arrives; pull requests are sent ahead, so that the next
messages are on their way while the last are worked on; a supervisor binds again whenever the
connection, the consumer or the stream was lost, with growing pauses, and says so.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from types import TracebackType
from typing import Self

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, Error
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from services.backoff import Backoff
from services.connection import Connection
from services.health import Report, State
from services.message import Message
from services.streams import StreamsDiffer

BATCH = 500
"""Messages that one pull request asks for."""
CAPACITY = 3 * BATCH
"""Messages that wait here or were asked for, at most."""
BATCH_BYTES = 4 * 1024 * 1024
"""Bytes that one pull request may bring; no message is nearly as large."""
CAPACITY_BYTES = 2 * BATCH_BYTES
"""Nothing more is asked for while more bytes than this wait here."""
EXPIRES = 30.0
"""Seconds after which the server forgets a pull request."""
HEARTBEAT = 2.5
"""Seconds of silence after which the server shows that it still knows a pull request."""
INACTIVE = 60.0
"""Seconds after which the server removes a consumer of our own that nobody pulls from."""
SETTLED = 10.0
"""Seconds that a binding holds before the pauses between tries start from the shortest again."""
CLEAN_UP = 2.0
"""Seconds for taking leave of the server."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_FRUITLESS = 10
"""Pull requests in a row that the server may end for size without having sent a message."""
_FULL, _COMPLETE = "Message Size Exceeds MaxBytes", "Batch Completed"
_PULL = json.dumps(
    {
        "batch": BATCH,
        "max_bytes": BATCH_BYTES,
        "expires": int(EXPIRES * 1e9),
        "idle_heartbeat": int(HEARTBEAT * 1e9),
    }
).encode()

_log = structlog.get_logger(__name__)


class StreamChangedError(Exception):
    """The stream was made anew or cut short: where to go on must be found out again."""


@dataclass(frozen=True, slots=True)
class Durable:
    """The consumer that the admin step made: with acks; what isn't acknowledged comes again."""

    stream: str
    consumer: str
    restore: Callable[[], Awaitable[object]] | None = None
    """Makes what is missing again: called on every new connection, as a server that was started
    again has lost what it kept in memory, and when the consumer or its stream is missing."""


@dataclass(frozen=True, slots=True)
class From:
    """A consumer of our own, without acks, from the stream sequence `start` on.

    It brings every message once and in order: where one was lost on the way, it goes back.
    """

    stream: str
    name: str
    """Shows in monitoring."""
    start: int = 1


class PullInbox:
    """The messages of one consumer, as they arrive. Use it as a context manager.

    Faults are waited out and told to `report` as they come and go, but two: `take` raises
    StreamChangedError when the stream isn't the one that `From` was to go on in, and
    ConnectionClosedError when the client closed for good.
    """

    def __init__(
        self,
        connection: Connection,
        binding: Durable | From,
        *,
        stopping: asyncio.Event | None = None,
        report: Report | None = None,
    ) -> None:
        self.binding = binding
        self.state = State.STARTING
        self.detail = ""
        self._connection = connection
        self._stopping = stopping or asyncio.Event()
        self._report = report
        self._buffer: list[Message] = []
        self._buffered_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._broken = asyncio.Event()
        self._reason = ""
        self._subscription: Subscription | None = None
        self._channel = _Channel(connection)
        self._consumer = binding.consumer if isinstance(binding, Durable) else ""
        self._reply_to = ""
        self._asked = 0
        self._fruitless = 0
        self._silent = True
        self._next = binding.start if isinstance(binding, From) else 0
        self._delivered = 0
        self._created: datetime | None = None
        self._restored_on = -1

    async def __aenter__(self) -> Self:
        self._connection.listeners.add(self._on_connection)
        self._tasks = [
            asyncio.create_task(self._supervise(), name=f"inbox of {self.binding.stream}"),
            asyncio.create_task(self._wake_to_stop(), name="end of the inbox"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back what was not taken, so that the next instance need not wait for it."""
        self._connection.listeners.discard(self._on_connection)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection.is_closed:
            return
        if not self._connection.is_connected:
            if self._subscription:
                await self._connection.untap(self._subscription)  # there is nobody to tell
            return
        try:
            async with asyncio.timeout(CLEAN_UP):
                await self._unbind()
                for message in self._buffer:
                    await message.nak()
        except (Error, TimeoutError) as fault:  # the server finds out by itself, only later
            _log.info("inbox_left_untidy", stream=self.binding.stream, error=str(fault))

    @property
    def waiting(self) -> Sequence[Message]:
        """What has arrived and was not taken yet."""
        return tuple(self._buffer)

    async def take(self, limit: int = BATCH) -> list[Message]:
        """What has arrived, at most `limit` messages, in order; waits only when there is nothing.

        Nothing is returned only when `stopping` is set. It may be cancelled, but not abandoned
        once it has returned: the messages of a consumer without acks don't come again.
        """
        while not self._stopping.is_set():
            if self._failure:
                raise self._failure
            if self._buffer:
                return await self._take(limit)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return []

    async def _take(self, limit: int) -> list[Message]:
        taken = self._buffer[:limit]
        del self._buffer[:limit]
        self._buffered_bytes -= sum(message.size for message in taken)
        await self._pull()
        return taken

    def _on_message(self, subject: bytes, reply: bytes, headers: bytes, data: bytes) -> None:
        try:
            self._keep(Message(self._channel, subject, reply, headers, data))
        except Exception as error:  # noqa: BLE001 - `take` raises it; the client would end with it
            self._fail(error)

    def _keep(self, message: Message) -> None:
        self._silent = False
        self._asked -= 1
        self._fruitless = 0
        if isinstance(self.binding, From):
            if message.consumer_sequence != self._delivered + 1:
                self._break("a message was lost on the way")
                return
            self._delivered += 1
            self._next = message.stream_sequence + 1
        self._buffer.append(message)
        self._buffered_bytes += message.size
        self._wake()

    async def _on_other(self, message: Msg) -> None:
        try:
            self._silent = False
            await self._on_status(message.headers or {})
        except Exception as error:  # noqa: BLE001 - `take` raises it; the client would swallow it
            self._fail(error)

    async def _on_status(self, headers: dict[str, str]) -> None:
        """What the server says about a pull request other than by a message."""
        status, words = headers.get("Status", ""), headers.get("Description", "").strip()
        if status == "100":  # a heartbeat
            last = int(headers.get("Nats-Last-Consumer", "0"))
            if isinstance(self.binding, From) and last > self._delivered:
                self._break("a message was lost on the way")
            return
        self._fruitless += words == _FULL
        expected = status in {"404", "408"} or words in {_FULL, _COMPLETE}
        if not expected or self._fruitless > _FRUITLESS:
            self._break(f"the server ended a pull request: {words or status}")
            return
        self._asked -= int(headers.get("Nats-Pending-Messages", "0"))
        await self._pull()

    async def _pull(self) -> None:
        """Ask for as much as there is room for, unless there is nobody to ask."""
        while (
            self._channel.open
            and self._buffered_bytes <= CAPACITY_BYTES
            and CAPACITY - len(self._buffer) - self._asked >= BATCH
        ):
            self._asked += BATCH
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.binding.stream}.{self._consumer}"
            try:
                await self._connection.publish(subject, _PULL, reply=self._reply_to)
            except Error as error:
                self._break(f"the client can't send: {error}")

    async def _supervise(self) -> None:
        try:
            await self._keep_bound()
        except Exception as error:  # noqa: BLE001 - `take` raises it
            self._fail(error)

    async def _keep_bound(self) -> None:
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        clock = asyncio.get_running_loop().time
        while True:
            try:
                await self._connection.until_up()
                self._broken.clear()
                await self._bind()
                bound_at = clock()
                self._tell(State.RUNNING, "")
                await self._until_broken()
                if clock() - bound_at >= SETTLED:
                    pauses.reset()
            except ConnectionClosedError:
                raise
            except NotFoundError as error:
                self._break(f"is missing ({error.description})")
                await self._restore()
            except (Error, OSError) as error:  # a TimeoutError is an OSError
                self._break(str(error) or type(error).__name__)
            self._tell(State.FAILING, self._reason)
            await asyncio.sleep(pauses.next())

    async def _bind(self) -> None:
        await self._unbind()
        generation = self._connection.generation
        if isinstance(self.binding, Durable):
            if generation != self._restored_on:
                await self._restore_others()
                self._restored_on = generation
            info = await self._connection.js.consumer_info(self.binding.stream, self._consumer)
            if info.created != self._created:
                self._forget()
                self._created = info.created
        else:
            await self._make_consumer(self.binding)
        self._asked = self._fruitless = self._delivered = 0
        self._reply_to = self._connection.new_inbox()
        self._subscription = await self._connection.tap(
            self._reply_to, self._on_message, self._on_other
        )
        self._channel.open_on(generation)
        await self._pull()

    async def _make_consumer(self, binding: From) -> None:
        stream = await self._connection.js.stream_info(binding.stream)
        if self._created not in {None, stream.created}:
            self._forget()
            raise StreamChangedError(f"stream {binding.stream} was made anew")
        if self._next > stream.state.last_seq + 1:
            self._forget()
            raise StreamChangedError(
                f"stream {binding.stream} ends at {stream.state.last_seq}, before {self._next}"
            )
        self._created = stream.created
        consumer = f"{binding.name}-{token_hex(6)}"
        config = ConsumerConfig(
            name=consumer,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=max(self._next, 1),
            ack_policy=AckPolicy.NONE,
            inactive_threshold=INACTIVE,
            mem_storage=True,
            num_replicas=1,
        )
        js = self._connection.js
        await js.add_consumer(binding.stream, config)  # pyright: ignore[reportUnknownMemberType]
        self._consumer = consumer

    async def _unbind(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription:
            await self._connection.untap(subscription)
        if isinstance(self.binding, From) and self._consumer:
            consumer, self._consumer = self._consumer, ""
            with suppress(NotFoundError):  # gone, as it shall be
                await self._connection.js.delete_consumer(self.binding.stream, consumer)

    async def _until_broken(self) -> None:
        """Until the binding doesn't hold any more: something says so, or nothing is heard."""
        while not self._broken.is_set():
            self._silent = True
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * HEARTBEAT):
                    await self._broken.wait()
            if self._silent and self._asked > 0 and not self._broken.is_set():
                # Ask: the answer comes after all that was on its way while this process was busy.
                await self._connection.js.consumer_info(self.binding.stream, self._consumer)
                if self._silent:
                    self._break("the server has forgotten the pull requests")

    async def _restore(self) -> None:
        if isinstance(self.binding, Durable) and self.binding.restore:
            await self.binding.restore()

    async def _restore_others(self) -> None:
        """Let what can't be made again, or may not be by us, stop nobody who can do without."""
        try:
            await self._restore()
        except (Error, StreamsDiffer) as error:
            if not self._connection.is_connected:
                raise
            _log.warning("not_restored", stream=self.binding.stream, error=str(error))

    @property
    def _place(self) -> str:
        stream = f"stream {self.binding.stream}"
        return f"consumer {self._consumer} of {stream}" if self._consumer else stream

    def _on_connection(self) -> None:
        self._break("the connection to NATS was lost")

    def _break(self, reason: str) -> None:
        self._reason = f"{self._place}: {reason}"
        self._channel.shut()
        self._broken.set()

    def _forget(self) -> None:
        """Drop what came of a consumer or stream that is no more, and never answer it."""
        self._channel.shut()
        self._channel = _Channel(self._connection)
        self._buffer.clear()
        self._buffered_bytes = 0

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._tell(State.FAILING, str(error) or type(error).__name__)
        self._wake()

    def _tell(self, state: State, detail: str) -> None:
        if (state, detail) == (self.state, self.detail):
            return
        self.state, self.detail = state, detail
        log = _log.warning if state is State.FAILING else _log.info
        log("inbox", stream=self.binding.stream, state=state.value, detail=detail)
        if self._report:
            self._report(state, detail)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wake_to_stop(self) -> None:
        await self._stopping.wait()
        self._wake()


class _Channel:
    """The way back for the answers to one incarnation of a consumer.

    It is shut whenever the binding breaks, until the consumer is seen to be the same: a stream
    that was made anew meanwhile numbers its messages alike, and would take an answer to an old
    message for one to a new.
    """

    __slots__ = ("_connection", "_generation")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._generation = -1

    @property
    def open(self) -> bool:
        return self._connection.is_connected and self._generation == self._connection.generation

    def open_on(self, generation: int) -> None:
        self._generation = generation

    def shut(self) -> None:
        self._generation = -1

    def frame(self, reply: str, body: bytes) -> bytes:
        return self._connection.frame(reply, body) if self.open else b""

    async def send(self, frame: bytes) -> None:
        if frame:
            await self._connection.send([frame])
