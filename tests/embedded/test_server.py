"""The embedded servers: life, death by kill -9, and what they find at the next start."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Iterator
from errno import EACCES
from pathlib import Path
from stat import S_IMODE

import psutil
import psycopg
import pytest
from nats.js.api import StreamConfig

from services.connection import connected
from services.embedded.datadir import DataDir, Fence, fenced
from services.embedded.nats import NatsServer, require_free
from services.embedded.postgres import Postgres
from services.embedded.process import holds, runs
from services.refused import StartRefused
from services.schema import migrate
from tests.free_port import free_port

_TIMEOUT = 30.0
_ODD_NAMES = ("über 😀", "a 'b' \"c\" \\n", "$HOME # {x} ;", "100%41 &x=? +@", "a,b")


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    """A data directory that is not there yet."""
    return DataDir(tmp_path / "data")


@pytest.fixture(params=_ODD_NAMES)
def oddly_named(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DataDir]:
    """A data directory whose name holds what means something elsewhere."""
    datadir = DataDir(tmp_path / request.param)
    yield datadir
    if datadir.sockets.parent != datadir.root:
        datadir.sockets.rmdir()


@pytest.fixture
async def postgres(datadir: DataDir) -> AsyncGenerator[Postgres]:
    """A running PostgreSQL with one row in it."""
    server = Postgres(datadir)
    await server.start()
    async with await psycopg.AsyncConnection.connect(server.url) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    yield server
    await server.stop()


@pytest.fixture
async def broker(datadir: DataDir) -> AsyncGenerator[NatsServer]:
    """A running nats-server that acknowledges what is on disk, with one message in it."""
    server = NatsServer(datadir, free_port())
    await server.start()
    async with connected(server.url, "test") as connection:
        kept = StreamConfig(name="KEPT", subjects=["kept"])
        await connection.js.add_stream(kept)  # pyright: ignore[reportUnknownMemberType] - untyped options
        await connection.js.publish("kept", b"42")
    yield server
    await server.stop()


async def _row(server: Postgres) -> int:
    async with await psycopg.AsyncConnection.connect(server.url) as connection:
        cursor = await connection.execute("SELECT answer FROM kept")
        row = await cursor.fetchone()
        assert row is not None
        answer: int = row[0]
        return answer


async def _message(server: NatsServer) -> bytes | None:
    async with connected(server.url, "test") as connection:
        return (await connection.js.get_msg("KEPT", seq=1)).data


async def _ended(pid: int) -> bool:
    return await holds(
        lambda: not psutil.pid_exists(pid) or not runs(psutil.Process(pid)), _TIMEOUT
    )


class TestPostgres:
    """The embedded PostgreSQL."""

    async def test_goes_on_with_the_same_data_after_a_stop(self, postgres: Postgres) -> None:
        """What was committed is there after a clean stop and a start."""
        await postgres.stop()
        await postgres.start()

        assert await _row(postgres) == 42

    @pytest.mark.fault(18)
    async def test_goes_on_with_the_same_data_after_a_kill(self, postgres: Postgres) -> None:
        """A kill -9 of the server leaves a lock file and no lost row."""
        os.kill(postgres.pid, signal.SIGKILL)
        assert await postgres.wait() == -signal.SIGKILL

        await postgres.start()

        assert await _row(postgres) == 42

    async def test_a_dead_servers_pid_may_belong_to_another_program(
        self, postgres: Postgres, datadir: DataDir
    ) -> None:
        """A lock file that names a living stranger does not stop the start, nor the stranger."""
        os.kill(postgres.pid, signal.SIGKILL)
        await postgres.wait()
        lock = datadir.postgres / "postmaster.pid"
        _, *rest = lock.read_text().splitlines(keepends=True)
        stranger = await asyncio.create_subprocess_exec("sleep", "60")
        try:
            lock.write_text("".join((f"{stranger.pid}\n", *rest)))

            await postgres.start()

            assert await _row(postgres) == 42
            assert stranger.returncode is None
        finally:
            stranger.kill()
            await stranger.wait()

    async def test_a_survivor_of_an_earlier_run_is_stopped(
        self, postgres: Postgres, datadir: DataDir
    ) -> None:
        """A server that its supervisor lost is stopped cleanly before the next one starts."""
        survivor = postgres.pid
        server = Postgres(datadir)

        await server.start()
        try:
            assert await postgres.wait() == 0
            assert server.pid != survivor
            assert await _row(server) == 42
        finally:
            await server.stop()

    async def test_listens_on_its_socket_alone_and_asks_for_the_password(
        self, postgres: Postgres, datadir: DataDir
    ) -> None:
        """No port is open, and the socket lets nobody in who can't read the password file."""
        listening = [
            connection
            for connection in psutil.Process(postgres.pid).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == []
        without = postgres.url.partition("&passfile=")[0] + "&passfile=/dev/null"
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            await psycopg.AsyncConnection.connect(without)
        assert S_IMODE((datadir.secrets / "postgres").stat().st_mode) == 0o600

    async def test_keeps_what_it_promises(self, postgres: Postgres) -> None:
        """Commits reach the disk, pages have checksums, text is Unicode in code point order."""
        async with await psycopg.AsyncConnection.connect(postgres.url) as connection:
            cursor = await connection.execute(
                "SELECT current_setting('fsync'), current_setting('synchronous_commit'),"
                " current_setting('data_checksums'), current_setting('server_encoding'),"
                " lower('ÇÖĞÜŞ') = 'çöğüş', 'a' > 'B'"
            )
            assert await cursor.fetchone() == ("on", "on", "on", "UTF8", True, True)

    async def test_database_of_a_newer_version_is_one_sentence(
        self, postgres: Postgres, datadir: DataDir
    ) -> None:
        """The sentence says which version made the data and which one runs."""
        await postgres.stop()
        (datadir.postgres / "PG_VERSION").write_text("19\n")

        with pytest.raises(StartRefused) as refusal:
            await postgres.start()

        assert str(refusal.value) == (
            f"The database in {datadir.postgres} belongs to PostgreSQL 19, and this cpor runs "
            "PostgreSQL 18: use the cpor that made it, or set CPOR_DATA_DIR to another folder."
        )

    async def test_works_in_a_folder_whose_name_is_too_long_for_a_socket(
        self, tmp_path: Path
    ) -> None:
        """The socket moves to a private folder elsewhere."""
        datadir = DataDir(tmp_path / ("d" * 100))
        server = Postgres(datadir)

        await server.start()
        try:
            assert S_IMODE(datadir.sockets.stat().st_mode) == 0o700
            assert datadir.root not in datadir.sockets.parents
            async with await psycopg.AsyncConnection.connect(server.url):
                pass
        finally:
            await server.stop()
            datadir.sockets.rmdir()

    @pytest.mark.parametrize(
        ("version", "why"),
        [
            (None, "PG_VERSION: No such file or directory"),
            (b"", "PG_VERSION is empty"),
            (b"\xff\n", "PG_VERSION can't be read"),
        ],
        ids=["missing", "empty", "no text"],
    )
    async def test_a_folder_that_is_no_cluster_is_one_sentence(
        self, datadir: DataDir, version: bytes | None, why: str
    ) -> None:
        """The sentence names the folder and what is wrong, and the folder stays as it is."""
        datadir.make()
        datadir.postgres.mkdir()
        if version is not None:
            (datadir.postgres / "PG_VERSION").write_bytes(version)

        with pytest.raises(StartRefused) as refusal:
            await Postgres(datadir).start()

        assert str(refusal.value) == (
            f"{datadir.postgres} holds no database of PostgreSQL ({why}): move it elsewhere, or "
            "set CPOR_DATA_DIR to another folder."
        )
        assert {each.name for each in datadir.postgres.iterdir()} <= {"PG_VERSION"}

    @pytest.mark.parametrize("link", [False, True], ids=["file", "link to nothing"])
    async def test_a_file_in_the_clusters_place_is_one_sentence(
        self, datadir: DataDir, *, link: bool
    ) -> None:
        """So is a link that leads nowhere."""
        datadir.make()
        if link:
            datadir.postgres.symlink_to(datadir.root / "nowhere")
        else:
            datadir.postgres.touch()

        with pytest.raises(StartRefused, match=r"postgres holds no database of PostgreSQL \(PG_"):
            await Postgres(datadir).start()

    async def test_works_in_a_folder_with_an_odd_name(self, oddly_named: DataDir) -> None:
        """What means something to a shell, a URL or the server itself is a letter like others."""
        server = Postgres(oddly_named)

        await server.start()
        try:
            await asyncio.to_thread(migrate, server.url)
            assert (oddly_named.root / "postgres" / "PG_VERSION").exists()
        finally:
            await server.stop()

    async def test_a_half_made_cluster_is_made_again(self, datadir: DataDir) -> None:
        """A first start that was cut short leaves nothing that a second one trips over."""
        (datadir.root / "postgres.new" / "base").mkdir(parents=True)
        server = Postgres(datadir)

        await server.start()
        await server.stop()

        assert not (datadir.root / "postgres.new").exists()

    async def test_a_server_that_can_not_start_says_why(
        self, postgres: Postgres, datadir: DataDir
    ) -> None:
        """The sentence carries the last line of the server's log."""
        await postgres.stop()
        server = Postgres(datadir, {"shared_buffers": "nonsense"})

        with pytest.raises(
            StartRefused, match=r"PostgreSQL ended while starting: .*shared_buffers"
        ):
            await server.start()


class TestNatsServer:
    """The embedded nats-server."""

    async def test_goes_on_with_the_same_data_after_a_stop(self, broker: NatsServer) -> None:
        """What was acknowledged is there after a clean stop and a start."""
        await broker.stop()
        await broker.start()

        assert await _message(broker) == b"42"

    @pytest.mark.fault(8)
    async def test_goes_on_with_the_same_data_after_a_kill(self, broker: NatsServer) -> None:
        """What was acknowledged is there after a kill -9."""
        os.kill(broker.pid, signal.SIGKILL)
        assert await broker.wait() == -signal.SIGKILL

        await broker.start()

        assert await _message(broker) == b"42"

    async def test_a_survivor_of_an_earlier_run_is_stopped(
        self, broker: NatsServer, datadir: DataDir
    ) -> None:
        """A server that its supervisor lost frees its port and store, even for another port."""
        server = NatsServer(datadir, free_port())

        await server.start()
        try:
            assert await _ended(broker.pid)
            assert await _message(server) == b"42"
        finally:
            await server.stop()

    async def test_works_in_a_folder_with_an_odd_name(self, oddly_named: DataDir) -> None:
        """The server keeps its streams in that folder, and in no other one."""
        server = NatsServer(oddly_named, free_port())

        await server.start()
        await server.stop()

        assert (oddly_named.root / "nats" / "jetstream").is_dir()

    async def test_port_in_use_is_one_sentence(self, datadir: DataDir) -> None:
        """The sentence names the port and the variable."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]

            with pytest.raises(StartRefused) as refusal:
                await NatsServer(datadir, port).start()

        assert str(refusal.value) == (
            f"Port {port} of 127.0.0.1 is not free (Address already in use): stop what uses it, or "
            "set CPOR_NATS_PORT to another port."
        )

    def test_an_address_of_another_machine_is_one_sentence(self) -> None:
        """The sentence blames the address, and no port."""
        with pytest.raises(StartRefused) as refusal:
            require_free("203.0.113.5", 8000, "CPOR_HTTP_PORT")

        assert str(refusal.value) == (
            "CPOR_HTTP_HOST=203.0.113.5 is not an address of this machine (Cannot assign requested "
            "address): set it to one that is, such as 127.0.0.1."
        )

    @pytest.mark.parametrize("host", ["nowhere.invalid", "no..name"])
    def test_a_name_that_nobody_knows_is_one_sentence(self, host: str) -> None:
        """The sentence names the variable."""
        with pytest.raises(StartRefused, match=f"^CPOR_HTTP_HOST={host} is not an address of"):
            require_free(host, 8000, "CPOR_HTTP_PORT")

    def test_a_port_for_privileged_users_is_one_sentence(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sentence says that the port is not in use, but not for everybody."""

        def denied(*_: object) -> None:
            raise PermissionError(EACCES, os.strerror(EACCES))

        monkeypatch.setattr(socket.socket, "bind", denied)

        with pytest.raises(StartRefused) as refusal:
            require_free("127.0.0.1", 80, "CPOR_HTTP_PORT")

        assert str(refusal.value) == (
            "This user may not listen on port 80 of 127.0.0.1 (Permission denied): set "
            "CPOR_HTTP_PORT to a port from 1024 on."
        )

    @pytest.mark.parametrize(
        ("nats_server", "expected"),
        [("always", "sync_interval: always"), ("interval", None)],
        indirect=["nats_server"],
    )
    async def test_syncs_as_told(
        self, nats_server: NatsServer, expected: str | None, tmp_path: Path
    ) -> None:
        """Each write is on disk before it is acknowledged, unless told otherwise."""
        written = (tmp_path / "nats-server" / "nats" / "nats-server.conf").read_text()

        assert ("sync_interval" in written) is (expected is not None)
        assert nats_server.url.startswith("nats://127.0.0.1:")


class TestDataDir:
    """The data directory and its fence."""

    def test_folders_made_are_private(self, datadir: DataDir) -> None:
        """Everything below is for the owner alone."""
        datadir.make()

        folders = (datadir.root, datadir.logs, datadir.nats, datadir.secrets, datadir.sockets)
        assert {S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}

    def test_a_folder_that_was_there_keeps_its_permissions(self, tmp_path: Path) -> None:
        """Neither the directory nor those above it are changed."""
        root = tmp_path / "there"
        root.mkdir(mode=0o755)
        before = [S_IMODE(folder.stat().st_mode) for folder in (root, tmp_path)]

        DataDir(root).make()

        assert [S_IMODE(folder.stat().st_mode) for folder in (root, tmp_path)] == before

    def test_a_file_in_its_place_is_one_sentence(self, tmp_path: Path) -> None:
        """The sentence names the directory and the variable."""
        file = tmp_path / "file"
        file.touch()

        with pytest.raises(StartRefused, match=r"can't be made: File exists .*CPOR_DATA_DIR"):
            DataDir(file).make()

    async def test_a_second_run_is_told_the_pid_of_the_first(self, datadir: DataDir) -> None:
        """The sentence names the directory and the process that holds it."""
        datadir.make()
        other = Fence(datadir.fence)

        async with fenced(datadir):
            with pytest.raises(StartRefused) as refusal:
                await other.enter(patience=0.0)

        assert str(refusal.value) == (
            f"The data directory {datadir.root} is in use by another run (pid {os.getpid()}): stop "
            "that one, or set CPOR_DATA_DIR to another folder."
        )
        other.leave()

    async def test_a_directory_that_can_not_be_locked_is_one_sentence(
        self, datadir: DataDir
    ) -> None:
        """Another user's, for example, though here it is a folder that takes the lock's place."""
        datadir.make()
        datadir.fence.mkdir()

        with pytest.raises(StartRefused) as refusal:
            async with fenced(datadir):
                pass

        assert str(refusal.value) == (
            f"The data directory {datadir.root} can't be used: Is a directory ({datadir.fence}); "
            "start cpor as the user who made it, or set CPOR_DATA_DIR to another folder."
        )

    async def test_a_run_that_is_stopping_is_waited_for(self, datadir: DataDir) -> None:
        """The next run starts when the one before has stopped its servers."""
        datadir.make()
        first, second = Fence(datadir.fence), Fence(datadir.fence)
        await first.enter()
        first.say_stopping()

        waiting = asyncio.create_task(second.enter(patience=0.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        first.leave()

        await waiting
        second.leave()

    async def test_a_killed_holder_leaves_no_lock(self, datadir: DataDir) -> None:
        """The lock is the operating system's: it ends with its process."""
        datadir.make()
        program = (
            "import asyncio, sys; from pathlib import Path\n"
            "from services.embedded.datadir import Fence\n"
            "fence = Fence(Path(sys.argv[1])); asyncio.run(fence.enter())\n"
            "print('held', flush=True); sys.stdin.read()"
        )
        holder = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, str(datadir.fence)), stdin=PIPE, stdout=PIPE
        )
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        holder.kill()
        await holder.wait()

        async with fenced(datadir):
            pass
