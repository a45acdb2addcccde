"""NATS as cheap as it gets: a load generator that shares the system's cores must not be felt.

Messages are made before the clock starts and written as they are; of what comes back only the
subject is told apart from the body. For one server on loopback, without login.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from services.cloudevent import CONTENT_TYPE

_LINE = b"\r\n"
_CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'
_HEADERS = f"NATS/1.0\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n".encode()

OnMessage = Callable[[bytes, bytes], None]
"""Takes a message's subject, and its body behind its headers if it has some."""


class WireError(Exception):
    """The server says that something is wrong, or has gone."""


def frame(subject: str, body: bytes, reply: str = "") -> bytes:
    """A message to publish, as it goes over the wire."""
    head = f"HPUB {subject} {reply} {len(_HEADERS)} {len(_HEADERS) + len(body)}\r\n"
    return head.encode() + _HEADERS + body + _LINE


class Wire(asyncio.Protocol):
    """A connection to nats-server. `on_read` is called after all messages of one read."""

    def __init__(self, on_message: OnMessage, on_read: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_read = on_read
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self.failed: asyncio.Future[None] = loop.create_future()
        """Never has a result: raises WireError once the connection can't be used any more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and introduce ourselves."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport
            transport.write(_CONNECT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._fail(f"the connection is lost: {exc}")

    async def listen(self, subject: str) -> None:
        """Subscribe; the server knows of it when this returns."""
        self.write([f"SUB {subject} 1\r\nPING\r\n".encode()])
        await self._answered

    def write(self, frames: Iterable[bytes]) -> None:
        """Send these frames at one stroke."""
        if self._transport is None:
            raise WireError("not connected")
        self._transport.write(b"".join(frames))

    def close(self) -> None:
        """End the connection."""
        self.failed.cancel()
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take every whole message out of what has come so far."""
        data = self._rest + data
        at = 0
        while (end := data.find(_LINE, at)) >= 0:
            verb, *words = data[at:end].split(b" ")
            at, begin = end + 2, at
            if verb in {b"MSG", b"HMSG"}:
                size = int(words[-1])
                if len(data) < at + size + 2:
                    at = begin
                    break
                headers = int(words[-2]) if verb == b"HMSG" else 0
                self._on_message(words[0], data[at + headers : at + size])
                at += size + 2
            elif verb == b"PING":
                self.write([b"PONG\r\n"])
            elif verb == b"PONG" and not self._answered.done():
                self._answered.set_result(None)
            elif verb == b"-ERR":
                self._fail(b" ".join(words).decode(errors="replace"))
        self._rest = data[at:]
        self._on_read()

    def _fail(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_exception(WireError(why))


@asynccontextmanager
async def wired(
    nats_url: str, on_message: OnMessage, on_read: Callable[[], None] = lambda: None
) -> AsyncGenerator[Wire]:
    """A connection for the length of a block."""
    where = urlsplit(nats_url)
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: Wire(on_message, on_read), where.hostname or "", where.port or 0
    )
    try:
        yield wire
    finally:
        wire.close()
