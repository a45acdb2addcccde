"""The connection to NATS: found, lost, found again, refused, on a real nats-server."""

import asyncio
import os
import signal
import sysconfig
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.errors import (
    BadSubjectError,
    ConnectionClosedError,
    FlushTimeoutError,
    MaxPayloadError,
    OutboundBufferLimitError,
)
from structlog.testing import capture_logs

from services.connection import (
    Connection,
    UnreachableError,
    connect,
    connected,
    header_block,
)
from services.embedded.nats import NatsServer
from tests.free_port import free_port


@asynccontextmanager
async def locked_server(folder: Path) -> AsyncGenerator[int]:
    """A nats-server that wants a login; its port."""
    port = free_port()
    config = folder / "nats.conf"
    login = "authorization { user: cpor, password: right }"
    config.write_text(f"host: 127.0.0.1\nport: {port}\n{login}\n")
    binary = Path(sysconfig.get_path("scripts")) / "nats-server"
    server = await asyncio.create_subprocess_exec(
        str(binary), "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    yield port
    server.kill()
    await server.wait()


async def test_without_a_server_patience_ends_in_one_sentence() -> None:
    """Whoever can't wait for ever is told that nobody answers."""
    with pytest.raises(UnreachableError, match=r"^NATS doesn't answer: .*[^\n]$"):
        await connect(f"nats://127.0.0.1:{free_port()}", "test", patience=0.5)


async def test_a_refused_login_is_told_at_once(tmp_path: Path) -> None:
    """Trying again would not help; the sentence holds no password."""
    async with locked_server(tmp_path) as port:
        async with connected(f"nats://cpor:right@127.0.0.1:{port}", "test") as connection:
            assert connection.is_connected
        with pytest.raises(UnreachableError, match="refuses the login") as refused:
            await connect(f"nats://cpor:wr0ng@127.0.0.1:{port}", "test")

    assert "wr0ng" not in str(refused.value)


@pytest.mark.fault(13)
async def test_a_lost_connection_is_found_again_and_told_in_a_line_each(
    nats_server: NatsServer,
) -> None:
    """However often it was tried meanwhile, the log has a line for each change."""
    changes: list[bool] = []
    with capture_logs() as logs:
        async with connected(nats_server.url, "test") as connection:
            lost = asyncio.Event()
            connection.listeners.add(lost.set)
            connection.listeners.add(lambda: changes.append(connection.is_connected))
            await nats_server.stop()
            await lost.wait()
            assert not connection.up.is_set()
            await asyncio.sleep(1.5)

            await nats_server.start()
            await connection.until_up()

            assert connection.generation == 1
            await connection.flush()
            assert changes == [False, True]

    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
        "nats_error",
        "nats_connection_lost",
    ]
    assert [entry["event"] for entry in logs].count("nats_connected") == 2


async def test_nobody_waits_for_a_connection_that_is_closed_for_good(nats_url: str) -> None:
    """`until_up` ends, and says why."""
    connection = await connect(nats_url, "test")
    await connection.close()

    assert connection.closed.is_set()
    with pytest.raises(ConnectionClosedError):
        await connection.until_up()


async def test_framed_messages_go_out_in_one_go_and_in_order(nats_url: str) -> None:
    """With headers and without, as nats-py itself reads them."""
    headers = header_block({"Content-Type": "text/plain", "a": "b"})
    async with connected(nats_url, "test") as connection:
        subscription = await connection.subscribe("some.*")  # pyright: ignore[reportUnknownMemberType]
        await connection.send(
            [
                connection.frame("some.one", b"\r\n1", headers),
                connection.frame("some.two", b""),
                connection.frame("some.three", b"3"),
            ]
        )
        came = [await subscription.next_msg() for _ in range(3)]

    assert [(message.subject, message.data) for message in came] == [
        ("some.one", b"\r\n1"),
        ("some.two", b""),
        ("some.three", b"3"),
    ]
    assert came[0].headers == {"Content-Type": "text/plain", "a": "b"}
    assert came[1].headers is None


async def test_what_would_be_read_as_something_else_is_not_framed(nats_url: str) -> None:
    """No subject lets a second command in; nothing is sent that the server hangs up over."""
    async with connected(nats_url, "test") as connection:
        for subject in ("", "a b", "a\r\nPUB b 0\r\n", "a\tb", "\udcff"):
            with pytest.raises(BadSubjectError):
                connection.frame(subject, b"")
        with pytest.raises(MaxPayloadError):
            connection.frame("a", b"x" * (connection.max_payload - 10), header_block({"b": "c"}))


async def test_what_is_sent_while_the_connection_is_lost_waits(nats_server: NatsServer) -> None:
    """As much as the client may keep; a closed one takes nothing."""
    async with connected(nats_server.url, "test") as connection:
        subscription = await connection.subscribe("some")  # pyright: ignore[reportUnknownMemberType]
        lost = asyncio.Event()
        connection.listeners.add(lost.set)
        await nats_server.stop()
        await lost.wait()
        await connection.send([connection.frame("some", b"1")])
        with pytest.raises(OutboundBufferLimitError):
            await connection.send([connection.frame("some", b"x" * 1_000_000)] * 3)
        await nats_server.start()

        async with asyncio.timeout(10):
            assert (await subscription.next_msg(timeout=10)).data == b"1"
    with pytest.raises(ConnectionClosedError):
        await connection.send([b""])


@pytest.mark.fault(15)
async def test_a_flush_that_was_given_up_does_no_harm_when_its_answer_comes(
    nats_server: NatsServer,
) -> None:
    """The server stood still for a while: what it says then is read, and all that follows."""
    async with connected(nats_server.url, "test") as connection:
        subscription = await connection.subscribe("some")  # pyright: ignore[reportUnknownMemberType]
        os.kill(nats_server.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, nats_server.pid, os.WSTOPPED)  # noqa: ASYNC222 - it stops at once
        try:
            with pytest.raises(FlushTimeoutError):
                await connection.flush(timeout=1)
        finally:
            os.kill(nats_server.pid, signal.SIGCONT)

        await connection.publish("some", b"1")

        assert (await subscription.next_msg(timeout=5)).data == b"1"
        await connection.flush()
        assert connection.generation == 0


async def test_a_connection_waits_for_its_server(nats_server: NatsServer) -> None:
    """Without patience given it takes as long as it takes."""
    await nats_server.stop()
    connection = Connection()
    opening = asyncio.create_task(connection.open(nats_server.url, "test"))
    await asyncio.sleep(1)
    assert not opening.done()

    await nats_server.start()

    async with asyncio.timeout(10):
        await opening
    assert connection.is_connected
    await connection.close()
