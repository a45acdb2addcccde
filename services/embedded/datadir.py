"""The data directory: what lies where, and the fence that keeps a second run out."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_ISDIR
from time import monotonic

from services.refused import StartRefused

_SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET = 107
"""Bytes of a socket's path that the operating system takes at most."""


class DataDir:
    """One data directory. Folders made here are for their owner alone; others stay as they are."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.postgres = self.root / "postgres"
        self.nats = self.root / "nats"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.fence = self.root / "fence"

    @property
    def sockets(self) -> Path:
        """Where PostgreSQL's socket lies: in the directory, or elsewhere when its path is long.

        A comma sends it elsewhere, too: libpq would read two hosts.
        """
        inside = self.root / "sockets"
        if "," not in str(inside) and len(os.fsencode(inside / _SOCKET_NAME)) <= _LONGEST_SOCKET:
            return inside
        name = sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"cpor-{os.getuid()}-{name}"

    @property
    def mailbox(self) -> Path:
        """The mailbox's socket, beside PostgreSQL's, which has the longer name."""
        return self.sockets / "mailbox"

    def make(self) -> None:
        """Make what is missing. Raises StartRefused where that is not possible."""
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.nats, self.logs, self.secrets, self.sockets):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartRefused(
                f"The data directory {self.root} can't be made: {error.strerror} "
                f"({error.filename}); set CPOR_DATA_DIR to another folder."
            ) from error
        if self.sockets.parent != self.root:
            _require_private(self.sockets)


def _require_private(folder: Path) -> None:
    """Raise StartRefused when others can reach into a folder outside of the data directory."""
    found = folder.lstat()
    if not S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or S_IMODE(found.st_mode) & 0o077:
        raise StartRefused(
            f"{folder}, where PostgreSQL's socket would lie, is open to others: remove it, or set "
            "CPOR_DATA_DIR to a folder with a shorter name and no comma in it."
        )


class Fence:
    """A lock on the data directory, held while this process lives."""

    _RUNNING, _STOPPING = "running", "stopping"

    def __init__(self, file: Path) -> None:
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._folder = file.parent

    async def enter(self, *, patience: float = 1.0, until_stopped: float = 60.0) -> None:
        """Take the lock, or raise StartRefused with the holder's pid.

        A holder that is stopping is waited for, `until_stopped` seconds; any other one `patience`
        seconds, for it may have been told to stop just now.
        """
        began = monotonic()
        while not self._locked():
            pid, state = self._holder()
            waited = monotonic() - began
            if waited > (until_stopped if state == self._STOPPING else patience):
                raise StartRefused(
                    f"The data directory {self._folder} is in use by another run (pid {pid}): "
                    "stop that one, or set CPOR_DATA_DIR to another folder."
                )
            await asyncio.sleep(0.05)
        self._write(self._RUNNING)

    def say_stopping(self) -> None:
        """Tell whoever comes next that waiting is worth it."""
        self._write(self._STOPPING)

    def leave(self) -> None:
        """Give the lock back."""
        os.close(self._handle)

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> tuple[str, str]:
        pid, _, state = os.pread(self._handle, 64, 0).decode().strip().partition(" ")
        return pid or "unknown", state

    def _write(self, state: str) -> None:
        text = f"{os.getpid()} {state}\n".encode()
        os.pwrite(self._handle, text, 0)
        os.ftruncate(self._handle, len(text))


@asynccontextmanager
async def fenced(datadir: DataDir) -> AsyncGenerator[Fence]:
    """Hold the data directory alone. Raises StartRefused when another run, or user, holds it."""
    try:
        fence = Fence(datadir.fence)
    except OSError as error:
        raise StartRefused(
            f"The data directory {datadir.root} can't be used: {error.strerror} "
            f"({error.filename}); start cpor as the user who made it, or set CPOR_DATA_DIR to "
            "another folder."
        ) from error
    try:
        await fence.enter()
        yield fence
    finally:
        fence.leave()
