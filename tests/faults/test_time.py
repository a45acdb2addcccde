"""Clocks that jump, differ, stand still and race: each deadline has one effect, never too early."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from pydantic_core import from_json

from services import timer
from services.clock import Clock, open_clock
from services.settings import Settings
from tests.claims.orders import CREATE, CUSTOMER, PARTNER, REVIEWER, TO_APPROVAL
from tests.faults.conftest import CONSENT_DUE, MONDAY, Build, Plant, claim
from tests.system import checker

ELAPSED = "claim.consent_elapsed"
OVERDUE = "claim.review_start_overdue"


class Wrong(NamedTuple):
    """A clock that goes wrong by some time."""

    right: Clock
    wrong: "Offset"

    async def refresh(self) -> None:
        """Learn of every movement."""
        await self.right.refresh()

    def at(self, moment: datetime) -> datetime:
        """The instant that counts for a moment."""
        return self.right.at(moment) + self.wrong.by

    def now(self) -> datetime:
        """The present, as this clock has it."""
        return self.right.now() + self.wrong.by


class Offset:
    """By how much the timer's machine goes wrong."""

    def __init__(self) -> None:
        self.by = timedelta(0)


@pytest.fixture
def offset(monkeypatch: pytest.MonkeyPatch) -> Offset:
    """The timer has a clock of its own; it sends again what was too early after a moment."""
    offset = Offset()

    @asynccontextmanager
    async def open_wrong(settings: Settings) -> AsyncGenerator[Clock]:
        async with open_clock(settings) as right:
            yield Wrong(right, offset)

    monkeypatch.setattr(timer, "open_clock", open_wrong)
    monkeypatch.setattr(timer, "AGAIN", 0.5)
    return offset


async def until_sent(plant: Plant, count: int = 1) -> None:
    """Wait until the timer's commands were answered so often."""
    async with asyncio.timeout(60):
        while sum(key[1].startswith("timer-") for key in plant.upstream.refused) < count:  # noqa: ASYNC110 - it hears outcomes
            await asyncio.sleep(0.05)


def times(log: list[checker.Entry], topic: str) -> list[str]:
    """When events of this topic happened."""
    return [from_json(entry.state)["timestamp"] for entry in log if entry.topic == topic]


@pytest.mark.rule("R18")
@pytest.mark.fault(51)
async def test_a_timer_a_day_ahead_fires_nothing_early(build: Build, offset: Offset) -> None:
    """Claims go by the stream's time; set right again, the timer passes what is due, once."""
    async with build() as plant:
        await plant.approve(0, 1, 2)
        await plant.settle()
        await plant.set_clock(CONSENT_DUE - timedelta(hours=12))
        offset.by = timedelta(days=1)
        await until_sent(plant, 3)
        assert times(await plant.check(), ELAPSED) == []

        offset.by = timedelta(0)
        await plant.set_clock(CONSENT_DUE + timedelta(seconds=1))
        await plant.until_logged(ELAPSED, 3)
        assert len(times(await plant.check(CONSENT_DUE), ELAPSED)) == 3


@pytest.mark.rule("R18")
@pytest.mark.fault(51)
async def test_a_timer_a_day_behind_fires_late_and_loses_nothing(
    build: Build, offset: Offset
) -> None:
    """What it missed passes when its clock is set right; customers can't decline meanwhile."""
    async with build() as plant:
        claims = await plant.approve(0, 1)
        await plant.settle()
        offset.by = timedelta(days=-1)
        await plant.set_clock(CONSENT_DUE + timedelta(seconds=1))
        late = await plant.upstream.send(claims[0], "decline_consent", {}, CUSTOMER)
        assert late["problem"]["type"] == "/problems/too_late"
        assert times(await plant.check(), ELAPSED) == []

        offset.by = timedelta(0)
        await plant.until_logged(ELAPSED, 2)
        assert len(times(await plant.check(CONSENT_DUE), ELAPSED)) == 2


@pytest.mark.rule("R18")
@pytest.mark.fault(52)
@pytest.mark.parametrize(
    "skew",
    [5, pytest.param(-2, marks=pytest.mark.long), pytest.param(30, marks=pytest.mark.long)],
)
async def test_machines_that_disagree_by_seconds_pass_each_clock_once(
    build: Build, offset: Offset, skew: int
) -> None:
    """Never before the instant, by the stream's time, and none twice."""
    async with build() as plant:
        await plant.approve(*range(5))
        await plant.settle()
        offset.by = timedelta(seconds=skew)
        await plant.set_clock(CONSENT_DUE - timedelta(seconds=1.5))
        log = await plant.until_logged(ELAPSED, 5)

        assert min(times(log, ELAPSED)) >= "2031-03-11T00:00:00Z"
        await plant.check(CONSENT_DUE)


@pytest.mark.rule("R18")
@pytest.mark.fault(53)
async def test_what_fell_due_while_everything_slept_passes_once_oldest_first(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few at a time, though days were slept through."""
    monkeypatch.setattr(timer, "IN_FLIGHT", 3)
    monkeypatch.setattr(timer, "PAGE", 3)
    async with build() as plant:
        await plant.near.stop("timer")
        for day in (2, 0, 1):
            await plant.set_clock(MONDAY + timedelta(days=day))
            await plant.approve(*range(day * 4, day * 4 + 4))
        await plant.settle()
        await plant.set_clock(CONSENT_DUE + timedelta(days=3))
        plant.near.start("timer")
        log = await plant.until_logged(ELAPSED, 12)

        due = [from_json(entry.state)["due_at"] for entry in log if entry.topic == ELAPSED]
        assert len(due) == 12
        assert due == sorted(due)
        await plant.check(CONSENT_DUE)


@pytest.mark.rule("R18")
@pytest.mark.fault(54)
@pytest.mark.parametrize("deadlines", [150, pytest.param(5000, marks=pytest.mark.long)])
@pytest.mark.timeout(600)
async def test_many_deadlines_at_one_instant_all_pass(build: Build, deadlines: int) -> None:
    """Each once; meanwhile the board is read, and others' commands are decided."""
    async with build() as plant:
        for first in range(0, deadlines, 50):
            await plant.approve(*range(first, first + 50))
        await plant.settle()
        await plant.set_clock(CONSENT_DUE)
        other = await plant.upstream.send(claim(-1), "create_claim", CREATE, PARTNER)
        board = await plant.site.read("/api/claims", by="auditor;;ada")
        assert (other["result"], board.status_code) == ("accepted", 200)
        await plant.until_logged(ELAPSED, deadlines)

        await plant.check(CONSENT_DUE)


@pytest.mark.rule("R18")
@pytest.mark.fault(55)
@pytest.mark.parametrize("claims", [150, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.timeout(300)
async def test_a_decline_and_an_expiry_at_the_due_instant_have_one_winner(
    build: Build, claims: int
) -> None:
    """Whichever arrived in time: one of both, for each of many claims."""
    async with build() as plant:
        for first in range(0, claims, 50):
            await plant.approve(*range(first, first + 50))
        await plant.settle()
        await plant.set_clock(CONSENT_DUE - timedelta(seconds=1))

        async def decline(number: int) -> str:
            await asyncio.sleep(0.8 + 0.4 * number / claims)
            outcome = await plant.upstream.send(claim(number), "decline_consent", {}, CUSTOMER)
            return str(outcome["result"])

        results = Counter(await asyncio.gather(*(decline(number) for number in range(claims))))
        await plant.until_logged(ELAPSED, claims - results["accepted"])
        log = await plant.check(CONSENT_DUE)

        ends = Counter(
            entry.claim_id for entry in log if entry.topic in {ELAPSED, "claim.consent_declined"}
        )
        assert ends == {claim(number): 1 for number in range(claims)}


@pytest.mark.fault(59)
async def test_deadlines_that_fail_at_the_head_hold_nobody_up(build: Build) -> None:
    """Two hundred clocks of claims that are not there, or whose history can't be read."""
    async with build() as plant:
        broken = [claim(number) for number in range(50)]
        await asyncio.gather(*(submit(plant, claim_id) for claim_id in broken))
        await plant.approve(100, 101, 102)
        await plant.settle()
        await plant.near.stop("claims", "projector", "relay")
        await plant.store.execute(
            "UPDATE cpor.stored_events SET topic = 'claim.invented'"
            " WHERE originator_id = ANY(%s) AND originator_version = 1",
            [broken],
        )
        async with plant.store.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO cpor.open_clocks VALUES (%s, 'consent', %s, %s, false)",
                [
                    (claim(number), MONDAY - timedelta(days=9), MONDAY - timedelta(days=number))
                    for number in range(200, 350)
                ],
            )
        for name in ("claims", "projector", "relay"):
            plant.near.start(name)
        await plant.set_clock(CONSENT_DUE + timedelta(days=10))
        log = await plant.until_logged(ELAPSED, 3)

        checker.check_versions(log)
        assert times(log, OVERDUE) == []


async def submit(plant: Plant, claim_id: UUID) -> None:
    """Take a claim to where a reviewer must begin."""
    for command, data, actor in TO_APPROVAL[:3]:
        await plant.upstream.send(claim_id, command, data, actor)
    await plant.upstream.send(claim_id, "post_comment", {"text": "Hello?"}, REVIEWER)
