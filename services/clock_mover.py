"""Moving the simulated clock forward: it stops at every due instant on the way, in order.

While it stands still, everything that is due then happens, over all claims and at exactly that
instant (R18); only when all of it is recorded and on the board does the clock go on. The same goes
for reminders (R26): it goes on when they are among the notices.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg
from psycopg import AsyncConnection

from projections.open_clock import next_due_at
from projections.position import all_reached, recorded
from services.clock import CHANNEL, SimulatedClock, real_now
from services.connection import Connection
from services.database import limited
from services.leadership import is_led
from services.notifier.outbox import heard, next_reminder_at
from services.streams import COMMANDS

PASSED = (
    "claim.review_start_overdue",
    "claim.review_overdue",
    "claim.dispute_result_overdue",
    "claim.partner_response_expired",
    "claim.consent_elapsed",
    "claim.dispute_window_closed",
)
"""The topics of the events by which clocks pass."""
_LOCK = "SELECT pg_advisory_lock(hashtext('cpor clock mover'))"
_NOW = timedelta(seconds=1)
_PAUSE = 0.02
"""Seconds between two looks at whether everything has settled."""
_LETTING_GO = 5.0
"""Seconds that PostgreSQL has to take in that a move is broken off."""
_NOTIFIER = "notifier"


class BackwardsError(Exception):
    """Time does not run backwards once anything has happened."""


class Moved(NamedTuple):
    """Where the clock is now, and how many deadlines passed on the way."""

    now: datetime
    passed: int


class ClockMover:
    """Moves the clock that all services share; one move at a time."""

    def __init__(self, database_url: str, clock: SimulatedClock, nats: Connection) -> None:
        self._database_url = database_url
        self._clock = clock
        self._nats = nats

    async def advance(self, period: timedelta) -> Moved:
        """Move forward by a period. Raises BackwardsError when it is negative."""
        async with self._exclusively() as store:
            return await self._move(store, lambda now: now + period)

    async def set(self, instant: datetime) -> Moved:
        """Move to an instant. Raises BackwardsError when it has passed and an event exists.

        What passed within the last second is now: nobody hits a clock that ticks.
        """
        async with self._exclusively() as store:
            return await self._move(
                store, lambda now: now if now - _NOW <= instant <= now else instant
            )

    async def recover(self) -> None:
        """Let the clock tick again if its mover died and left it standing still.

        Waits while somebody moves it.
        """
        async with self._exclusively() as store:
            await self._let_go(store)

    @asynccontextmanager
    async def _exclusively(self) -> AsyncGenerator[AsyncConnection]:
        """A connection that holds the right to move the clock."""
        async with await AsyncConnection.connect(self._database_url, autocommit=True) as store:
            await store.execute(_LOCK)
            yield store

    async def _move(
        self, store: AsyncConnection, target_at: Callable[[datetime], datetime]
    ) -> Moved:
        await self._clock.refresh_by(store)
        began_at = await recorded(store)
        now = self._clock.now()
        target = target_at(now)
        if target < now:
            if began_at:
                raise BackwardsError("the clock does not run backwards once an event exists")
            await self._tick_from(store, target)
            return Moved(self._clock.now(), 0)
        try:
            await self._pass_all(store, target)
        except BaseException:
            with suppress(psycopg.Error), limited(store, _LETTING_GO):  # else it is for `recover`
                await self._let_go(store)
            raise
        return Moved(self._clock.now(), await _passed_since(store, began_at))

    async def _pass_all(self, store: AsyncConnection, target: datetime) -> None:
        """Stop at every instant up to the target at which something is due, then tick from there.

        Reminders are waited for when a notifier is active at the start: then also while it is away
        for a moment, as with the other services. Without one they are left to the next.
        """
        reminds = await is_led(store, _NOTIFIER)
        await self._settled(store, reminds=reminds)
        while (due_at := await _next_due_at(store, reminds=reminds)) and due_at <= target:
            await self._stand_still_at(store, max(due_at, self._clock.now()))
            await _until(lambda: self._nothing_due(store, reminds=reminds))
        await self._tick_from(store, max(target, self._clock.now()))
        await self._settled(store, reminds=reminds)

    async def _let_go(self, store: AsyncConnection) -> None:
        """Tick from where the clock stands still, if it does."""
        await self._clock.refresh_by(store)
        if self._clock.frozen_at:
            await self._tick_from(store, self._clock.frozen_at)

    async def _stand_still_at(self, store: AsyncConnection, instant: datetime) -> None:
        await store.execute(
            "INSERT INTO cpor.simulated_clock (since, frozen_at) VALUES (%s, %s)",
            [real_now(), instant],
        )
        await self._tell(store)

    async def _tick_from(self, store: AsyncConnection, instant: datetime) -> None:
        now = real_now()
        await store.execute(
            "INSERT INTO cpor.simulated_clock (since, offset_by) VALUES (%s, %s)",
            [now, instant - now],
        )
        await self._tell(store)

    async def _tell(self, store: AsyncConnection) -> None:
        await store.execute(f"NOTIFY {CHANNEL}")
        await self._clock.refresh_by(store)

    async def _settled(self, store: AsyncConnection, *, reminds: bool) -> None:
        """Wait until all that arrived by now is decided, and all it recorded is on the board.

        And, where there is a notifier, until it has heard of that, so that it knows the reminders.
        """
        arrived = (await self._nats.js.stream_info(COMMANDS)).state.last_seq
        await _until(lambda: self._all_decided(arrived))
        head = await recorded(store)
        await _until(lambda: _all_projected(store, head))
        if reminds:
            await _until(lambda: _all_heard(store, head))

    async def _nothing_due(self, store: AsyncConnection, *, reminds: bool) -> bool:
        await self._settled(store, reminds=reminds)
        due_at = await _next_due_at(store, reminds=reminds)
        return due_at is None or due_at > self._clock.now()

    async def _all_decided(self, arrived: int) -> bool:
        state = (await self._nats.js.stream_info(COMMANDS)).state
        return state.messages == 0 or state.first_seq > arrived


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again: neither a stream nor the other services announce that they are done."""
    task = asyncio.current_task()
    while not await holds():
        if task and task.cancelling():  # told while an answer of NATS came: nats-py then forgets it
            raise asyncio.CancelledError
        await asyncio.sleep(_PAUSE)


async def _all_projected(store: AsyncConnection, position: int) -> bool:
    return min((await all_reached(store)).values(), default=0) >= position


async def _all_heard(store: AsyncConnection, position: int) -> bool:
    return await heard(store) >= position


async def _next_due_at(store: AsyncConnection, *, reminds: bool) -> datetime | None:
    """When the next clock is due that has not passed, or somebody is to be reminded of one."""
    ahead = [await next_due_at(store), await next_reminder_at(store) if reminds else None]
    return min(filter(None, ahead), default=None)


async def _passed_since(store: AsyncConnection, position: int) -> int:
    rows = await store.execute(
        "SELECT count(*) FROM cpor.stored_events WHERE notification_id > %s AND topic = ANY(%s)",
        [position, list(PASSED)],
    )
    row = await rows.fetchone()
    return int(row[0]) if row else 0
