"""`cpor up` killed whole under load, and started again: nothing lost, nothing twice."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from services.connection import connected
from services.embedded.datadir import DataDir
from services.embedded.postgres import database_url
from services.embedded.process import Child
from services.settings import CHECKOUT, Settings, child_environment
from tests.claims.orders import TO_APPROVAL, upload
from tests.free_port import free_port
from tests.system import checker
from tests.system.rig import until_settled
from tests.system.test_kill import CLAIMS, load
from tests.system.upstream import Upstream

KILLS = 3
PATIENCE = 60.0


class WholeRun:
    """A run of everything, as `make run` starts it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            data_dir=folder,
            http_port=free_port(),
            nats_port=free_port(),
            log_level="warning",
        )
        self.database_url = database_url(DataDir(folder))
        self.nats_url = f"nats://127.0.0.1:{self.settings.nats_port}"
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self._child = await Child.start(
            [sys.executable, "-m", "services.cli", "up"],
            death_signal=signal.SIGTERM,
            environment=child_environment(self.settings),
            folder=CHECKOUT,
            log=self.settings.data_dir.with_suffix(".log"),
        )
        url = f"http://127.0.0.1:{self.settings.http_port}/readyz"
        async with httpx.AsyncClient() as http, asyncio.timeout(PATIENCE):
            while not await _ready(http, url):  # noqa: ASYNC110 - of other processes
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """End all of its processes at once by kill -9."""
        assert self._child is not None
        parent = psutil.Process(self._child.pid)
        everything = [parent, *parent.children(recursive=True)]
        for process in everything:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await self._child.wait()

    async def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        assert self._child is not None
        await self._child.stop((signal.SIGINT, 30.0))


async def _ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def whole_run(folder: Path) -> AsyncGenerator[WholeRun]:
    """A run for the length of a test."""
    run = WholeRun(folder)
    await run.start()
    try:
        yield run
    finally:
        await run.stop()


@pytest.mark.timeout(240)
async def test_killing_the_whole_run_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Every acknowledged command is there after the next start, and each had its effect once."""
    chance = random.Random("whole run")  # noqa: S311 - to be played again
    async with whole_run(tmp_path / "data") as run:
        await asyncio.to_thread(upload, run.database_url)
        async with connected(run.nats_url, "upstream", PATIENCE) as nats:
            upstream = Upstream(nats)
            await upstream.listen()
            loading = asyncio.create_task(load(upstream))
            for _ in range(KILLS):
                await asyncio.wait([loading], timeout=chance.uniform(0.2, 1.0))
                await run.kill()
                await run.start()
            await loading
            await until_settled(nats, run.database_url)

            assert len(upstream.accepted) == CLAIMS * len(TO_APPROVAL)
            await checker.check(run.database_url, nats, upstream)
