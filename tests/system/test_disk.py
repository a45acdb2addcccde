"""Disks that are full, and power that is cut: what was acknowledged is there afterwards."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from nats.errors import Error

from services.connection import Connection, connected
from services.embedded.datadir import DataDir
from services.embedded.postgres import Postgres
from services.streams import COMMANDS
from tests.claims.orders import upload
from tests.system import checker
from tests.system.disk import mortal_disk, small_disk
from tests.system.rig import System
from tests.system.upstream import Upstream
from tests.system.workload import Workload

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


class Load(NamedTuple):
    """A system under load."""

    system: System
    nats: Connection
    upstream: Upstream
    workload: Workload
    working: asyncio.Task[None]

    async def goes_on(self, more: int = 50) -> None:
        """Wait until so many more commands were accepted."""
        enough = len(self.upstream.accepted) + more
        async with asyncio.timeout(90):
            while len(self.upstream.accepted) < enough:  # noqa: ASYNC110 - it hears outcomes
                await asyncio.sleep(0.05)

    async def check(self) -> None:
        """End the load, and check every invariant."""
        self.workload.stop()
        async with asyncio.timeout(90):
            await self.working
        await self.system.until_running()
        await self.system.until_settled()
        await checker.check(self.system.settings.database_url, self.nats, self.upstream)


async def make_cluster(folder: Path) -> Path:
    """A data directory with a database; where that is to be put aside to make room for a disk."""
    server = Postgres(DataDir(folder))
    await server.start()
    await server.stop()
    return (folder / "postgres").rename(folder.with_name("made"))


@asynccontextmanager
async def loaded(folder: Path) -> AsyncGenerator[Load]:
    """A system in a folder, whose servers' disks are there already."""
    system = System(folder)
    try:
        await system.start()
        await asyncio.to_thread(upload, system.settings.database_url)
        await system.until_running()
        async with connected(system.nats.url, "upstream", 60.0) as nats:
            upstream = Upstream(nats)
            await upstream.listen()
            workload = Workload(upstream, "disk")
            working = asyncio.create_task(workload.run())
            try:
                yield Load(system, nats, upstream, workload, working)
            finally:
                working.cancel()
    finally:
        await system.stop()


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("nats", marks=pytest.mark.fault(9)),
        pytest.param("postgres", marks=pytest.mark.fault(19)),
    ],
)
async def test_a_power_cut_takes_nothing_that_was_acknowledged(tmp_path: Path, server: str) -> None:
    """What is not on the disk is gone; the server starts on what is, and all goes on."""
    folder = tmp_path / "data"
    made = await make_cluster(folder) if server == "postgres" else None
    with mortal_disk(folder / server, tmp_path / "image", 400) as disk:
        if made:
            shutil.copytree(made, folder / server, dirs_exist_ok=True)
            os.sync()
        async with loaded(folder) as load:
            await load.goes_on()
            disk.cut_power()
            await load.system.kill_for_good(server)
            disk.unmount()
            disk.mount()
            await load.system.start_server(server)
            await load.goes_on()
            await load.check()


@pytest.mark.fault(26)
async def test_a_full_disk_of_nats_loses_nothing_silently(tmp_path: Path) -> None:
    """Commands are not acknowledged any more; with room and a start all that were are there."""
    folder = tmp_path / "data"
    with small_disk(folder / "nats", 100) as disk:
        async with loaded(folder) as load:
            await load.goes_on()
            disk.fill()
            await refuses(load.nats)
            disk.empty()
            await load.system.kill("nats")
            await load.goes_on()
            await load.check()


@pytest.mark.fault(27)
async def test_a_full_disk_of_the_store_writes_no_half_of_anything(tmp_path: Path) -> None:
    """Commands wait on the stream; with room again they are decided."""
    folder = tmp_path / "data"
    made = await make_cluster(folder)
    with small_disk(folder / "postgres", 300) as disk:
        shutil.copytree(made, folder / "postgres", dirs_exist_ok=True)
        async with loaded(folder) as load:
            await load.goes_on()
            disk.fill()
            await stands(load)
            disk.empty()
            await load.system.kill("postgres")
            await load.goes_on()
            await load.check()


async def refuses(nats: Connection) -> None:
    """Wait until the command stream takes nothing more."""
    async with asyncio.timeout(90):
        while True:
            try:
                await nats.js.publish("cpor.commands.none.none", b"x" * 100_000, timeout=2)
            except Error:
                return


async def stands(load: Load) -> None:
    """Wait until nothing is accepted any more, and commands wait."""
    async with asyncio.timeout(90):
        before = -1
        while len(load.upstream.accepted) != before:
            before = len(load.upstream.accepted)
            await asyncio.sleep(3)
    assert (await load.nats.js.stream_info(COMMANDS)).state.messages > 0
