"""What happens to a running system, by chance, from a seed: kills, stalls, cuts, jumps of time."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.clock import SimulatedClock, real_now
from services.clock_mover import ClockMover
from services.connection import UnreachableError, connected
from services.streams import CLAIMS_CONSUMER, COMMANDS, EVENTS
from tests.claims.orders import upload
from tests.system import checker
from tests.system.line import Line
from tests.system.rig import BACKSTAGE, System
from tests.system.upstream import Upstream
from tests.system.workload import Workload

_SERVERS: Final = ("nats", "postgres")
_LONG_AFTER = timedelta(days=500)
"""By then every clock that a workload can have opened is due."""
_PATIENCE = 120.0
_MONDAY = datetime.fromisoformat("2031-03-03T08:00:00Z")


class Nemesis:
    """Strikes one or two parts of a system at a time, and lets them heal."""

    def __init__(self, system: System, database: Line, broker: Line, seed: str) -> None:
        self._system = system
        self._lines = {"postgres": database, "nats": broker}
        self._chance = random.Random(f"nemesis {seed}")  # noqa: S311 - to be played again
        self._seconds: Callable[[float, float], float] = self._chance.uniform
        self.strikes: list[str] = []
        """What was done, in words."""

    async def strike(self) -> None:
        """Do one thing, or two at once to different parts."""
        deeds: list[Coroutine[Any, Any, None]] = []
        for target in self._chance.sample((*BACKSTAGE, *_SERVERS), self._chance.choice((1, 1, 2))):
            kinds = self._to_server if target in _SERVERS else self._to_service
            deed = self._chance.choice(kinds)
            self.strikes.append(f"{deed.__name__} {target}")
            deeds.append(deed(target))
        await asyncio.gather(*deeds)

    def pause(self) -> float:
        """Seconds until the next strike."""
        return self._seconds(0.1, 1.0)

    @property
    def _to_service(self) -> tuple[Callable[[str], Coroutine[Any, Any, None]], ...]:
        return (self.kill, self.kill, self.kill_twice, self.restart, self.freeze, self.outnumber)

    @property
    def _to_server(self) -> tuple[Callable[[str], Coroutine[Any, Any, None]], ...]:
        return (
            *(self.kill, self.restart, self.freeze, self.cut, self.stall, self.slow_down),
            self.take_away,
            self.jump,
        )

    async def kill(self, target: str) -> None:
        """Kill -9, and a start at once."""
        await self._system.kill(target)

    async def kill_twice(self, target: str) -> None:
        """The second time in the middle of what is to be mended."""
        await self._system.kill(target)
        await asyncio.sleep(self._seconds(0.5, 2.0))
        await self._system.kill(target)

    async def restart(self, target: str) -> None:
        """An end in order, under load, and a start."""
        await self._system.restart(target)

    async def freeze(self, target: str) -> None:
        """Standing still, longer than a message waits for its acknowledgement, perhaps."""
        with self._system.frozen(target):
            await asyncio.sleep(self._seconds(0.2, 5.0))

    async def outnumber(self, target: str) -> None:
        """A second instance, which stays when the first one is killed."""
        await self._system.start_service(target, "-second")
        await asyncio.sleep(self._seconds(0.5, 1.5))
        await self._system.kill(target)
        await self._system.stop_service(f"{target}-second")

    async def cut(self, target: str) -> None:
        """All connections to a server end, and can be made again."""
        await self._lines[target].cut()

    async def stall(self, target: str) -> None:
        """A network that swallows everything, for a while."""
        self._lines[target].stall()
        await asyncio.sleep(self._seconds(0.5, 5.0))
        self._lines[target].flow()

    async def slow_down(self, target: str) -> None:
        """A network on which everything takes long, for a while."""
        self._lines[target].delay = self._seconds(0.05, 0.5)
        await asyncio.sleep(self._seconds(1.0, 3.0))
        self._lines[target].delay = 0.0

    async def take_away(self, target: str) -> None:
        """What services lean on is deleted, locked, or ended by an administrator."""
        if target == "nats":
            await self._delete(self._chance.choice(("consumer", "stream", "purge")))
            return
        async with await AsyncConnection.connect(
            self._system.settings.database_url, autocommit=True
        ) as store:
            if self._chance.random() < 0.5:
                await store.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
                return
            async with store.transaction():
                await store.execute("LOCK TABLE cpor.stored_events IN EXCLUSIVE MODE")
                await asyncio.sleep(self._seconds(0.5, 3.0))

    async def _delete(self, what: str) -> None:
        try:
            async with connected(self._system.nats.url, "nemesis", 10.0) as nats:
                match what:
                    case "consumer":
                        await nats.js.delete_consumer(COMMANDS, CLAIMS_CONSUMER)
                    case "stream":
                        await nats.js.delete_stream(EVENTS)
                    case _:
                        await nats.js.purge_stream(EVENTS)
                        await asyncio.sleep(self._seconds(0.0, 2.0))
                        # A relay that went on meanwhile has stopped, and asks for this.
                        await nats.js.delete_stream(EVENTS)
        except (NotFoundError, UnreachableError, NatsError):
            return  # NATS is struck, too, or the last time is not mended yet

    async def jump(self, _target: str) -> None:
        """The simulated clock jumps by days: much falls due at once."""
        days = self._chance.randint(1, 9)
        with suppress(psycopg.OperationalError):  # PostgreSQL is struck, too
            await self._jump(timedelta(days=days))

    async def _jump(self, period: timedelta) -> None:
        async with await AsyncConnection.connect(
            self._system.settings.database_url, autocommit=True
        ) as store:
            await store.execute(
                "INSERT INTO cpor.simulated_clock (since, offset_by)"
                " SELECT %s, offset_by + %s FROM cpor.simulated_clock"
                " WHERE offset_by IS NOT NULL ORDER BY since DESC LIMIT 1",
                [real_now(), period],
            )
            await store.execute("NOTIFY cpor_clock")


@asynccontextmanager
async def struck(folder: Path, seed: str) -> AsyncGenerator[tuple[System, Nemesis]]:
    """A system on the simulated clock, with a line to each server, and its nemesis."""
    system = System(folder, clock="simulated")
    try:
        await system.start_servers()
        async with Line(system.postgres.url) as database, Line(system.nats.url) as broker:
            system.wired = system.settings.model_copy(
                update={"database_url": database.url, "nats_url": broker.url}
            )
            await system.start_services()
            yield system, Nemesis(system, database, broker, seed)
            await system.stop_services()
    finally:
        await system.stop()


async def mixed_run(folder: Path, seed: str, seconds: float) -> str:
    """Load and strikes for a while, then the end of all clocks, and every invariant.

    Returns what was done, in one line.
    """
    until = asyncio.get_running_loop().time() + seconds
    async with struck(folder, seed) as (system, nemesis):
        url = system.settings.database_url
        await asyncio.to_thread(upload, url)
        async with (
            connected(system.nats.url, "upstream", _PATIENCE) as nats,
            AsyncConnectionPool[AsyncConnection](url, open=False, max_size=2, min_size=0) as pool,
        ):
            clock = SimulatedClock(pool)
            mover = ClockMover(url, clock, nats)
            await mover.set(_MONDAY)
            upstream = Upstream(nats)
            await upstream.listen()
            workload = Workload(upstream, seed)
            working = asyncio.create_task(workload.run())
            try:
                while asyncio.get_running_loop().time() < until and not working.done():
                    await nemesis.strike()
                    await asyncio.sleep(nemesis.pause())
                workload.stop()
                async with asyncio.timeout(_PATIENCE):
                    await working
                    await system.until_running()
                    await mover.advance(_LONG_AFTER)
                await system.until_settled()
                await checker.check(url, nats, upstream, clock.now())
            except BaseException as error:
                error.add_note(f"seed {seed!r}; what was done: {', '.join(nemesis.strikes)}")
                raise
            finally:
                working.cancel()
            done = f"{workload.lives} lives, {len(upstream.accepted)} accepted commands"
    return f"{done}, {len(nemesis.strikes)} strikes"
