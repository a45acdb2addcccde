"""Rebuilds of projections that this web process has started: one at a time, each in a process.

What is known of them ends with the web process; a rebuild ends with it, too. The live projection is
then as it was, unless the new one has taken its place whole.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from domain.refusal import Refusal
from services.rebuild import Phase
from services.rebuilding import Task, Told


class OneAtATime(Refusal):
    """Another projection is being rebuilt."""

    code = "not_possible"


@dataclass(slots=True)
class Rebuild:
    """How a rebuild is getting on, or how it ended."""

    projection: str
    phase: Phase = Phase.FOLDING
    events: int = 0
    total: int = 0
    error: str = ""
    """Why it ended before its time."""
    seconds: float | None = None
    """How long it took; None while it runs."""

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self.seconds is None


class Rebuilds:
    """What was started here, and how the latest of each projection got on."""

    def __init__(self) -> None:
        self._latest: dict[str, Rebuild] = {}
        self._running: asyncio.Task[None] | None = None

    def latest(self, projection: str) -> Rebuild | None:
        """The rebuild of this projection that was started last."""
        return self._latest.get(projection)

    def start(self, projection: str, database_url: str) -> None:
        """Begin to rebuild; what is being rebuilt here already goes on. Raises OneAtATime."""
        for each in self._latest.values():
            if each.runs and each.projection != projection:
                raise OneAtATime(f"the projection {each.projection} is being rebuilt")
            if each.runs:
                return
        rebuild = self._latest[projection] = Rebuild(projection)
        self._running = asyncio.create_task(_run(rebuild, database_url), name="rebuild")

    async def stop(self) -> None:
        """End what runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])


async def _run(rebuild: Rebuild, database_url: str) -> None:
    began = monotonic()
    task = Task(projection=rebuild.projection, database_url=database_url)
    try:
        await _follow(rebuild, json.dumps(task))
    except OSError as error:
        rebuild.error = f"The rebuild can't be started: {error}"
    finally:
        rebuild.seconds = monotonic() - began
        if rebuild.phase is not Phase.DONE and not rebuild.error:
            rebuild.error = "The rebuild ended before its time."


async def _follow(rebuild: Rebuild, task: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.rebuilding"), stdin=PIPE, stdout=PIPE
    )
    try:
        if process.stdin is not None:
            process.stdin.write(f"{task}\n".encode())
            with suppress(ConnectionError):  # that nothing is told tells
                await process.stdin.drain()
        while process.stdout is not None and (line := await process.stdout.readline()):
            told: Told = json.loads(line)
            rebuild.phase, rebuild.error = Phase(told["phase"]), told["error"]
            rebuild.events, rebuild.total = told["events"], told["total"]
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        await process.wait()
