"""`make run` as a user has it: all services, on servers that they start."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGINT, SIGTERM

import httpx
import psutil
import pytest

from services.embedded.process import holds, survivors
from services.embedded.unit import Service
from services.roster import EVERYTHING
from services.settings import CHECKOUT, Settings, child_environment
from tests.embedded import rig
from tests.free_port import free_port

_TIMEOUT = 60.0
_PYTHON = (sys.executable, "-m", "services.cli")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a run of the test's own."""
    return Settings(data_dir=tmp_path / "data", http_port=free_port(), nats_port=free_port())


@asynccontextmanager
async def _up(settings: Settings) -> AsyncGenerator[Process]:
    """`cpor up` when it says that it is ready; killed at the end, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(*_PYTHON, "up"),
        cwd=CHECKOUT,
        env=child_environment(settings),
        stdout=PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_TIMEOUT):
            while b"is ready" not in (line := await process.stdout.readline()):
                assert line, "the run ended before it was ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _services(settings: Settings) -> dict[str, psutil.Process]:
    """The services of a data directory that run, by their names."""
    found = survivors(lambda process: Service.is_one(process, str(settings.data_dir)))
    services: dict[str, psutil.Process] = {}
    for process in found:
        with suppress(psutil.NoSuchProcess):  # it ended since
            services[process.cmdline()[4]] = process
    return services


@pytest.mark.parametrize("told", [SIGINT, SIGTERM])
async def test_runs_until_it_is_told_to_stop(settings: Settings, told: int) -> None:
    """It is ready when it says so, stops when told, leaves no process, and starts again."""
    for _ in range(2):
        async with _up(settings) as process:
            async with httpx.AsyncClient(base_url=settings.public_url) as client:
                assert (await client.get("/readyz")).status_code == 200
            assert set(_services(settings)) == set(EVERYTHING)

            process.send_signal(told)

            assert await process.wait() == 0
        assert (_services(settings), rig.processes(settings.data_dir)) == ({}, [])


@pytest.mark.parametrize("whole", [True, False], ids=["everything", "the parent alone"])
async def test_goes_on_after_a_kill(settings: Settings, *, whole: bool) -> None:
    """A kill -9 of everything, or of the parent alone, is nothing to the next start."""
    async with _up(settings) as process:
        rig.kill([psutil.Process(process.pid)])
        if whole:
            rig.kill([*_services(settings).values(), *rig.processes(settings.data_dir)])
        await process.wait()

    async with _up(settings) as process:
        process.terminate()
        assert await process.wait() == 0

    assert (_services(settings), rig.processes(settings.data_dir)) == ({}, [])


async def test_a_service_of_an_earlier_run_is_ended(settings: Settings) -> None:
    """A survivor would hold its place as the one active instance, with another run's settings."""
    async with _up(settings) as process:
        survivor = await asyncio.create_subprocess_exec(
            *(*_PYTHON, "service", "relay"),
            cwd=CHECKOUT,
            env=child_environment(settings),
            stderr=DEVNULL,
        )
        process.terminate()
        await process.wait()
    assert survivor.returncode is None

    async with _up(settings) as process:
        assert await holds(lambda: survivor.returncode is not None, _TIMEOUT)
        process.terminate()
        await process.wait()
