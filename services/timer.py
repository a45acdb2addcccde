"""The timer: sends `pass_deadline` for every clock that is due, and lets the claim decide (R18).

It remembers nothing that matters: what is open and due is asked of the projection again and again,
and the command's id is made from the clock that it is for, so that sending it twice has one effect.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg import AsyncConnection

from domain.access import TIMERS_ID
from domain.actor import Actor
from domain.vocabulary import Role
from projections.open_clock import OpenClock, due_clocks, next_due_at
from services.clock import CHANNEL as CLOCK_MOVED
from services.clock import Clock, open_clock
from services.cloudevent import CONTENT_TYPE, command_event
from services.connection import Connection
from services.health import State
from services.leadership import leadership
from services.runtime import Context
from services.settings import Settings
from services.streams import command_subject

PAGE = 500
"""Clocks that are read at once."""
AGAIN = 30.0
"""Seconds after which a command is sent once more when its clock is still open; then twice that."""
LONGEST_AGAIN = 3600.0
IN_FLIGHT = 8
"""Commands sent within SOON and undecided before the timer waits: others' come in between."""
SOON = 1.0
"""Seconds after which a command that was sent, and seems undecided, no longer holds others up."""
SHORTEST_SLEEP = 0.02
"""Seconds after which the timer looks how far they are, while more are due."""
LONGEST_SLEEP = 1.0
"""Seconds after which the timer looks around although nothing was notified and nothing is due."""

ACTOR = Actor(role=Role.TIMER, id="timer")
SOURCE = "/cpor/timer"


class _Sent(NamedTuple):
    """The commands that were sent for a clock which is open still."""

    at: float
    """When the last was, by the event loop's time."""
    times: int


class Timer:
    """Passes deadlines, as the only active one of its kind."""

    name = "timer"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sent: dict[OpenClock, _Sent] = {}

    async def run(self, context: Context) -> None:
        """Pass what is due, overdue first, until told to stop."""
        async with (
            leadership(self._settings.database_url, self.name, context.report) as term,
            open_clock(self._settings) as clock,
            await AsyncConnection.connect(self._settings.database_url, autocommit=True) as store,
        ):
            await store.execute(f"LISTEN {CLOCK_MOVED}")
            context.report(State.RUNNING, "")
            while not context.stopping.is_set() and not term.lost.is_set():
                await clock.refresh()
                all_sent = await self.pass_due(context.nats, store, clock.now())
                await _sleep(store, clock, LONGEST_SLEEP if all_sent else SHORTEST_SLEEP)

    async def pass_due(self, nats: Connection, store: AsyncConnection, now: datetime) -> bool:
        """Send a command for every due clock that has none on its way, oldest first.

        Whether those are all; else so many are on their way that others must have their turn.
        """
        open_still: dict[OpenClock, _Sent] = {}
        flying = 0
        last: OpenClock | None = None
        while flying < IN_FLIGHT:
            limit = min(PAGE, IN_FLIGHT - flying)
            if not (page := await due_clocks(store, now, after=last, limit=limit)):
                break
            last = page[-1]
            tick = asyncio.get_running_loop().time()
            turn = [clock for clock in page if self._is_turn(clock, tick)]
            await asyncio.gather(*(_send(nats, clock, now) for clock in turn))
            for clock in turn:
                before = self._sent.get(clock)
                self._sent[clock] = _Sent(tick, before.times + 1 if before else 1)
            open_still |= {clock: self._sent[clock] for clock in page}
            flying += sum(
                self._sent[clock].times == 1 and tick - self._sent[clock].at < SOON
                for clock in page
            )
        self._sent = open_still
        return flying < IN_FLIGHT

    def _is_turn(self, clock: OpenClock, tick: float) -> bool:
        """Whether a command is to be sent: the first, or one more after an ever longer wait."""
        sent = self._sent.get(clock)
        if sent is None:
            return True
        return tick - sent.at >= min(AGAIN * 2.0 ** (sent.times - 1), LONGEST_AGAIN)


async def _send(nats: Connection, clock: OpenClock, now: datetime) -> None:
    """Publish the command that lets this clock pass; the stream has it when this returns."""
    body = command_event(
        claim_id=clock.claim_id,
        command="pass_deadline",
        command_id=command_id(clock),
        data={"clock": clock.clock, "due_at": clock.due_at},
        actor=ACTOR,
        source=SOURCE,
        time=now,
    )
    subject = command_subject("pass_deadline", clock.claim_id)
    await nats.js.publish(subject, body, headers={"Content-Type": CONTENT_TYPE})


def command_id(clock: OpenClock) -> str:
    """The same for the same clock and due instant, whoever sends it and however often."""
    armed = f"{clock.claim_id}/{clock.clock}/{clock.due_at.astimezone(UTC).isoformat()}"
    return f"{TIMERS_ID}{hashlib.sha256(armed.encode()).hexdigest()[:40]}"


async def _sleep(store: AsyncConnection, clock: Clock, longest: float) -> None:
    """Until the next clock is due, the simulated clock was moved, or it is time to look around."""
    now = clock.now()
    due_at = await next_due_at(store, after=now)
    wait = longest
    if due_at is not None:
        wait = min(wait, (due_at - now).total_seconds())
    async for _ in store.notifies(timeout=wait, stop_after=1):
        pass


def service(settings: Settings) -> Timer:
    """The timer, as the service runner takes it."""
    return Timer(settings)
