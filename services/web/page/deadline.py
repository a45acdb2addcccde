"""Why an open clock is due when it is: the days that it counts, and those that it skips (R16)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from domain.claim import Claim
from domain.policy import Period
from domain.vocabulary import ClockName


class Day(NamedTuple):
    """A day of a period: how many are counted with it, or why it is not."""

    on: date
    number: int | None
    why: str


class Deadline(NamedTuple):
    """An open clock, as it was recorded when it opened (R17)."""

    clock: ClockName
    opened_at: datetime
    due_at: datetime
    passed: bool
    """Whether it is recorded that its target was missed."""
    period: Period
    time_zone: str
    """The programme's, in which days are counted."""
    days: tuple[Day, ...]
    """All of them, day 0 first."""
    days_left: int
    """Days that it still counts after today."""


def open_deadline(claim: Claim, now: datetime) -> Deadline | None:
    """The deadline that the claim has, if any; there is one at most."""
    opened, policy = claim.clock, claim.policy
    if opened is None or policy is None:
        return None
    calendar, period = policy.calendar, policy.clocks[opened.clock]
    skipped = {each.date: each.why for each in opened.skipped}
    days = calendar.days(opened.opened_at, opened.due_at)
    left = calendar.days(now, opened.due_at)[1:]
    return Deadline(
        clock=opened.clock,
        opened_at=opened.opened_at,
        due_at=opened.due_at,
        passed=claim.clock_passed,
        period=period,
        time_zone=policy.time_zone,
        days=tuple(_numbered(days, skipped)),
        days_left=sum(day not in skipped for day in left),
    )


def _numbered(days: Sequence[date], skipped: Mapping[date, str]) -> Iterator[Day]:
    number = 0
    for index, day in enumerate(days):
        why = skipped.get(day, "")
        number += index > 0 and not why
        yield Day(day, None if why else number, why)
