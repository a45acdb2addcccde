"""The simulated clock and the timer: every due clock passes once, at exactly its instant."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic_core import from_json

from services.clock import SimulatedClock
from services.clock_mover import BackwardsError, ClockMover
from services.connection import Connection, connected
from services.store import event_name
from tests.claims.orders import REVIEWER, TO_APPROVAL, upload
from tests.system import checker
from tests.system.rig import System, running
from tests.system.upstream import Upstream

NAMESPACE = UUID("c1a10000-0000-4000-8000-000000000000")
MONDAY = datetime.fromisoformat("2031-03-03T08:00:00Z")
REQUIRE_ACTION = (
    "require_action",
    {"reasons": ["missing_or_old_dates"], "comment": "Please date it."},
    REVIEWER,
)


class Stage(NamedTuple):
    """A system on the simulated clock, and what a test acts with."""

    system: System
    nats: Connection
    upstream: Upstream
    clock: SimulatedClock
    mover: ClockMover

    async def approve(self, number: int) -> UUID:
        """Take a claim to its approval."""
        claim_id = uuid5(NAMESPACE, str(number))
        for command, data, actor in TO_APPROVAL:
            await self.upstream.send(claim_id, command, data, actor)
        return claim_id

    async def require_action(self, number: int) -> UUID:
        """Take a claim to where its partner must act."""
        claim_id = uuid5(NAMESPACE, str(number))
        for command, data, actor in (*TO_APPROVAL[:4], REQUIRE_ACTION):
            await self.upstream.send(claim_id, command, data, actor)
        return claim_id

    def history(self, claim_id: UUID, since: str = "created") -> list[tuple[str, str]]:
        """What happened to a claim, and when, from an event on."""
        entries = [
            (event_name(entry.topic), from_json(entry.state)["timestamp"])
            for entry in checker.log_of(self.system.settings.database_url)
            if entry.claim_id == claim_id
        ]
        names = [name for name, _ in entries]
        return entries[names.index(since) :]


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """All services but the web, on a Monday morning of 2031."""
    async with running(tmp_path / "data", clock="simulated") as system:
        url = system.settings.database_url
        await asyncio.to_thread(upload, url)
        await system.until_running()
        async with (
            connected(system.nats.url, "test", 30.0) as nats,
            AsyncConnectionPool[AsyncConnection](url, open=False, max_size=2, min_size=0) as pool,
        ):
            upstream = Upstream(nats)
            await upstream.listen()
            clock = SimulatedClock(pool)
            mover = ClockMover(url, clock, nats)
            await mover.set(MONDAY)
            yield Stage(system, nats, upstream, clock, mover)


@pytest.mark.rule("R9")
@pytest.mark.rule("R18")
async def test_moving_on_stops_at_every_due_instant_in_order(stage: Stage) -> None:
    """Three claims, three kinds of clocks: each passes at its instant, and what follows too."""
    silent = await stage.approve(1)
    unanswered = await stage.require_action(2)
    await stage.mover.set(MONDAY + timedelta(days=1))
    later = await stage.approve(3)

    moved = await stage.mover.advance(timedelta(days=60))

    assert moved.passed == 4
    assert stage.history(silent, since="consent_elapsed") == [
        ("consent_elapsed", "2031-03-11T00:00:00Z"),
        ("sent_for_assessment", "2031-03-11T00:00:00Z"),
    ]
    assert stage.history(unanswered, since="partner_response_expired") == [
        ("partner_response_expired", "2031-03-11T00:00:00Z"),
        ("rejected", "2031-03-11T00:00:00Z"),
        ("dispute_window_closed", "2031-04-11T00:00:00Z"),
    ]
    assert stage.history(later, since="consent_elapsed")[0][1] == "2031-03-12T00:00:00Z"
    await checker.check(stage.system.settings.database_url, stage.nats, stage.upstream)


async def test_the_clock_ticks_and_never_runs_backwards(stage: Stage) -> None:
    """Once anything has happened, only forward; the time that passes for real passes on it too."""
    await stage.approve(1)
    before = stage.clock.now()

    with pytest.raises(BackwardsError):
        await stage.mover.set(MONDAY - timedelta(seconds=1))
    with pytest.raises(BackwardsError):
        await stage.mover.advance(timedelta(days=-1))

    assert MONDAY < before < stage.clock.now() < MONDAY + timedelta(minutes=2)


@pytest.mark.fault(7)
@pytest.mark.fault(53)
async def test_what_fell_due_while_the_timer_was_dead_passes_once(stage: Stage) -> None:
    """Overdue clocks pass when it is back, at the instant at which the clock waits for them."""
    claims = [await stage.approve(number) for number in range(8)]
    await stage.system.kill_for_good("timer")
    moving = asyncio.create_task(stage.mover.advance(timedelta(days=10)))
    await _until_frozen(stage)
    await stage.system.start_service("timer")
    await asyncio.wait([moving], timeout=0.05)
    await stage.system.kill("timer")

    moved = await moving

    assert moved.passed == len(claims)
    for claim_id in claims:
        assert stage.history(claim_id, since="consent_elapsed") == [
            ("consent_elapsed", "2031-03-11T00:00:00Z"),
            ("sent_for_assessment", "2031-03-11T00:00:00Z"),
        ]


async def test_without_a_notifier_reminders_are_not_waited_for(stage: Stage) -> None:
    """One that is ahead since there was a notifier is for the next one."""
    claim_id = await stage.approve(1)
    async with await AsyncConnection.connect(stage.system.settings.database_url) as store:
        await store.execute(
            "INSERT INTO cpor.reminders (claim_id, kind, number, version, remind_at, due_at)"
            " VALUES (%s, 'consent_reminder', 1, 5, %s, %s)",
            [claim_id, MONDAY + timedelta(days=5), MONDAY + timedelta(days=7)],
        )

    moved = await stage.mover.advance(timedelta(days=10))

    assert moved.passed == 1


async def test_a_move_that_is_broken_off_lets_the_clock_tick_from_where_it_stood(
    stage: Stage,
) -> None:
    """Nothing stays behind: the next move goes on."""
    await stage.approve(1)
    await stage.system.kill_for_good("timer")
    moving = asyncio.create_task(stage.mover.advance(timedelta(days=10)))
    await _until_frozen(stage)
    stood_at = stage.clock.now()
    moving.cancel()
    await asyncio.wait([moving])

    assert stage.clock.frozen_at is None
    assert stood_at <= stage.clock.now() < stood_at + timedelta(minutes=1)
    await stage.system.start_service("timer")
    assert (await stage.mover.advance(timedelta(minutes=1))).passed == 1


async def test_a_clock_whose_mover_was_killed_is_let_go_by_the_next(stage: Stage) -> None:
    """All that a killed mover leaves is a clock that stands still."""
    async with await AsyncConnection.connect(stage.system.settings.database_url) as killed:
        await killed.execute(
            "INSERT INTO cpor.simulated_clock (since, frozen_at) VALUES (clock_timestamp(), %s)",
            [MONDAY + timedelta(days=2)],
        )
    await stage.clock.refresh()
    assert stage.clock.now() == MONDAY + timedelta(days=2)

    await stage.mover.recover()

    assert stage.clock.frozen_at is None
    assert stage.clock.now() >= MONDAY + timedelta(days=2)


async def test_moving_it_to_where_it_stands_is_not_backwards(stage: Stage) -> None:
    """To the very instant, and to the beginning of the same second."""
    await stage.approve(1)
    for number in (2, 3):
        stands_at = MONDAY + timedelta(days=number, milliseconds=500)
        async with await AsyncConnection.connect(stage.system.settings.database_url) as killed:
            await killed.execute(
                "INSERT INTO cpor.simulated_clock (since, frozen_at)"
                " VALUES (clock_timestamp(), %s)",
                [stands_at],
            )

        moved = await stage.mover.set(stands_at.replace(microsecond=0) if number > 2 else stands_at)

        assert moved.passed == 0
        assert stands_at <= moved.now < stands_at + timedelta(minutes=1)


async def _until_frozen(stage: Stage) -> None:
    async with asyncio.timeout(20):
        while stage.clock.frozen_at is None:
            await asyncio.sleep(0.02)
            await stage.clock.refresh()


async def test_services_learn_of_a_movement_that_another_process_made(stage: Stage) -> None:
    """The log of movements is all that they share."""
    async with await AsyncConnection.connect(stage.system.settings.database_url) as other:
        rows = await other.execute("SELECT count(*) FROM cpor.simulated_clock")
        assert await rows.fetchone() == (1,)
    await stage.mover.advance(timedelta(days=3))
    claim_id = await stage.approve(1)

    (_, created_at), *_ = stage.history(claim_id)

    assert created_at.startswith("2031-03-06T08:0")
