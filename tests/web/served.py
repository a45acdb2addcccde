"""The web as a process of its own."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from services.settings import CHECKOUT, Settings, child_environment


@asynccontextmanager
async def served(settings: Settings) -> AsyncGenerator[Process]:
    """A process that answers, and is killed in the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "service", "web"),
        env=child_environment(settings) | {"PYTHONPATH": str(CHECKOUT)},
        stdout=DEVNULL,
        stderr=PIPE,
    )
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while not await _answers(client, settings):
            assert process.returncode is None
            await asyncio.sleep(0.05)
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def _answers(client: httpx.AsyncClient, settings: Settings) -> bool:
    try:
        await client.get(f"http://127.0.0.1:{settings.http_port}/livez")
    except httpx.TransportError:
        return False
    return True
