"""The projector: keeps all projections up to date with CPOR_EVENTS, a batch at a time.

A batch is one transaction of rows and positions together, so that every event has exactly one
effect however often it comes. What can't be taken in stops the projector where it is: nothing is
skipped.
"""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable

from projections import position
from projections.board import NotNext
from projections.board_table import ClaimBoard
from projections.open_clock import OpenClocks
from projections.projection import Projection
from projections.stage_table import ClaimStages
from services.event_log import Placed, first_after, read_batch
from services.health import State
from services.inbox import From, PullInbox
from services.leadership import leadership
from services.message import Message
from services.runtime import Context
from services.settings import Settings
from services.streams import EVENTS

BATCH = 1000
"""Events that are taken in by one transaction, at most."""
KEPT = 5_000
"""Claims whose rows are kept in memory, those that changed last: 4 KiB each, about."""


class ProjectionStopped(Exception):  # noqa: N818 - named by what is wrong, as the sentence it holds
    """The projections can't go on; the text says where and why."""


class Projector:
    """Keeps the projections, as the only active one of its kind."""

    name = "projector"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._projections: Sequence[Projection] = (
            ClaimBoard(keep=KEPT),
            OpenClocks(),
            ClaimStages(keep=KEPT),
        )
        self._names = [projection.name for projection in self._projections]
        self._moved_by: dict[str, str] = {}
        """The transactions of ours that moved each projection last, if they were committed."""

    async def run(self, context: Context) -> None:
        """Take events in until told to stop.

        Raises ProjectionStopped where an event is missing or unknown, or a table is gone.
        """
        async with (
            leadership(self._settings.database_url, self.name, context.report),
            await AsyncConnection.connect(self._settings.database_url, autocommit=True) as store,
        ):
            # What a crash of the server takes back, rows and positions alike, comes again.
            await store.execute("SET synchronous_commit = off")
            await position.begin(store, self._names)
            self._moved_by.clear()  # a server that has crashed may number transactions anew
            start = await first_after(context.nats, await self._place(store))
            binding = From(EVENTS, self.name, start)
            async with PullInbox(
                context.nats, binding, stopping=context.stopping, report=context.report
            ) as inbox:
                context.report(State.RUNNING, "")
                while messages := await inbox.take(BATCH):
                    await self._take_in_messages(store, messages)

    async def take_in(self, store: AsyncConnection, batch: Sequence[Placed]) -> None:
        """Bring every projection to the last of these events, in one transaction.

        Raises NotNext, changing nothing, when one of them is not the next of its claim.
        """
        try:
            await self._take_in(store, batch)
        except BaseException:
            self._moved_by.clear()  # what is in memory may be ahead of the tables
            raise

    async def _take_in(self, store: AsyncConnection, batch: Sequence[Placed]) -> None:
        async with store.pipeline(), store.transaction():
            places = await position.lock(store, self._names)
            last = batch[-1].position
            for projection in self._projections:
                place = places[projection.name]
                if place.moved_by != self._moved_by.get(projection.name):
                    # A transaction of ours failed, or another projector or a rebuild came between.
                    projection.forget()
                fresh = [fact for each, fact in batch if each > place.position]
                if fresh:
                    await projection.take_in(store, fresh)
            behind = [name for name in self._names if places[name].position < last]
            if behind:
                await position.advance(store, behind, last)
                self._moved_by |= {name: places[name].locked_by for name in behind}

    async def _take_in_messages(self, store: AsyncConnection, messages: Sequence[Message]) -> None:
        batch, unreadable = read_batch(messages)
        if batch:
            await self._take_in_or_stop(store, batch)
        if unreadable:
            raise ProjectionStopped(str(unreadable)) from unreadable.__cause__

    async def _take_in_or_stop(self, store: AsyncConnection, batch: Sequence[Placed]) -> None:
        try:
            await self.take_in(store, batch)
        except NotNext as error:
            before = [placed.fact for placed in batch].index(error.fact)
            if before:
                await self.take_in(store, batch[:before])
            raise ProjectionStopped(
                f"stopped at position {batch[before].position}: {error}"
            ) from error
        except UndefinedTable as error:
            raise ProjectionStopped(
                f"stopped before position {batch[0].position}: {error.diag.message_primary};"
                " `cpor rebuild` makes a projection's tables anew"
            ) from error

    async def _place(self, store: AsyncConnection) -> int:
        async with store.transaction():
            places = await position.lock(store, self._names)
            return min(place.position for place in places.values())


def service(settings: Settings) -> Projector:
    """The projector, as the service runner takes it."""
    return Projector(settings)
