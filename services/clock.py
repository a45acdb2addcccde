"""The injected clock: real time, or in development a simulated one that everybody shares.

This is the only module that asks the machine for the time.
"""

from bisect import bisect_right
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.settings import Settings

CHANNEL = "cpor_clock"
"""Notified when the simulated clock was moved."""


def real_now() -> datetime:
    """The machine's time, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


class Clock(Protocol):
    """What tells the time to the services."""

    async def refresh(self) -> None:
        """Learn of every movement so far; `at` is exact for all moments before this call."""
        ...

    def at(self, moment: datetime) -> datetime:
        """The instant that counts for what happened at this real moment (R18)."""
        ...

    def now(self) -> datetime:
        """The instant that counts for the present."""
        ...


class SystemClock:
    """Real time."""

    async def refresh(self) -> None:
        """Real time needs no telling."""

    def at(self, moment: datetime) -> datetime:
        """The moment itself."""
        return moment

    def now(self) -> datetime:
        """The machine's time."""
        return real_now()


class Movement(NamedTuple):
    """From a real moment on, the clock stands still at an instant, or ticks with an offset."""

    since: datetime
    offset_by: timedelta
    frozen_at: datetime | None

    def at(self, moment: datetime) -> datetime:
        """The simulated instant of a real moment that this movement governs."""
        return self.frozen_at or moment + self.offset_by


_START = Movement(datetime.min.replace(tzinfo=UTC), timedelta(0), None)


class SimulatedClock:
    """Real time plus an offset, kept in the database as the log of its movements."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool
        self._movements = [_START]

    async def refresh(self) -> None:
        """Read the movements that came since the last call."""
        async with self._pool.connection() as connection:
            await self.refresh_by(connection)

    async def refresh_by(self, connection: AsyncConnection) -> None:
        """The same, by a connection that is already at hand."""
        rows = await connection.execute(
            "SELECT since, coalesce(offset_by, interval '0'), frozen_at"
            " FROM cpor.simulated_clock WHERE since > %s ORDER BY since",
            [self._movements[-1].since],
        )
        movements = [Movement(*row) for row in await rows.fetchall()]
        known = self._movements[-1].since  # as of now: another refresh may have been quicker
        self._movements += [movement for movement in movements if movement.since > known]

    def at(self, moment: datetime) -> datetime:
        """The simulated instant of a real moment."""
        governing = bisect_right(self._movements, moment, key=lambda movement: movement.since)
        return self._movements[max(governing - 1, 0)].at(moment)

    def now(self) -> datetime:
        """The simulated instant of the present, as of the last refresh."""
        return self.at(real_now())

    @property
    def frozen_at(self) -> datetime | None:
        """Where the clock stands still, if it does."""
        return self._movements[-1].frozen_at


@asynccontextmanager
async def open_clock(settings: Settings) -> AsyncGenerator[Clock]:
    """The clock that the settings ask for, up to date."""
    if settings.clock == "system":
        yield SystemClock()
        return
    async with AsyncConnectionPool[AsyncConnection](
        settings.database_url, min_size=0, max_size=2, open=False, name="clock"
    ) as pool:
        clock = SimulatedClock(pool)
        await clock.refresh()
        yield clock
