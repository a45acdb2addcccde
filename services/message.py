"""A message of a JetStream stream, as it was delivered, and the answers to it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

ACK_PREFIX = b"$JS.ACK."
"""How the reply subject of every message of a stream begins."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT = 9
"""Words of a reply subject without domain and account; with them two more stand in front."""


class Channel(Protocol):
    """The way back to the server for the answers to some messages."""

    def frame(self, reply: str, body: bytes) -> bytes:
        """An answer as it goes over the wire; nothing where `reply` may mean another message."""
        ...

    async def send(self, frame: bytes) -> None:
        """Send it."""
        ...


class Message:
    """A message of a stream."""

    __slots__ = (
        "_channel",
        "_reply",
        "arrived_at",
        "consumer_sequence",
        "data",
        "deliveries",
        "headers",
        "stream",
        "stream_sequence",
        "subject",
    )

    def __init__(
        self, channel: Channel, subject: bytes, reply: bytes, headers: bytes, data: bytes
    ) -> None:
        self._channel = channel
        self._reply = reply.decode()
        words = self._reply.split(".")
        first = 2 if len(words) == _SHORT else 4
        self.subject = subject.decode(errors="surrogateescape")
        """As sent; bytes that are not UTF-8 are surrogate escapes."""
        self.data = data
        self.headers = headers
        """As they came over the wire; nothing without."""
        self.stream = words[first]
        self.deliveries = int(words[first + 2])
        """How often it was delivered, this time included."""
        self.stream_sequence = int(words[first + 3])
        self.consumer_sequence = int(words[first + 4])
        self.arrived_at = _EPOCH + timedelta(microseconds=int(words[first + 5]) // 1000)
        """When the stream took it in (UTC, to the microsecond)."""

    @property
    def incarnation(self) -> object:
        """The same for messages of one incarnation of a consumer, and for no others."""
        return self._channel

    @property
    def size(self) -> int:
        """Bytes of headers and data."""
        return len(self.headers) + len(self.data)

    @property
    def content_type(self) -> str | None:
        """The header that says what the message is; None without one."""
        headers = {name.lower(): value for name, value in parsed(self.headers).items()}
        return headers.get("content-type")

    def ack_frame(self) -> bytes:
        """The answer that `ack` sends, as it goes over the wire."""
        return self._channel.frame(self._reply, b"+ACK")

    async def ack(self) -> None:
        """It is done: not delivered again.

        Like every answer it is sent without waiting for the server, and left out when the server
        may mean another message by it: then this one comes again. Raises `nats.errors.Error` when
        the client can't send.
        """
        await self._answer(b"+ACK")

    async def nak(self, delay: float = 0.0) -> None:
        """Deliver it again, `delay` seconds from now."""
        await self._answer(b'-NAK {"delay":%d}' % int(delay * 1e9) if delay > 0 else b"-NAK")

    async def term(self) -> None:
        """Never deliver it again: it was given up."""
        await self._answer(b"+TERM")

    async def in_progress(self) -> None:
        """It is being worked on: the server's time for an answer starts anew."""
        await self._answer(b"+WPI")

    async def _answer(self, body: bytes) -> None:
        await self._channel.send(self._channel.frame(self._reply, body))


def parsed(headers: bytes) -> dict[str, str]:
    """Headers by name, from what goes over the wire."""
    lines = headers.decode(errors="replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
