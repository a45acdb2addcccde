"""Processes that this one starts, in a session of their own, and those that an earlier run left."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals
from time import monotonic
from typing import BinaryIO

import psutil

_TETHER = Path(__file__).with_name("tether.py")
_LARGEST_LOG = 10 * 1024 * 1024
_GLANCE = 0.01
"""Seconds between two looks at a process that is to end or to get ready."""


class Child:
    """A process that gets `death_signal` when this one dies, however it dies (Linux).

    Its session is its own: a Ctrl-C reaches this process alone, which decides what ends when.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        death_signal: Signals,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> "Child":
        """Start a command in a folder; its output goes to the end of `log`, or where ours goes."""
        with _output(log) as output:
            return cls(
                await asyncio.create_subprocess_exec(
                    *tethered(command, death_signal),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    cwd=folder,
                    start_new_session=True,
                )
            )

    @property
    def pid(self) -> int:
        """Its process id, and its group's."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Its exit code when it has ended; negative for a signal's number."""
        return await self._process.wait()

    async def stop(self, *steps: tuple[Signals, float]) -> None:
        """Send each signal and give it so many seconds; what is left of its group is killed."""
        for name, grace in steps:
            if self.ended:
                return
            self._process.send_signal(name)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace)
        if not self.ended:
            os.killpg(self.pid, signal.SIGKILL)
            await self._process.wait()


def tethered(command: Sequence[str], death_signal: Signals) -> Sequence[str]:
    """The command that runs `command` and ends it by a signal when this process dies."""
    if sys.platform != "linux":
        return command
    python = (sys.executable, "-I", "-S", str(_TETHER))
    return (*python, str(int(death_signal)), str(os.getpid()), *command)


def survivors(ours: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """The running processes, other than this one, that `ours` recognises."""
    return [process for process in psutil.process_iter() if _recognised(process, ours)]


async def end(processes: Iterable[psutil.Process], *steps: tuple[Signals, float]) -> None:
    """Send each signal and give all so many seconds; what is left is killed, and waited for.

    Raises TimeoutError when a killed process stays for ten seconds.
    """
    left = [process for process in processes if runs(process)]

    def gone() -> bool:
        return not any(runs(process) for process in left)

    for name, grace in (*steps, (signal.SIGKILL, 10.0)):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(name)
        if await holds(gone, grace):
            return
    raise TimeoutError(f"killed, and still there: {', '.join(str(each.pid) for each in left)}")


def runs(process: psutil.Process) -> bool:
    """Whether a process is there and more than a zombie that waits for its parent."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def holds(condition: Callable[[], bool], timeout: float) -> bool:
    """Wait until a condition on the world outside holds: False after `timeout` seconds."""
    deadline = monotonic() + timeout
    while not condition():
        if monotonic() > deadline:
            return False
        await asyncio.sleep(_GLANCE)
    return True


def size(log: Path) -> int:
    """Bytes that a log holds; 0 while there is none."""
    return log.stat().st_size if log.exists() else 0


def fatal_line(log: Path, mark: str, since: int = 0) -> str:
    """The last line of a log, after so many bytes, that has a mark; else the very last line."""
    written = log.read_bytes()
    begin = since if since <= len(written) else 0
    lines = written[begin:].decode(errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip()]
    return next((line for line in reversed(told) if mark in line), told[-1] if told else "no word")


@contextmanager
def _output(log: Path | None) -> Generator[BinaryIO | None]:
    if log is None:
        yield None
        return
    if size(log) > _LARGEST_LOG:
        log.replace(log.with_suffix(".old.log"))
    with log.open("ab") as file:
        yield file


def _recognised(process: psutil.Process, ours: Callable[[psutil.Process], bool]) -> bool:
    try:
        return process.pid != os.getpid() and runs(process) and ours(process)
    except psutil.Error:
        return False
