"""`cpor tail`, as a user runs it and ends it."""

import asyncio
import json
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from services.connection import Connection, connected
from services.embedded.nats import NatsServer
from services.relay import LogEntry, publish_batch
from services.streams import EVENTS, prepare
from tests import cli
from tests.free_port import free_port

ONE = UUID("6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90")
OTHER = UUID("0d2b8f6a-3c1e-4b5d-9a7f-1e2d3c4b5a60")
STATE = json.dumps(
    {
        "schema_version": 1,
        "timestamp": "2031-03-05T10:12:01.5Z",
        "cause": {"actor": {"role": "reviewer", "id": "deniz"}, "command_id": "c-1"},
        "text": "ok",
    }
).encode()


def entry(position: int, claim_id: UUID, version: int) -> LogEntry:
    """A comment in the store's log."""
    return LogEntry(position, claim_id, version, "claim.commented", STATE)


async def published(nats: Connection, *entries: LogEntry) -> None:
    """The entries at the end of the event stream."""
    last = (await nats.js.stream_info(EVENTS)).state.last_seq
    await publish_batch(nats, entries, last, atomic=True)


@asynccontextmanager
async def tailing(url: str, *arguments: str) -> AsyncGenerator[Process]:
    """`cpor tail`, told to end with Ctrl-C; it must do so quietly and with success."""
    process = await cli.start({"CPOR_NATS_URL": url}, "tail", *arguments)
    yield process
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")


async def line(process: Process) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip()


@pytest.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to a server with cpor's streams and three events at positions 2, 5 and 9."""
    await prepare(nats_url)
    async with connected(nats_url, "test") as connection:
        await published(connection, entry(2, ONE, 1), entry(5, OTHER, 1), entry(9, ONE, 2))
        yield connection


@pytest.mark.usefixtures("nats")
async def test_it_begins_at_a_position(nats_url: str) -> None:
    """Positions have gaps: the first event at or after the one asked for comes first."""
    async with tailing(nats_url, "--from", "3", "--utc") as tail:
        words = (await line(tail)).split()
        assert " ".join(words) == (
            f"2031-03-05 10:12:01 UTC 5 {OTHER} v1 commented deniz (reviewer)"
        )
        assert str(ONE) in await line(tail)


async def test_it_shows_what_happens_from_now_on(nats: Connection, nats_url: str) -> None:
    """Without a position nothing of the past is shown."""
    async with tailing(nats_url) as tail:
        await consumed(nats)
        await published(nats, entry(10, OTHER, 2))
        assert f"10  {OTHER}  v2" in await line(tail)


async def test_it_follows_one_claim(nats: Connection, nats_url: str) -> None:
    """Other claims' events are left out, before and after now."""
    async with tailing(nats_url, "--from", "0", "--claim", str(ONE)) as tail:
        assert f"2  {ONE}  v1" in await line(tail)
        assert f"9  {ONE}  v2" in await line(tail)
        await published(nats, entry(11, OTHER, 2), entry(12, ONE, 3))
        assert f"12  {ONE}  v3" in await line(tail)


@pytest.mark.usefixtures("nats")
async def test_json_lines_are_the_events_themselves(nats_url: str) -> None:
    """For programs: the CloudEvent as it stands in the stream."""
    async with tailing(nats_url, "--from", "9", "--json") as tail:
        event = json.loads(await line(tail))

    assert event["id"] == f"{ONE}-2"
    assert event["type"] == "cpor.event.commented"
    assert event["data"] == {"text": "ok"}


@pytest.mark.parametrize("nats_server", ["always"], indirect=True)
async def test_it_outlives_a_restart_of_the_server(
    nats: Connection, nats_server: NatsServer
) -> None:
    """It goes on where it was, showing nothing twice."""
    process = await cli.start({"CPOR_NATS_URL": nats_server.url}, "tail", "--from", "9")
    assert f"9  {ONE}  v2" in await line(process)
    await nats_server.stop()
    await nats_server.start()
    await nats.until_up()
    await published(nats, entry(10, OTHER, 2))

    assert f"10  {OTHER}  v2" in await line(process)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert "nats_connection_lost" in err.decode()


async def test_a_server_without_streams_is_one_sentence(nats_url: str) -> None:
    """Exit code 3."""
    ended = await cli.run({"CPOR_NATS_URL": nats_url}, "tail")

    assert ended == (3, "", "This NATS server has no event stream: is it cpor's?\n")


async def test_no_server_is_one_sentence() -> None:
    """Exit code 3."""
    ended = await cli.run({"CPOR_NATS_PORT": str(free_port())}, "tail")

    assert (ended.code, ended.out) == (3, "")
    assert ended.err.count("\n") == 1
    assert "`make run` starts it" in ended.err


async def consumed(nats: Connection) -> None:
    """Wait until somebody has a consumer on the event stream."""
    async with asyncio.timeout(20):
        while not (await nats.js.stream_info(EVENTS)).state.consumer_count:  # noqa: ASYNC110 - the server knows
            await asyncio.sleep(0.02)
