"""Figures: the same as those of plain queries on the events, whatever the period."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, LiteralString

import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.actor import Actor
from domain.claim import Claim, ClaimEvent
from domain.lifecycle import Phase
from domain.refusal import NotAllowed
from domain.vocabulary import ClockName, Role, Turn
from projections.insight import (
    HOLDERS,
    TARGETS,
    Insight,
    Kept,
    Period,
    StageFigures,
    insight,
)
from projections.stage import Step
from projections.stage_table import ClaimStages
from tests.domain import examples as ex
from tests.projections.log import claim_id, interleaved, shown, store, take_in, told
from tests.projections.test_board import LIVES

AUDITOR = Actor(role=Role.AUDITOR, id="ada")
REVIEWER = Actor(role=Role.REVIEWER, id="deniz")
ORGS = ("1230010", "2340020", "3450030")
COPIES = 12


def moved(fact: ClaimEvent, by: timedelta, org: str) -> ClaimEvent:
    """The event at another time, of another organisation."""
    update: dict[str, Any] = {"timestamp": fact.timestamp + by}
    if isinstance(fact, Claim.Created):
        update["org"] = org
    return fact.model_copy(update=update)


HISTORIES = [
    told(
        *(
            moved(fact, timedelta(days=5 * copy, minutes=97 * step * (copy + 1)), ORGS[copy % 3])
            for step, fact in enumerate(life)
        ),
        claim_id=claim_id(100 * copy + number),
    )
    for copy in range(COPIES)
    for number, life in enumerate(LIVES.values(), start=1)
]
LOG = interleaved(*HISTORIES)
PERIODS = {
    "all": Period(),
    "june": Period(ex.instant("2021-06-01T00:00Z"), ex.instant("2021-07-01T00:00Z")),
    "since": Period(ex.instant("2021-05-27T12:00Z"), None),
    "until": Period(None, ex.instant("2021-05-27T12:00Z")),
    "none": Period(ex.instant("2001-01-01T00:00Z"), ex.instant("2001-01-02T00:00Z")),
}


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncGenerator[AsyncConnection]:
    """A database whose store and projections hold the log."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as opened:
        await store(opened, LOG)
        await take_in(opened, LOG, [ClaimStages()])
        yield opened


@pytest.mark.parametrize("org", [None, ORGS[0]])
@pytest.mark.parametrize("period", PERIODS.values(), ids=PERIODS.keys())
async def test_figures_are_those_of_a_query_on_the_events(
    connection: AsyncConnection, period: Period, org: str | None
) -> None:
    """Each figure of the page, over all claims and over one organisation's."""
    reader = Actor(role=Role.GLOBAL_ADMIN, org=org, id="jonas") if org else AUDITOR

    found = await insight(connection, period, reader=reader)

    asked = {"since": period.since, "until": period.until, "org": org}
    assert {step.value: n for step, n in found.steps.items()} == await _steps(connection, asked)
    reasons = await _pairs(connection, REASONS, asked)
    assert {reason.value: n for reason, n in found.reasons.items() if n} == reasons
    assert found.rejections == (await _pairs(connection, REJECTIONS, asked)).get("all", 0)
    stages = await _rows(connection, STAGES, asked)
    ended = {phase: figures for phase, figures in found.stages.items() if phase is not Phase.FINAL}
    assert {stage: StageFigures(*figures) for stage, *figures in stages} == ended
    kept = {clock: Kept(*counts) for clock, *counts in await _rows(connection, KEPT, asked)}
    assert dict.fromkeys(TARGETS, Kept(0, 0)) | kept == found.kept
    held = dict(await _rows(connection, HELD, asked))
    assert dict.fromkeys(HOLDERS, 0) | held == found.held


async def test_the_log_leaves_every_stage_that_can_be_left(connection: AsyncConnection) -> None:
    """What the figures are compared by has several lengths of each."""
    found = await insight(connection, Period(), reader=AUDITOR)

    for phase in set(Phase) - {Phase.CONSENT_ELAPSED, Phase.FINAL}:
        assert found.stages[phase].median < found.stages[phase].p90, phase


def test_whose_time_it_was_and_which_targets_were_kept() -> None:
    """Both follow from the stages, by the domain's own table."""
    found = Insight(
        steps={},
        rejections=0,
        reasons={},
        stages={
            phase: _figures(10 * number, missed=number)
            for number, phase in enumerate(Phase, start=1)
        },
    )

    assert found.held == {
        Turn.PARTNER: 10 + 40 + 50,
        Turn.REVIEWER: 20 + 30 + 90,
        Turn.CUSTOMER: 60,
    }
    assert found.kept == {
        ClockName.REVIEW_START: (98, 2),
        ClockName.REVIEW_DECISION: (97, 3),
        ClockName.PARTNER_RESPONSE: (191, 9),
        ClockName.DISPUTE_RESULT: (91, 9),
    }


@pytest.mark.rule("R25")
async def test_reviewers_are_told_nothing_of_drafts(connection: AsyncConnection) -> None:
    """Claims in editing are not among those that were created."""
    theirs = await insight(connection, Period(), reader=REVIEWER)
    everybodys = await insight(connection, Period(), reader=AUDITOR)

    drafts = sum(isinstance(facts[-1], Claim.PoeAttached | Claim.Edited) for facts in HISTORIES)
    assert drafts
    assert everybodys.steps[Step.CREATED] - theirs.steps[Step.CREATED] == drafts
    assert everybodys.steps[Step.SUBMITTED] == theirs.steps[Step.SUBMITTED]


@pytest.mark.rule("R25")
@pytest.mark.parametrize("role", [Role.ASSESSOR, Role.CUSTOMER, Role.TIMER])
async def test_others_are_told_nothing(connection: AsyncConnection, role: Role) -> None:
    """Figures are for those who read claims."""
    with pytest.raises(NotAllowed):
        await insight(connection, Period(), reader=Actor(role=role, id="engine"))


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_batches_of_any_size_come_to_the_same(database_url: str, size: int) -> None:
    """Also to what a rebuild writes; and what comes again changes nothing."""
    log = interleaved(*HISTORIES[: len(LIVES)])
    async with await AsyncConnection.connect(database_url, autocommit=True) as opened:
        for start in range(0, len(log), size):
            await take_in(opened, log[start : start + size], [ClaimStages()])
        found = await shown(opened)
        await take_in(opened, log, [ClaimStages()])
        assert await shown(opened) == found

    records = [each for facts in HISTORIES[: len(LIVES)] for each in ClaimStages().records(facts)]
    for name in ClaimStages.tables:
        rebuilt = sorted(tuple(map(str, record)) for each, record in records if each == name)
        assert sorted(found[name]) == rebuilt


def _figures(minutes: int, missed: int) -> StageFigures:
    return StageFigures(100, missed, minutes, 1, 2)


async def _steps(connection: AsyncConnection, asked: Mapping[str, object]) -> dict[int, int]:
    counts = dict.fromkeys(map(int, Step), 0)
    rows = await connection.execute(STEPS, asked)
    for (topics,) in await rows.fetchall():
        reached = [
            True,
            "claim.submitted" in topics,
            "claim.review_started" in topics,
            "claim.review_started" in topics
            and bool({"claim.approved", "claim.rejected"} & {*topics}),
            "claim.approved" in topics,
            "claim.consent_elapsed" in topics,
        ]
        for step, has_come in enumerate(reached):
            counts[step] += has_come
    return counts


async def _pairs(
    connection: AsyncConnection, statement: bytes, asked: Mapping[str, object]
) -> dict[str, int]:
    return {name: n for name, n in await _rows(connection, statement, asked) if n}


async def _rows(
    connection: AsyncConnection, statement: bytes, asked: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    rows = await connection.execute(statement, asked)
    return await rows.fetchall()


EVENTS = """
WITH event AS (
    SELECT originator_id AS claim, originator_version AS version, topic,
        convert_from(state, 'utf8')::json AS state,
        (convert_from(state, 'utf8')::json->>'timestamp')::timestamptz AS at
    FROM cpor.stored_events
), owned AS (
    SELECT event.* FROM event JOIN event AS created USING (claim)
    WHERE created.topic = 'claim.created'
        AND (%(org)s::text IS NULL OR created.state->>'org' = %(org)s)
), period AS (
    SELECT coalesce(%(since)s::timestamptz, '-infinity') AS since,
        coalesce(%(until)s::timestamptz, 'infinity') AS until
)
"""


def composed(statement: LiteralString) -> bytes:
    """A statement that begins with all events."""
    return SQL(statement).format(events=SQL(EVENTS)).as_bytes()


STEPS = composed("""{events}
SELECT array_agg(topic) FROM owned, period GROUP BY claim, since, until
HAVING min(at) FILTER (WHERE topic = 'claim.created') >= since
    AND min(at) FILTER (WHERE topic = 'claim.created') < until
""")
REJECTIONS = composed("""{events}
SELECT 'all', count(*) FROM owned, period
WHERE topic = 'claim.rejected' AND at >= since AND at < until
""")
REASONS = composed("""{events}
SELECT reason, count(*) FROM owned, period, json_array_elements_text(state->'reasons') AS reason
WHERE topic = 'claim.rejected' AND at >= since AND at < until GROUP BY reason
""")
ENDED = """
{events}, moving AS (
    SELECT *, state->'clocks'->0->>'clock' AS clock, lead(at) OVER later AS left_at,
        lead(version) OVER later AS ended_by,
        bool_or(topic = 'claim.disputed') OVER later AS is_disputed
    FROM owned WHERE topic IN (
        'claim.created', 'claim.submitted', 'claim.resubmitted', 'claim.review_started',
        'claim.action_required', 'claim.approved', 'claim.rejected', 'claim.disputed',
        'claim.dispute_dismissed', 'claim.consent_elapsed', 'claim.dispute_window_closed')
    WINDOW later AS (PARTITION BY claim ORDER BY version)
), ended AS (
    SELECT CASE
        WHEN topic = 'claim.created' THEN 'editing'
        WHEN topic = 'claim.action_required' AND is_disputed
            THEN 'partner_action_required_in_dispute'
        WHEN clock = 'review_start' THEN 'submitted'
        WHEN clock = 'review_decision' THEN 'under_review'
        WHEN clock = 'partner_response' THEN 'partner_action_required'
        WHEN clock = 'consent' THEN 'approved_consent_pending'
        WHEN clock = 'dispute_window' THEN 'rejected_dispute_window_open'
        WHEN clock = 'dispute_result' THEN 'rejected_dispute_open'
    END AS stage, clock, floor(extract(epoch FROM left_at - at) / 60)::int AS minutes, EXISTS (
        SELECT FROM event AS passed
        WHERE passed.claim = moving.claim AND passed.version > moving.version
            AND passed.version < moving.ended_by
            AND (passed.topic LIKE '%%_overdue' OR passed.topic = 'claim.partner_response_expired')
    ) AS missed
    FROM moving, period WHERE left_at >= since AND left_at < until
)
"""
"""Every stage that was left in the period, told by the event that opened it."""


def of_ended(statement: LiteralString) -> bytes:
    """A statement that begins with the stages that were left."""
    ended = SQL(ENDED).format(events=SQL(EVENTS))
    return SQL(statement).format(ended=ended).as_bytes()


STAGES = of_ended("""{ended}
SELECT stage, count(*), count(*) FILTER (WHERE missed), sum(minutes),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY minutes),
    percentile_disc(0.9) WITHIN GROUP (ORDER BY minutes)
FROM ended WHERE stage IS NOT NULL GROUP BY stage
""")
KEPT = of_ended("""{ended}
SELECT clock, count(*) FILTER (WHERE NOT missed), count(*) FILTER (WHERE missed)
FROM ended WHERE clock IN ('review_start', 'review_decision', 'partner_response', 'dispute_result')
GROUP BY clock
""")
HELD = of_ended("""{ended}
SELECT turn, sum(minutes) FROM ended JOIN (VALUES
    ('editing', 'partner'), ('partner_action_required', 'partner'),
    ('partner_action_required_in_dispute', 'partner'), ('submitted', 'reviewer'),
    ('under_review', 'reviewer'), ('rejected_dispute_open', 'reviewer'),
    ('approved_consent_pending', 'customer')) AS held (stage, turn) USING (stage)
GROUP BY turn
""")
