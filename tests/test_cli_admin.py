"""`cpor admin` and `cpor health`: what containers run once, and again and again."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from services.connection import connected
from services.embedded.nats import NatsServer
from services.embedded.postgres import Postgres
from services.schema import revisions
from services.streams import verify
from tests.cli import run
from tests.free_port import free_port


@pytest.fixture
async def empty_database(postgres_server: Postgres) -> str:
    """A database in which nobody has made anything yet."""
    name = "of_the_admin"
    async with await psycopg.AsyncConnection.connect(
        postgres_server.url, autocommit=True
    ) as connection:
        drop = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
        await connection.execute(drop)
        await connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return postgres_server.url_for(name)


async def test_admin_makes_everything_once(empty_database: str, nats_url: str) -> None:
    """The first run makes tables and streams, the second finds nothing to do."""
    variables = {"CPOR_DATABASE_URL": empty_database, "CPOR_NATS_URL": nats_url}

    first = await run(variables, "admin")
    second = await run(variables, "admin", "--json")

    assert (first.code, first.err) == (0, "")
    assert f"The database is at revision {revisions()[-1]}." in first.out
    assert "stream CPOR_EVENTS created" in first.out
    assert json.loads(second.out) == {"revision": revisions()[-1], "changes": []}
    async with connected(nats_url, "test") as nats:
        assert await verify(nats.js) == []


async def test_admin_refuses_a_database_that_is_too_new(database_url: str, nats_url: str) -> None:
    """One sentence and exit code 1, and nothing is changed."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE cpor.alembic_version SET version_num = '9999'")

    ended = await run({"CPOR_DATABASE_URL": database_url, "CPOR_NATS_URL": nats_url}, "admin")

    assert ended.code == 1
    assert ended.err.startswith("The database is of revision 9999, which is newer")
    assert ended.err.count("\n") == 1
    async with connected(nats_url, "test") as nats:
        assert all(finding.problem == "is missing" for finding in await verify(nats.js))


async def test_admin_refuses_what_can_only_be_made_by_losing_something(
    database_url: str, nats_url: str
) -> None:
    """A stream of another kind under a name of ours stays as it is."""
    async with connected(nats_url, "test") as nats:
        await nats.js.add_stream(name="CPOR_EVENTS", subjects=["other"], storage="memory")  # pyright: ignore[reportUnknownMemberType]

    ended = await run({"CPOR_DATABASE_URL": database_url, "CPOR_NATS_URL": nats_url}, "admin")

    assert ended.code == 1
    assert "stream CPOR_EVENTS has storage memory, not file" in ended.err


async def test_admin_says_which_server_is_away(database_url: str) -> None:
    """A server that can't be reached is one sentence and exit code 3; no password is shown."""
    nowhere = free_port()
    postgres = f"postgresql://cpor:hidden@127.0.0.1:{nowhere}/cpor"
    nats = f"nats://cpor:hidden@127.0.0.1:{nowhere}"

    no_database = await run({"CPOR_DATABASE_URL": postgres, "CPOR_NATS_URL": nats}, "admin")
    no_nats = await run({"CPOR_DATABASE_URL": database_url, "CPOR_NATS_URL": nats}, "admin")

    assert (no_database.code, no_nats.code) == (3, 3)
    assert no_database.err.startswith("The database can't be reached: ")
    assert no_nats.err.startswith("NATS doesn't answer: ")
    assert "hidden" not in no_database.err + no_nats.err


async def test_health_of_a_service_that_nobody_runs(nats_url: str) -> None:
    """Exit code 1, and a word why."""
    ended = await run({"CPOR_NATS_URL": nats_url}, "health", "relay")

    assert (ended.code, ended.out) == (1, "relay: absent – does not answer\n")


@pytest.mark.parametrize(
    ("state", "code"), [("running", 0), ("standby", 0), ("starting", 1), ("failing", 1)]
)
async def test_health_is_what_the_service_says(
    nats_server: NatsServer, state: str, code: int
) -> None:
    """A service that runs or stands by is well."""
    answer = {"service": "timer", "state": state, "detail": "", "since": "2021-05-03T09:00:00Z"}
    async with connected(nats_server.url, "test") as nats:
        question = await nats.subscribe("cpor.health.timer")  # pyright: ignore[reportUnknownMemberType]
        asked = asyncio.create_task(
            run({"CPOR_NATS_URL": nats_server.url}, "health", "timer", "--json")
        )
        message = await question.next_msg(timeout=20)
        await message.respond(json.dumps(answer).encode())
        ended = await asked

    assert ended.code == code
    assert json.loads(ended.out) == answer


@pytest.mark.parametrize(("status", "code"), [("200 OK", 0), ("503 Service Unavailable", 1)])
async def test_health_of_the_web_is_asked_over_http(status: str, code: int) -> None:
    """`GET /livez` decides; NATS is not asked."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"GET /livez ")
        writer.write(f"HTTP/1.0 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        ended = await run({"CPOR_HTTP_PORT": str(port)}, "health", "web")

    assert ended.code == code


async def test_health_of_a_web_that_is_not_there() -> None:
    """No answer is exit code 1 and a sentence, not a traceback."""
    ended = await run({"CPOR_HTTP_PORT": str(free_port())}, "health", "web")

    assert ended.code == 1
    assert ended.out.startswith("web: absent – ")
    assert ended.err == ""


async def test_health_knows_the_services() -> None:
    """A name that is none is a mistake in the call."""
    ended = await run({}, "health", "clams")

    assert ended.code == 2
    assert "there is no service clams" in ended.err
