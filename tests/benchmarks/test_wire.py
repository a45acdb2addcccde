"""The load generator's own way to NATS, on a real server."""

import asyncio
from collections.abc import AsyncGenerator

import pytest_asyncio

from benchmarks.wire import frame, wired
from services.cloudevent import CONTENT_TYPE
from services.connection import Connection, connected


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection of the usual kind to the test's server."""
    async with connected(nats_url, "test", 10.0) as opened:
        yield opened


async def test_frames_are_messages(nats_url: str, nats: Connection) -> None:
    """With subject, reply, header and body."""
    subscription = await nats.subscribe("a.>")  # pyright: ignore[reportUnknownMemberType]
    await nats.flush()

    async with wired(nats_url, lambda _subject, _body: None) as wire:
        wire.write([frame("a.b", b"one"), frame("a.c", b"two", "r")])
        messages = [await subscription.next_msg(timeout=60) for _ in range(2)]

    assert [(each.subject, each.data, each.reply) for each in messages] == [
        ("a.b", b"one", ""),
        ("a.c", b"two", "r"),
    ]
    assert messages[0].headers == {"Content-Type": CONTENT_TYPE}


async def test_messages_come_whole(nats_url: str, nats: Connection) -> None:
    """With and without headers, also those that don't fit into one read."""
    big = b"\r\n".join([b"x" * 1000] * 500)
    came: list[tuple[bytes, bytes]] = []
    done = asyncio.Event()

    def on_message(subject: bytes, body: bytes) -> None:
        came.append((subject, body))
        if len(came) == 3:
            done.set()

    async with asyncio.timeout(10), wired(nats_url, on_message) as wire:
        await wire.listen("a.*")
        await nats.publish("a.b", big)
        await nats.publish("a.c", big, headers={"one": "two"})
        await nats.publish("a.d", b"")
        await nats.flush()
        await done.wait()

    assert came == [(b"a.b", big), (b"a.c", big), (b"a.d", b"")]


async def test_a_lost_server_is_noticed(nats_url: str) -> None:
    """Whoever waits learns of it."""
    async with asyncio.timeout(10), wired(nats_url, lambda _subject, _body: None) as wire:
        wire.write([b"NONSENSE\r\n"])
        await asyncio.wait([wire.failed])

    assert wire.failed.exception() is not None
