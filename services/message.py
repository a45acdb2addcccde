"""A message of a JetStream stream, as it was delivered, and the answers to it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from nats.aio.msg import Msg

ACK_PREFIX = "$JS.ACK."
"""How the reply subject of every message of a stream begins."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT = 9
"""Words of a reply subject without domain and account; with them two more stand in front."""


class Channel(Protocol):
    """The way back to the server for the answers to some messages."""

    async def answer(self, reply: str, body: bytes) -> None:
        """Send it, unless the server may mean another message by `reply` now."""
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

    def __init__(self, channel: Channel, message: Msg) -> None:
        reply = message.reply
        words = reply.split(".")
        first = 2 if len(words) == _SHORT else 4
        self._channel = channel
        self._reply = reply
        self.subject = message.subject
        """As sent; bytes that are not UTF-8 are surrogate escapes."""
        self.data = message.data
        self.headers = message.headers
        self.stream = words[first]
        self.deliveries = int(words[first + 2])
        """How often it was delivered, this time included."""
        self.stream_sequence = int(words[first + 3])
        self.consumer_sequence = int(words[first + 4])
        self.arrived_at = _EPOCH + timedelta(microseconds=int(words[first + 5]) // 1000)
        """When the stream took it in (UTC, to the microsecond)."""

    @property
    def content_type(self) -> str | None:
        """The header that says what the message is; None without one."""
        headers = {name.lower(): value for name, value in (self.headers or {}).items()}
        return headers.get("content-type")

    async def ack(self) -> None:
        """It is done: not delivered again.

        Like every answer it is sent without waiting for the server, and left out when the server
        may mean another message by it: then this one comes again. Raises `nats.errors.Error` when
        the client can't send.
        """
        await self._channel.answer(self._reply, b"+ACK")

    async def nak(self, delay: float = 0.0) -> None:
        """Deliver it again, `delay` seconds from now."""
        body = b'-NAK {"delay":%d}' % int(delay * 1e9) if delay > 0 else b"-NAK"
        await self._channel.answer(self._reply, body)

    async def term(self) -> None:
        """Never deliver it again: it was given up."""
        await self._channel.answer(self._reply, b"+TERM")

    async def in_progress(self) -> None:
        """It is being worked on: the server's time for an answer starts anew."""
        await self._channel.answer(self._reply, b"+WPI")
