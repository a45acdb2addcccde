"""How every service connects to NATS: it never gives up and notices a dead peer in 15 seconds."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import structlog
from nats.aio.client import Client, Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import (
    BadSubjectError,
    ConnectionClosedError,
    MaxPayloadError,
    OutboundBufferLimitError,
)
from nats.js import JetStreamContext

from services.backoff import jittered
from services.message import ACK_PREFIX

PING_INTERVAL = 5
"""Seconds between pings."""
PINGS_OUTSTANDING = 2
"""With one more unanswered the connection counts as dead."""
LONGEST_WAIT = 2.0
"""Seconds between two tries to connect again, at most."""
CONNECT_TIMEOUT = 10
"""Seconds; two round trips on the slowest network that is to work."""
FLUSH_TIMEOUT = 5.0

Sink = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes a message of a stream as it was read: subject, reply subject, headers and data.

It must not raise: nats-py would stop reading.
"""

_log = structlog.get_logger(__name__)


class UnreachableError(ConnectionError):
    """NATS doesn't answer, or doesn't let us in: the message is one sentence."""


class Connection(Client):
    """A nats-py client that connects again for ever and tells listeners when it is up or down.

    It reads two things more than nats-py does, which stops reading for ever at them: a message
    whose subject isn't UTF-8 (any publisher can store one in a stream), where such bytes arrive as
    surrogate escapes, and whoever reads the message decides; and the answer to a flush that was
    given up meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.up = asyncio.Event()
        """Set while connected, and once closed: nobody shall wait for what never comes."""
        self.closed = asyncio.Event()
        """Set for good by `close`, or by an error of the server after which nats-py closes."""
        self.listeners: set[Callable[[], None]] = set()
        """Called when the connection is lost, is back, or is closed for good."""
        self._complained = False
        self._sinks: dict[int, Sink] = {}

    async def open(self, url: str, name: str, patience: float | None = None) -> None:
        """Connect to `url` (one server or several, by commas); `name` shows in monitoring.

        Waits as long as it takes, or `patience` seconds. Raises UnreachableError when patience
        ends or the server refuses the login.
        """
        options: dict[str, Any] = {
            "servers": [server.strip() for server in url.split(",")],
            "name": name,
            "ping_interval": PING_INTERVAL,
            "max_outstanding_pings": PINGS_OUTSTANDING,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": jittered(1.0),
            "reconnect_to_server_handler": _next_server,
            "connect_timeout": CONNECT_TIMEOUT,
            "flush_timeout": FLUSH_TIMEOUT,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_connected,
            "closed_cb": self._on_closed,
        }
        try:
            async with asyncio.timeout(patience):
                await self.connect(**options)
        except UnreachableError:
            await self.close()
            raise
        except TimeoutError as error:
            reason = str(self.last_error or "") or "no server took the connection"
            await self.close()
            raise UnreachableError(f"NATS doesn't answer: {reason}") from error
        await self._on_connected()

    async def until_up(self) -> None:
        """Wait until connected. Raises ConnectionClosedError when the client closed for good."""
        await self.up.wait()
        if self.is_closed:
            raise ConnectionClosedError

    @property
    def js(self) -> JetStreamContext:
        """JetStream on this connection."""
        return self.jetstream()  # pyright: ignore[reportUnknownMemberType] - untyped options

    @property
    def generation(self) -> int:
        """How often the connection was lost and found again."""
        return self.stats["reconnects"]

    async def listen(
        self, subject: str, callback: Callable[[Msg], Coroutine[Any, Any, None]]
    ) -> Subscription:
        """Subscribe without nats-py's limits, beyond which it drops messages."""
        return await self.subscribe(  # pyright: ignore[reportUnknownMemberType] - untyped future
            subject, cb=callback, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def tap(
        self, subject: str, sink: Sink, callback: Callable[[Msg], Coroutine[Any, Any, None]]
    ) -> Subscription:
        """Subscribe, and let messages of streams go to `sink` at once, as soon as they are read.

        What else comes goes to `callback`. It spares a queue, a task and a parsing of headers for
        each message. Nothing may be on its way to the subject before this returns.
        """
        subscription = await self.listen(subject, callback)
        # By the id that messages carry on the wire: the library has no public name for it.
        self._sinks[subscription._id] = sink  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return subscription

    async def untap(self, subscription: Subscription) -> None:
        """End what `tap` began."""
        self._sinks.pop(subscription._id, None)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        await subscription.unsubscribe()

    def frame(self, subject: str, data: bytes, headers: bytes = b"") -> bytes:
        """A message as it goes over the wire, for `send`; `headers` come from `header_block`.

        Raises BadSubjectError or MaxPayloadError.
        """
        if not subject.isascii() or not subject.isprintable() or " " in subject or not subject:
            raise BadSubjectError
        size = len(headers) + len(data)
        if size > self.max_payload:
            raise MaxPayloadError
        if not headers:
            return b"PUB %b %d\r\n%b\r\n" % (subject.encode(), size, data)
        of_headers = len(headers)
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (subject.encode(), of_headers, size, headers, data)

    async def send(self, frames: Iterable[bytes]) -> None:
        """Publish messages that were framed, in one go: a quarter of the cost of `publish`.

        What is sent while the connection is lost waits until it is back. Raises
        OutboundBufferLimitError when too much waits, ConnectionClosedError.
        """
        data = b"".join(frames)
        if self.is_closed:
            raise ConnectionClosedError
        if not self.is_connected and self.pending_data_size + len(data) > self._max_pending_size:
            raise OutboundBufferLimitError
        await self._send_command(data)
        if self._flush_queue is None or self._flush_queue.empty():
            await self._flush_pending()

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    async def _on_connected(self) -> None:
        self._complained = False
        self.up.set()
        url = self.connected_url
        _log.info("nats_connected", server=f"{url.hostname}:{url.port}" if url else "")
        self._tell()

    async def _on_disconnected(self) -> None:
        self.up.clear()
        if not self.is_closed:
            _log.warning("nats_connection_lost")
        self._tell()

    async def _on_closed(self) -> None:
        self.closed.set()
        self.up.set()
        _log.info("nats_connection_closed", reason=str(self.last_error or ""))
        self._tell()

    async def _on_error(self, error: Exception) -> None:
        """One line for the first error since all was well: the tries that follow repeat it."""
        first_time = not self.generation and not self.up.is_set()
        if first_time and "authorization" in str(error).lower():
            raise UnreachableError(f"NATS refuses the login: {error}")
        if not self._complained:
            self._complained = True
            _log.warning("nats_error", error=str(error) or type(error).__name__)

    async def _process_pong(self) -> None:
        # For nats-py an answer that nobody waits for any more is an error that ends all reading.
        waiting = cast("list[asyncio.Future[bool]]", self._pongs)  # pyright: ignore[reportUnknownMemberType]
        if waiting and waiting[0].done():
            waiting[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        sink = self._sinks.get(sid)
        if sink is not None and reply.startswith(ACK_PREFIX):
            sink(subject, reply, headers or b"", data)
        else:
            await super()._process_msg(sid, subject, reply, data, headers)

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return self.msg_class(
            subject=subject.decode(errors="surrogateescape"),
            reply=reply.decode(errors="surrogateescape"),
            data=data,
            headers=headers,
            _client=self,
            _sid=sid,
        )


def header_block(headers: Mapping[str, str]) -> bytes:
    """Headers as they go over the wire before a message's data."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()


async def connect(url: str, name: str, patience: float | None = None) -> Connection:
    """An open connection; see `Connection.open`. Raises UnreachableError."""
    connection = Connection()
    await connection.open(url, name, patience)
    return connection


@asynccontextmanager
async def connected(
    url: str, name: str, patience: float | None = None
) -> AsyncGenerator[Connection]:
    """A connection for the length of a block. Raises UnreachableError."""
    connection = await connect(url, name, patience)
    try:
        yield connection
    finally:
        await connection.close()


def _next_server(servers: list[Server], _info: dict[str, Any]) -> tuple[Server | None, float]:
    """The server that failed least, and the wait before trying it: longer with every failure."""
    server = min(servers, key=lambda each: each.reconnects)
    return server, jittered(min(LONGEST_WAIT, 0.1 * 2.0 ** min(server.reconnects, 8)))
