"""The notifier's loop: hears events, remembers reminders, lets the courier send, tells webhooks.

Each of the four can be killed at any instant: what an event comes to is written with the position
past it, a reminder becomes a notice in one transaction, whoever holds a notice's row sends it, and
how far a webhook was told moves when its receiver has said yes.
"""

import asyncio
from collections.abc import Sequence

from psycopg import AsyncConnection

from services.clock import CHANNEL as CLOCK_MOVED
from services.clock import open_clock
from services.event_log import Placed, first_after, read_batch
from services.health import Parts, Report
from services.inbox import From, PullInbox
from services.leadership import leadership
from services.message import Message
from services.notifier import outbox
from services.notifier.courier import Courier
from services.notifier.plan import Planner
from services.notifier.webhook import Webhooks
from services.runtime import Context
from services.settings import Settings
from services.streams import EVENTS

BATCH = 500
"""Events that are taken in by one transaction, at most."""
LOOK = 1.0
"""Seconds after which a reminder is looked for although nothing was notified."""


class Notifier:
    """Tells people what they must hear, as the only active one of its kind."""

    name = "notifier"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._planner = Planner()
        self._courier = Courier(settings)
        self._webhooks = Webhooks(settings)

    async def run(self, context: Context) -> None:
        """Work until told to stop.

        Raises Unreadable or NotNext where an event is unknown or missing: nothing is skipped.
        """
        stopping, parts = context.stopping, Parts(context.report, "hear", "send")
        async with (
            leadership(self._settings.database_url, self.name, context.report),
            asyncio.TaskGroup() as work,
        ):
            work.create_task(self._hear(context, parts.of("hear")), name="hear")
            work.create_task(self._remind(stopping), name="remind")
            work.create_task(self._courier.run(stopping, parts.of("send")), name="send")
            work.create_task(self._webhooks.run(stopping), name="tell")

    async def _hear(self, context: Context, report: Report) -> None:
        """Take events in, a batch at a time."""
        async with await AsyncConnection.connect(self._settings.database_url) as store:
            async with store.transaction():
                place = await outbox.lock_position(store)
            start = await first_after(context.nats, place)
            binding = From(EVENTS, self.name, start)
            async with PullInbox(
                context.nats, binding, stopping=context.stopping, report=report
            ) as inbox:
                while messages := await inbox.take(BATCH):
                    await self._take_in(store, messages)

    async def _take_in(self, store: AsyncConnection, messages: Sequence[Message]) -> None:
        batch, unreadable = read_batch(messages)
        try:
            await self.take_in(store, batch)
        except BaseException:
            self._planner.forget()  # what is in memory may be ahead of the position
            raise
        if unreadable:
            raise unreadable

    async def take_in(self, store: AsyncConnection, batch: Sequence[Placed]) -> None:
        """Write what these events come to, and move past them, in one transaction."""
        async with store.transaction():
            place = await outbox.lock_position(store)
            fresh = [fact for position, fact in batch if position > place]
            if fresh:
                plan = await self._planner.plan(store, fresh)
                await outbox.write(store, plan, batch[-1].position)

    async def _remind(self, stopping: asyncio.Event) -> None:
        """Make notices of reminders when they are due, by the system's clock."""
        url = self._settings.database_url
        async with (
            open_clock(self._settings) as clock,
            await AsyncConnection.connect(url, autocommit=True) as store,
        ):
            await store.execute(f"LISTEN {CLOCK_MOVED}")
            while not stopping.is_set():
                await clock.refresh()
                now = clock.now()
                next_at = await outbox.next_reminder_at(store)
                if next_at is not None and next_at <= now:
                    await outbox.remind(store, now)
                    next_at = await outbox.next_reminder_at(store)
                wait = LOOK
                if next_at is not None and next_at > now:  # else its claim's events come first
                    wait = min(LOOK, (next_at - now).total_seconds())
                async for _ in store.notifies(timeout=wait, stop_after=1):
                    pass


def service(settings: Settings) -> Notifier:
    """The notifier, as the service runner takes it."""
    return Notifier(settings)
