"""The web as a process."""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from services.refused import StartRefused
from services.settings import Settings
from services.web import serve
from tests.free_port import free_port
from tests.web.served import served


@pytest.fixture
def address(nowhere: Settings) -> Settings:
    """Settings with a port of their own, and no servers."""
    return nowhere.model_copy(update={"http_port": free_port()})


@pytest_asyncio.fixture
async def process(address: Settings) -> AsyncGenerator[Process]:
    """The web, which answers."""
    async with served(address) as process:
        yield process


async def test_it_says_nothing_about_its_making(process: Process, address: Settings) -> None:
    """No server header over the wire."""
    assert process.returncode is None
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://127.0.0.1:{address.http_port}/livez")

    assert response.json() == {"state": "running"}
    assert "server" not in response.headers


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_in_order(process: Process, how: signal.Signals) -> None:
    """With exit code 0, and without a traceback."""
    os.kill(process.pid, how)
    _, log = await process.communicate()

    assert process.returncode == 0
    assert b"Traceback" not in log


async def test_it_stops_although_somebody_dawdles(process: Process, address: Settings) -> None:
    """A request that never ends is cut off."""
    _, writer = await asyncio.open_connection("127.0.0.1", address.http_port)
    writer.write(
        b"POST /api/claims/6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90/submit_claim HTTP/1.1\r\n"
        b"Host: localhost\r\nX-Cpor-Actor: reviewer;;deniz\r\nContent-Length: 2\r\n\r\n"
    )
    await writer.drain()
    os.kill(process.pid, signal.SIGTERM)

    async with asyncio.timeout(9):
        await process.communicate()
    writer.close()

    assert process.returncode == 0


def test_a_taken_port_is_one_sentence(address: Settings) -> None:
    """Whoever started it can mend it."""
    with (
        socket.create_server((address.http_host, address.http_port)),
        pytest.raises(StartRefused, match=f"{address.http_port} can't be listened on"),
    ):
        serve(address)
