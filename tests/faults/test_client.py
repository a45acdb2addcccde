"""HTTP clients that ask for much and read nothing."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from tests.system.rig import System, running

STALLED = 20
REQUESTS = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100
MUCH = 100 * 1024 * 1024


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncGenerator[System]:
    """A web server of its own, on real servers."""
    async with running(tmp_path / "data", names=["web"]) as system:
        yield system


@pytest.mark.fault(72)
@pytest.mark.parametrize("until_dropped", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.timeout(240)
async def test_clients_that_read_nothing_harm_nobody(
    system: System, *, until_dropped: bool
) -> None:
    """Others are served, memory stays flat, and in the end they are dropped."""
    port = system.settings.http_port
    web = psutil.Process(system.pids()["web"])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        async with asyncio.timeout(60):
            while not await lives(http):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.1)
        assert (await http.get("/openapi.json")).is_success
        before = web.memory_info().rss
        with ExitStack() as stack:
            for _ in range(STALLED):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                client.sendall(REQUESTS)
            answers = await asyncio.gather(*(http.get("/api/policy") for _ in range(50)))
            assert {answer.status_code for answer in answers} == {401}
            assert web.memory_info().rss - before < MUCH
            if until_dropped:
                async with asyncio.timeout(180):
                    while served(web, port) > 1:  # noqa: ASYNC110 - of another process
                        await asyncio.sleep(0.5)


async def lives(http: httpx.AsyncClient) -> bool:
    """Whether the web answers."""
    try:
        return (await http.get("/livez")).is_success
    except httpx.TransportError:
        return False


def served(web: psutil.Process, port: int) -> int:
    """How many connections the web has."""
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
        for each in web.net_connections("tcp")
    )
