"""Figures about a period: how far claims come, why they are rejected, how long each stage takes.

Claims are counted by when they were created, stages and rejections by when they ended: in the
period, from its first instant up to, and without, the one after its last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.access import may_read, require_counter
from domain.actor import Actor
from domain.lifecycle import LIFECYCLE, Phase
from domain.vocabulary import ClockName, RejectionReason, Status, Turn
from projections.stage import Step

TARGETS: Final = (
    ClockName.REVIEW_START,
    ClockName.REVIEW_DECISION,
    ClockName.PARTNER_RESPONSE,
    ClockName.DISPUTE_RESULT,
)
"""The clocks that somebody keeps or misses; that the others pass is nobody's fault."""
HOLDERS: Final = (Turn.PARTNER, Turn.REVIEWER, Turn.CUSTOMER)
"""Who can hold a claim up."""


class Period(NamedTuple):
    """From an instant on, and up to another; None: from the beginning, without an end."""

    since: datetime | None = None
    until: datetime | None = None


class StageFigures(NamedTuple):
    """How long claims were in a stage that they left in the period, in whole minutes each."""

    ended: int
    missed: int
    """In how many of them the stage's clock had passed."""
    minutes: int
    """All of them together."""
    median: int
    p90: int


class Kept(NamedTuple):
    """How often a target was kept, and missed."""

    in_time: int
    missed: int


@dataclass(frozen=True, slots=True)
class Insight:
    """The figures of a period."""

    steps: Mapping[Step, int]
    """How many of the claims that were created in the period have come so far by now."""
    rejections: int
    reasons: Mapping[RejectionReason, int]
    """Of the period's rejections, how many name each reason; one may name several."""
    stages: Mapping[Phase, StageFigures]
    """Stages that nobody left in the period are missing."""

    @property
    def kept(self) -> Mapping[ClockName, Kept]:
        """How often each target was kept and missed in the stages that ended."""
        kept = {clock: Kept(0, 0) for clock in TARGETS}
        for phase, figures in self.stages.items():
            clock = LIFECYCLE[phase].clock
            if clock is not None and clock in kept:
                in_time, missed = kept[clock]
                in_time += figures.ended - figures.missed
                kept[clock] = Kept(in_time, missed + figures.missed)
        return kept

    @property
    def held(self) -> Mapping[Turn, int]:
        """For how many minutes each side held the claims, in the stages that ended."""
        held: dict[Turn, int] = dict.fromkeys(HOLDERS, 0)
        for phase, figures in self.stages.items():
            turn = LIFECYCLE[phase].turn
            if turn in held:
                held[turn] += figures.minutes
        return held


async def insight(connection: AsyncConnection, period: Period, *, reader: Actor) -> Insight:
    """The figures of a period over the claims that the reader may see (R25).

    Raises NotAllowed for who may see none.
    """
    require_counter(reader)
    own = reader.org if reader.is_partner else None
    drafts = may_read(reader, org=own or "", status=Status.EDITING)
    asked: dict[str, object] = {
        "since": period.since,
        "until": period.until,
        "org": own,
        "drafts": drafts,
    }
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        at_step = dict(await _fetch(connection, _STEPS, asked))
        stages = await _fetch(connection, _STAGES, asked)
        reasons = dict(await _fetch(connection, _REASONS, asked))
    rejections = int(reasons.pop(None, 0))
    return Insight(
        steps={step: sum(n for each, n in at_step.items() if each >= step) for step in Step},
        rejections=rejections,
        reasons={reason: int(reasons.get(reason, 0)) for reason in RejectionReason},
        stages={Phase(stage): StageFigures(*map(int, figures)) for stage, *figures in stages},
    )


async def _fetch(
    connection: AsyncConnection, statement: bytes, asked: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """Planned for what is asked, each time: for an organisation otherwise than for all."""
    rows = await connection.execute(statement, asked, prepare=False)
    return await rows.fetchall()


def _composed(statement: LiteralString, at: LiteralString = "left_at") -> bytes:
    """A statement whose place for the period says when, and of which organisation."""
    period = SQL(_PERIOD).format(at=Identifier(at))
    return SQL(statement).format(period=period).as_bytes()


_PERIOD: Final = """
{at} >= coalesce(%(since)s::timestamptz, '-infinity')
    AND {at} < coalesce(%(until)s::timestamptz, 'infinity')
    AND (%(org)s::text IS NULL OR org = %(org)s)
"""
_STEPS: Final = _composed(
    """
SELECT step, count(*) FROM cpor.claim_progress
WHERE {period} AND (%(drafts)s OR stage <> 'editing') GROUP BY step
""",
    at="created_at",
)
_STAGES: Final = _composed("""
WITH spans AS (
    SELECT stage, minutes, count(*) AS claims, count(*) FILTER (WHERE missed) AS missed
    FROM cpor.claim_stages WHERE {period} GROUP BY 1, 2
), ranked AS (
    SELECT *, sum(claims) OVER (PARTITION BY stage ORDER BY minutes) AS up_to,
        sum(claims) OVER (PARTITION BY stage) AS total
    FROM spans
)
SELECT stage, total, sum(missed), sum(claims * minutes),
    min(minutes) FILTER (WHERE up_to >= 0.5 * total),
    min(minutes) FILTER (WHERE up_to >= 0.9 * total)
FROM ranked GROUP BY stage, total
""")
_REASONS: Final = _composed("""
WITH rejected AS (
    SELECT reasons FROM cpor.claim_stages WHERE reasons IS NOT NULL AND {period}
)
SELECT NULL, count(*) FROM rejected
UNION ALL SELECT reason, count(*) FROM rejected, unnest(reasons) AS reason GROUP BY reason
""")
