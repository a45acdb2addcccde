"""What the supervisor keeps running: a server or a service."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from signal import SIGKILL, SIGTERM, Signals
from time import monotonic
from typing import Protocol

import psutil

from services.backoff import Backoff
from services.embedded.process import Child
from services.refused import StartRefused
from services.settings import CHECKOUT

_GRACE = 10.0
"""Seconds that a service has to finish what it does."""
_STABLE = 30.0
"""Seconds after which an end counts as a first one again."""

Say = Callable[[str], None]


class Unit(Protocol):
    """A process that is started, watched and stopped."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def start(self) -> None:
        """Start it, again if it ended; StartRefused when that can't be."""
        ...

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        ...

    async def stop(self) -> None:
        """Stop it, if it runs."""
        ...


class Service:
    """One service as a process of its own."""

    _COMMAND = ("-m", "services.cli", "service")

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        command: tuple[str, ...] = (sys.executable, *_COMMAND),
    ) -> None:
        self.name = name
        self._environment = environment
        self._command = (*command, name)
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it; it gets ready by itself."""
        self._child = await Child.start(
            self._command,
            death_signal=SIGKILL,
            environment=self._environment,
            folder=CHECKOUT,
        )

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return await self._child.wait()

    async def stop(self) -> None:
        """Let it finish what it does, for ten seconds; nothing to do when it ended."""
        if self._child is not None:
            await self._child.stop((SIGTERM, _GRACE))

    @classmethod
    def is_one(cls, process: psutil.Process, data_dir: str) -> bool:
        """Whether a process is a service of this data directory."""
        words = process.cmdline()[1:4]
        return tuple(words) == cls._COMMAND and process.environ().get("CPOR_DATA_DIR") == data_dir


async def keep(unit: Unit, say: Say, prepare: Callable[[], Awaitable[None]] | None = None) -> None:
    """Start a unit again whenever it ends, ever later when it ends soon; runs until cancelled.

    `prepare` is run after each such start.
    """
    backoff = Backoff(first=0.5, longest=10.0)
    while True:
        began = monotonic()
        code = await unit.wait()
        if monotonic() - began > _STABLE:
            backoff.reset()
        say(f"{unit.name} ended ({_described(code)}); starting it again.")
        await _start_again(unit, say, backoff, prepare)


async def _start_again(
    unit: Unit, say: Say, backoff: Backoff, prepare: Callable[[], Awaitable[None]] | None
) -> None:
    while True:
        await asyncio.sleep(backoff.next())
        try:
            await unit.start()
            if prepare is not None:
                await prepare()
        except StartRefused as refused:
            say(str(refused))
        else:
            return


def _described(code: int) -> str:
    return f"exit code {code}" if code >= 0 else Signals(-code).name
