"""Rebuilding a projection beside the live one, and putting it in the live one's place.

The store's log is folded, as of one moment, by several processes into tables beside the live ones;
what came meanwhile is taken in as the projector does it; the last of it and the swap are one
transaction, which holds the projection's position. Readers see the old tables or the new ones, and
nothing between. A rebuild that is killed leaves only tables that the next one drops.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, LockNotAvailable

from projections import position
from projections.projection import Projection
from projections.registry import PROJECTIONS
from services.backoff import Backoff
from services.beside import TablesBeside
from services.refold import Answer, Order
from services.store import remember

RANGE: Final = 100_000
"""Events that are read and folded at once, about: what bounds the memory that is needed."""
BATCH: Final = 2_000
"""Events that are taken in by one transaction when catching up."""
PROCESSES: Final = max(1, min(3, os.cpu_count() or 1))
"""How many fold at once, unless somebody asks for more; each needs about 120 MiB."""
_LOCK_TIMEOUT: Final = "500ms"
"""How long the swap waits for readers, who wait behind it meanwhile, before it tries again."""
_FIRST: Final = UUID(int=0)


class RebuildRefused(Exception):  # noqa: N818 - a refusal, named after what it is
    """A rebuild can't begin; the text is one sentence that says why."""


class RebuildFailedError(Exception):
    """A rebuild ended before its time; the live projection is as it was."""


class Phase(StrEnum):
    """What a rebuild is doing."""

    FOLDING = "folding"
    INDEXING = "indexing"
    CATCHING_UP = "catching up"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild has come."""

    phase: Phase
    events: int
    """Taken in so far."""
    total: int
    """Known to be in the log."""
    position: int = 0
    """To which the rebuilt projection has come; 0 until it is done."""


Tell = Callable[[Progress], None]


async def rebuild(
    database_url: str, name: str, tell: Tell, *, processes: int = PROCESSES
) -> Progress:
    """Rebuild the projection of this name from the store; how it ended.

    Raises RebuildRefused for an unknown name and while another rebuild of it runs, and
    RebuildFailedError where the store's log can't be folded, or a process ends before its time.
    """
    if name not in PROJECTIONS:
        raise RebuildRefused(f"There is no projection {name}: there are {', '.join(PROJECTIONS)}.")
    projection = PROJECTIONS[name](beside=True)
    tables = TablesBeside(projection.tables)
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await _begin(store, name)
        await tables.drop(store)
        await tables.create(store)
        events, place = await _fold(store, database_url, name, tell, processes)
        tell(Progress(Phase.INDEXING, events, events))
        await tables.index(store)
        await projection.complete(store)
        await tables.analyse(store)
        return await _Successor(store, projection, tables, tell, events, place).take_over()


async def _begin(store: AsyncConnection, name: str) -> None:
    rows = await store.execute(
        "SELECT pg_try_advisory_lock(hashtext('cpor rebuild ' || %s))", [name]
    )
    if await rows.fetchone() != (True,):
        raise RebuildRefused(f"The projection {name} is being rebuilt already.")
    await store.execute("SET maintenance_work_mem = '128MB'")
    await position.begin(store, [name])


async def being_rebuilt(connection: AsyncConnection) -> frozenset[str]:
    """The projections that anybody rebuilds just now, whoever started it."""
    rows = await connection.execute(_BEING_REBUILT, [list(PROJECTIONS)])
    return frozenset(name for (name,) in await rows.fetchall())


# Folding the log as of one moment


async def _fold(
    store: AsyncConnection, database_url: str, name: str, tell: Tell, processes: int
) -> tuple[int, int]:
    """Fill the tables beside; how many events that took, and the position of the last."""
    folded = 0
    async with store.transaction():  # its snapshot is everybody's, and lasts as long
        await store.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        total, place, snapshot = await _one(store, _MOMENT)
        bounds = await _bounds(store, total)
        orders = [
            Order(snapshot=snapshot, low=str(low), high=str(high) if high else None)
            for low, high in zip([_FIRST, *bounds], [*bounds, None], strict=True)
        ]
        waiting = iter(orders)
        task = json.dumps({"projection": name, "database_url": database_url})

        async def work() -> None:
            nonlocal folded
            async with _process(task) as process:
                for order in waiting:
                    answer = await _ask(process, order)
                    folded += answer["events"]
                    tell(Progress(Phase.FOLDING, folded, total))

        tell(Progress(Phase.FOLDING, 0, total))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(processes, len(orders))):
                    group.create_task(work())
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults
    return folded, place


async def _bounds(store: AsyncConnection, total: int) -> list[UUID]:
    """Claim ids that cut the log into ranges of about the same number of events."""
    ranges = -(-total // RANGE)
    if ranges < 2:  # noqa: PLR2004 - nothing to cut
        return []
    fractions = [number / ranges for number in range(1, ranges)]
    percent = max(1.0, min(100.0, 100 * RANGE / total))
    (found,) = await _one(store, _BOUNDS, [fractions, percent])
    return sorted(set(found or ()) - {_FIRST})


async def _one(
    store: AsyncConnection, statement: bytes, parameters: Sequence[object] = ()
) -> tuple[Any, ...]:
    row = await (await store.execute(statement, parameters)).fetchone()
    return row or ()


@asynccontextmanager
async def _process(task: str) -> AsyncGenerator[Process]:
    """A process that folds, for the length of a block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.refold"), stdin=PIPE, stdout=PIPE
    )
    try:
        await _write(process, task)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ask(process: Process, order: Order) -> Answer:
    await _write(process, json.dumps(order))
    line = await process.stdout.readline() if process.stdout else b""
    if not line:
        raise RebuildFailedError("A process of the rebuild ended before its time.")
    answer: Answer = json.loads(line)
    if answer["error"]:
        raise RebuildFailedError(f"The log can't be folded: {answer['error']}")
    return answer


async def _write(process: Process, line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(f"{line}\n".encode())
        with suppress(ConnectionError):  # the missing answer tells
            await process.stdin.drain()


# Catching up, and the swap


class _Successor:
    """The tables beside, on their way to take the live ones' place."""

    def __init__(
        self,
        store: AsyncConnection,
        projection: Projection,
        tables: TablesBeside,
        tell: Tell,
        events: int,
        place: int,
    ) -> None:
        self._store = store
        self._projection = projection
        self._tables = tables
        self._tell = tell
        self._events = events
        self._place = place

    async def take_over(self) -> Progress:
        """Take in what came meanwhile, and swap."""
        pauses = Backoff(0.05, 2.0)
        while True:
            while await self._take_in(least=BATCH):
                pass
            try:
                done = await self._swap()
            except (LockNotAvailable, DeadlockDetected):
                await asyncio.sleep(pauses.next())
            else:
                self._tell(done)
                return done

    async def _take_in(self, least: int = 1) -> bool:
        """Take in the next events, if there are so many."""
        rows = await self._store.execute(_NEXT, [self._place, BATCH])
        found = await rows.fetchall()
        if len(found) < least:
            return False
        facts = [remember(claim, number, topic, state) for _, claim, number, topic, state in found]
        async with self._store.transaction():
            await self._projection.take_in(self._store, facts)
        self._place = found[-1][0]
        self._events += len(facts)
        self._tell(Progress(Phase.CATCHING_UP, self._events, self._events))
        return True

    async def _swap(self) -> Progress:
        """The last events and the change of tables, at one stroke, while the projector waits."""
        before = self._place, self._events
        try:
            async with self._store.transaction():
                await self._store.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                await position.lock(self._store, [self._projection.name])
                while await self._take_in():
                    pass
                await self._tables.swap(self._store)
                await position.advance(self._store, [self._projection.name], self._place)
        except BaseException:
            self._place, self._events = before
            raise
        return Progress(Phase.DONE, self._events, self._events, self._place)


_MOMENT: Final = b"""
SELECT count(*), coalesce(max(notification_id), 0), pg_export_snapshot() FROM cpor.stored_events
"""
_BEING_REBUILT: Final = b"""
SELECT name FROM unnest(%s::text[]) AS name JOIN pg_locks
    ON (classid::bigint << 32 | objid::bigint) = hashtext('cpor rebuild ' || name)
WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BOUNDS: Final = b"""
SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY originator_id)
FROM cpor.stored_events TABLESAMPLE SYSTEM (%s)
"""
_NEXT: Final = b"""
SELECT notification_id, originator_id::text, originator_version, topic, state
FROM cpor.stored_events WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""
