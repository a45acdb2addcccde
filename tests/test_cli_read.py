"""`cpor show`, `list` and `history` without the system, or with something else in its place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tests import cli
from tests.free_port import free_port

CLAIM = "6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90"


@asynccontextmanager
async def answering(response: str) -> AsyncGenerator[dict[str, str]]:
    """Somebody who answers every request with these bytes; yields the variables that lead there."""

    async def on_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response.encode())
        writer.close()

    server = await asyncio.start_server(on_request, "127.0.0.1", 0)
    async with server:
        yield {"CPOR_HTTP_PORT": str(server.sockets[0].getsockname()[1])}


@pytest.mark.parametrize(
    "command", [("show", CLAIM), ("list",), ("history", CLAIM)], ids=lambda words: words[0]
)
async def test_a_system_that_does_not_run_is_one_sentence(command: tuple[str, ...]) -> None:
    """Exit code 3, where it was looked for, and what to do."""
    port = free_port()

    ended = await cli.run({"CPOR_HTTP_PORT": str(port)}, *command)

    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert ended.err.startswith(f"cpor doesn't answer at http://127.0.0.1:{port} ")
    assert "`make run` starts it" in ended.err


async def test_something_else_at_the_port_is_one_sentence() -> None:
    """Exit code 3: an answer that is no JSON is not cpor's."""
    async with answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as variables:
        ended = await cli.run(variables, "list")

    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        f"What answers at http://127.0.0.1:{variables['CPOR_HTTP_PORT']} is not cpor.\n"
    )


async def test_a_server_that_is_away_behind_the_api_is_unreachable() -> None:
    """Exit code 3 for `unavailable`, with the API's own words."""
    body = '{"title": "Unavailable", "status": 503, "detail": "PostgreSQL can\'t be used"}'
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(body)}\r\n\r\n"
    async with answering(head + body) as variables:
        ended = await cli.run(variables, "list")

    assert ended == (3, "", "Unavailable: PostgreSQL can't be used.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list", "--as", "deniz"), "'deniz' is not of the form role:org:id"),
        (("list", "--status", "late"), "'late' is not one of 'editing', 'submitted'"),
        (("show", "7"), "Input should be a valid UUID"),
    ],
)
async def test_wrong_usage_is_told(arguments: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, before anything is asked."""
    ended = await cli.run({"COLUMNS": "200"}, *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert sentence in " ".join(ended.err.replace("│", " ").split())
