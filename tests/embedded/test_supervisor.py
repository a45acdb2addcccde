"""A whole run, over stand-ins for the services: its start, its ends, what comes after a kill."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from signal import Signals

import psutil
import psycopg
import pytest

from services.connection import connected
from services.embedded.process import holds
from services.embedded.supervisor import Supervisor
from services.refused import StartRefused
from services.settings import CHECKOUT, Settings
from services.streams import verify
from tests.embedded import rig
from tests.free_port import free_port

_TIMEOUT = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a run of the test's own."""
    return rig.settings(tmp_path, free_port(), free_port())


class Run:
    """A supervisor that runs in this process, and what it said."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.said: list[str] = []
        services = rig.stand_ins(folder, settings)
        self.supervisor = Supervisor(settings, services, say=self.said.append)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, and wait until it is ready. Raises what the start raises."""
        ready = asyncio.Event()

        async def when_ready() -> None:
            ready.set()

        self._task = asyncio.create_task(self.supervisor.run(when_ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([self._task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Stop as a signal does."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def pid(self, name: str) -> int:
        """The process of a stand-in; 0 until it has begun."""
        file = self.folder / f"{name}.pid"
        return int(file.read_text() or "0") if file.exists() else 0

    async def until_said(self, part: str) -> None:
        """Wait until the supervisor has said something."""
        assert await holds(lambda: any(part in each for each in self.said), _TIMEOUT), self.said


@pytest.fixture
async def run(tmp_path: Path, settings: Settings) -> AsyncGenerator[Run]:
    """A run that is ready, with its stand-ins."""
    run = Run(tmp_path, settings)
    await run.start()
    assert await holds(lambda: min(run.pid("claims"), run.pid("web")) > 0, _TIMEOUT)
    yield run
    await run.stop()


class TestRun:
    """A run in this process."""

    async def test_says_when_it_is_ready_and_where(self, run: Run) -> None:
        """One line names the address."""
        ready = next(each for each in run.said if "is ready" in each)
        assert f"http://127.0.0.1:{run.settings.http_port}" in ready

    async def test_prepares_database_and_streams(self, run: Run) -> None:
        """The services find tables and streams as they must be."""
        async with connected(run.supervisor.settings.nats_url, "test") as connection:
            assert await verify(connection.js) == []
        url = run.supervisor.settings.database_url
        async with await psycopg.AsyncConnection.connect(url) as database:
            await database.execute("SELECT 1 FROM cpor.stored_events")

    async def test_services_end_before_the_servers(self, run: Run, tmp_path: Path) -> None:
        """While a service finishes what it does its servers are there."""
        await run.stop()

        ends = sorted((tmp_path / "ends").read_text().splitlines())
        assert ends == ["claims with nats-server", "web with nats-server"]
        assert rig.processes(tmp_path) == []

    async def test_a_service_that_crashed_is_started_again(self, run: Run) -> None:
        """The supervisor says so in one line, and the others go on."""
        crashed, other = run.pid("claims"), run.pid("web")

        os.kill(crashed, signal.SIGKILL)

        await run.until_said("claims ended (SIGKILL); starting it again.")
        assert await holds(lambda: run.pid("claims") not in {0, crashed}, _TIMEOUT)
        assert run.pid("web") == other

    @pytest.mark.fault(8)
    async def test_nats_server_is_started_again_with_its_streams(self, run: Run) -> None:
        """A broker that was killed comes back, and the admin step has run."""
        [broker] = [each for each in rig.processes(run.folder) if each.name() == "nats-server"]

        broker.kill()
        await run.until_said("nats-server ended (SIGKILL); starting it again.")

        async with connected(run.supervisor.settings.nats_url, "test") as connection:
            assert await verify(connection.js) == []

    @pytest.mark.fault(18)
    async def test_postgresql_is_started_again(self, run: Run) -> None:
        """A database that was killed comes back by itself."""
        lock = run.settings.data_dir / "postgres" / "postmaster.pid"
        killed = int(lock.read_text().splitlines()[0])

        os.kill(killed, signal.SIGKILL)
        await run.until_said("PostgreSQL ended (SIGKILL); starting it again.")

        def again() -> bool:
            lines = lock.read_text().splitlines() if lock.exists() else []
            return len(lines) > 7 and lines[0] != str(killed) and lines[7].strip() == "ready"

        assert await holds(again, _TIMEOUT)

    async def test_a_second_run_in_the_same_directory_is_refused(
        self, run: Run, tmp_path: Path
    ) -> None:
        """The sentence names the directory and the pid, and the first run goes on."""
        second = Run(tmp_path, rig.settings(tmp_path, free_port(), free_port()))

        with pytest.raises(StartRefused, match=rf"in use by another run \(pid {os.getpid()}\)"):
            await second.start()

        assert second.said == []
        assert psutil.pid_exists(run.pid("web"))


class TestRefusal:
    """Starts that can't be."""

    async def test_http_port_in_use_is_one_sentence(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """The sentence names the port and the variable; nothing was started."""
        with (
            socket.create_server(("127.0.0.1", settings.http_port)),
            pytest.raises(StartRefused) as refusal,
        ):
            await Run(tmp_path, settings).start()

        assert str(refusal.value) == (
            f"Port {settings.http_port} of 127.0.0.1 is not free (Address already in use): stop "
            "what uses it, or set CPOR_HTTP_PORT to another port."
        )
        assert rig.processes(tmp_path / "data") == []

    async def test_nats_port_in_use_stops_postgresql_again(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """A failure of one server ends the other one."""
        with (
            socket.create_server(("127.0.0.1", settings.nats_port)),
            pytest.raises(StartRefused, match="CPOR_NATS_PORT"),
        ):
            await Run(tmp_path, settings).start()

        assert rig.processes(tmp_path / "data") == []

    async def test_database_that_is_too_new_is_one_sentence(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """A database that a newer release has migrated is left alone."""
        run = Run(tmp_path, settings)
        await run.start()
        url = run.supervisor.settings.database_url
        async with await psycopg.AsyncConnection.connect(url) as database:
            await database.execute("UPDATE cpor.alembic_version SET version_num = '9999'")
        await run.stop()

        with pytest.raises(StartRefused, match="newer than this release"):
            await Run(tmp_path, settings).start()


Sender = Callable[[Process], None]


def _to_process(*names: Signals) -> Sender:
    def send(process: Process) -> None:
        for name in names:
            process.send_signal(name)

    return send


def _to_group(*names: Signals) -> Sender:
    def send(process: Process) -> None:
        for name in names:
            os.killpg(process.pid, name)

    return send


class TestProgram:
    """A run as a program of its own, as `make run` starts it."""

    @pytest.fixture
    def command(self, tmp_path: Path, settings: Settings) -> tuple[str, ...]:
        """The run's command line."""
        ports = (str(settings.http_port), str(settings.nats_port))
        return (sys.executable, "-m", "tests.embedded.rig", str(tmp_path), *ports)

    @pytest.fixture
    def make(self, tmp_path: Path, command: tuple[str, ...]) -> tuple[str, ...]:
        """The same through make."""
        makefile = tmp_path / "Makefile"
        makefile.write_text(f"run:\n\t@exec {' '.join(command)}\n")
        return ("make", "-f", str(makefile), "run")

    @pytest.mark.parametrize(
        "send",
        [
            _to_process(signal.SIGINT),
            _to_process(signal.SIGTERM),
            _to_process(signal.SIGHUP),
            _to_process(signal.SIGTERM, signal.SIGTERM, signal.SIGINT),
            _to_group(signal.SIGINT),
            _to_group(signal.SIGTERM, signal.SIGTERM),
        ],
        ids=["INT", "TERM", "HUP", "TERM TERM INT", "group INT", "group TERM TERM"],
    )
    @pytest.mark.fault(73)
    async def test_a_signal_stops_everything_cleanly(
        self, command: tuple[str, ...], tmp_path: Path, send: Sender
    ) -> None:
        """One or several, to the process or its group: exit code 0, and no process is left."""
        process = await _ready(command)

        send(process)

        assert await process.wait() == 0
        assert rig.processes(tmp_path) == []

    @pytest.mark.parametrize(
        "send",
        [
            _to_process(signal.SIGINT),
            _to_process(signal.SIGTERM),
            _to_process(signal.SIGHUP),
            _to_group(signal.SIGINT, signal.SIGINT),
            _to_process(signal.SIGKILL),
        ],
        ids=["INT", "TERM", "HUP", "group INT INT", "KILL"],
    )
    async def test_a_signal_to_make_stops_everything(
        self, make: tuple[str, ...], tmp_path: Path, send: Sender
    ) -> None:
        """Also what make doesn't pass on, and make's own death."""
        process = await _ready(make)

        send(process)

        await process.wait()
        assert await holds(lambda: rig.processes(tmp_path) == [], _TIMEOUT)

    async def test_a_signal_to_make_before_the_program_has_begun_stops_it(
        self, make: tuple[str, ...], tmp_path: Path
    ) -> None:
        """Then make waits already when the program looks at it for the first time."""
        makefile = tmp_path / "Makefile"
        makefile.write_text(makefile.read_text().replace("@exec", "@kill -INT $$PPID; exec"))

        process = await _started(make)

        async with asyncio.timeout(_TIMEOUT):
            assert await process.wait() == -signal.SIGINT
        assert rig.processes(tmp_path / "data") == []

    async def test_the_next_run_goes_on_after_the_parent_was_killed(
        self, command: tuple[str, ...], tmp_path: Path
    ) -> None:
        """A kill -9 of the parent alone takes its children along, and locks nobody out."""
        process = await _ready(command)
        process.kill()
        await process.wait()

        again = await _ready(command)
        again.terminate()

        assert await again.wait() == 0
        assert rig.processes(tmp_path) == []

    async def test_the_next_run_goes_on_after_everything_was_killed(
        self, command: tuple[str, ...], tmp_path: Path
    ) -> None:
        """A kill -9 of all processes at once leaves nothing that the next start trips over."""
        process = await _ready(command)
        rig.kill(rig.processes(tmp_path))
        await process.wait()

        again = await _ready(command)
        again.terminate()

        assert await again.wait() == 0
        assert rig.processes(tmp_path) == []

    async def test_a_signal_while_starting_leaves_nothing(
        self, command: tuple[str, ...], tmp_path: Path
    ) -> None:
        """Whoever changes their mind during the very first start is obeyed as well."""
        process = await _started(command)
        assert process.stdout is not None
        assert b"Starting" in await process.stdout.readline()

        process.terminate()

        await process.wait()
        assert rig.processes(tmp_path) == []


async def _started(command: tuple[str, ...]) -> Process:
    return await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, cwd=CHECKOUT, start_new_session=True
    )


async def _ready(command: tuple[str, ...]) -> Process:
    """A started run that has said that it is ready."""
    process = await _started(command)
    assert process.stdout is not None
    async with asyncio.timeout(_TIMEOUT):
        while b"is ready" not in (line := await process.stdout.readline()):
            assert line, "the run ended before it was ready"
    return process
