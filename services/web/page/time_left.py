"""How long somebody has: the days that are left of an open clock, as its programme counts them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from markupsafe import Markup
from psycopg import AsyncConnection

from domain.calendar import Unit
from domain.policy import Policy
from domain.vocabulary import Sla
from projections.board import ClaimRow
from services.web.page.moment import date_of, timed, written
from services.web.page.taste import Taste

_INSTANT: Final = timedelta(microseconds=1)


class TimeLeft(NamedTuple):
    """When a claim is due, and how that stands."""

    at: datetime
    days_left: int
    """Full days after today."""
    unit: Unit
    """What the days are: those of the clock's period."""
    is_today: bool
    """The last day in which it is in time is today's."""
    has_passed: bool
    sla: Sla
    """How its clock stands, a recorded miss included."""


async def _recorded_policies(
    connection: AsyncConnection, rows: Sequence[ClaimRow]
) -> Mapping[UUID, Policy]:
    """What each claim with an open clock lives by, as its first submission recorded it (R17).

    The board does not have it: a policy is long, and every event of its claim would write it again.
    """
    waiting = [row.claim_id for row in rows if row.clock is not None]
    found = await connection.execute(_RECORDED, [waiting])
    return {claim_id: _policy(recorded) for claim_id, recorded in await found.fetchall()}


async def times_left(
    connection: AsyncConnection, rows: Sequence[ClaimRow], now: datetime
) -> Mapping[UUID, TimeLeft | None]:
    """How long somebody has for each of these claims."""
    policies = await _recorded_policies(connection, rows)
    return {row.claim_id: time_left(row, policies.get(row.claim_id), now) for row in rows}


def time_left(row: ClaimRow, policy: Policy | None, now: datetime) -> TimeLeft | None:
    """The open clock's deadline in the calendar of the claim's policy; None without one."""
    if row.due_at is None or row.clock is None or policy is None:
        return None
    last = row.due_at - _INSTANT
    unit = policy.clocks[row.clock].unit
    zone = ZoneInfo(policy.time_zone)
    days = (last.astimezone(zone).date() - now.astimezone(zone).date()).days
    is_today = not days and now < row.due_at
    if unit is Unit.BUSINESS:
        days = policy.calendar.business_days_after(now, last)
    return TimeLeft(row.due_at, days, unit, is_today, row.due_at <= now, row.sla(now))


@lru_cache(maxsize=2048)
def day_of(at: datetime, taste: Taste) -> Markup:
    """The reader's day in which a due instant is the end, with the time where that is no midnight.

    UTC, of the instant itself, is for whoever points at it. Remembered: claims are due together.
    """
    last = (at - _INSTANT).astimezone(taste.time_zone).date()
    is_midnight = last != at.astimezone(taste.time_zone).date()
    text = date_of(last, taste.language) if is_midnight else written(at, taste)
    return timed(at, text)


def end_of_today(taste: Taste, policy: Policy, now: datetime) -> datetime:
    """When today ends: the reader's, or the programme's where that ends later.

    Somebody east of the programme still has the night for what is due by its day.
    """
    zones = (taste.time_zone, ZoneInfo(policy.time_zone))
    return max(_next_midnight(now, zone) for zone in zones)


def _next_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    day = local.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=256)
def _policy(recorded: str) -> Policy:
    """A recorded policy. Remembered: claims of one programme and year have the very same."""
    return Policy.model_validate_json(recorded)


_RECORDED: Final = """
SELECT originator_id, convert_from(state, 'utf8')::json->>'policy' FROM cpor.stored_events
WHERE originator_id = ANY(%s) AND topic = 'claim.submitted'
"""
