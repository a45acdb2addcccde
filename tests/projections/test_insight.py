"""Figures: the same as those of plain queries on the events, whatever the period."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from statistics import quantiles
from typing import Any, LiteralString

import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.actor import Actor
from domain.claim import Claim, ClaimEvent
from domain.lifecycle import LIFECYCLE, Phase
from domain.refusal import NotAllowed
from domain.vocabulary import ClockName, Role, Turn
from projections.insight import Insight, Period, StageFigures, insight
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
    """Steps, reasons, targets and times, over all claims and over one organisation's."""
    reader = Actor(role=Role.GLOBAL_ADMIN, org=org, id="jonas") if org else AUDITOR

    found = await insight(connection, period, reader=reader)

    asked = {"since": period.since, "until": period.until, "org": org}
    assert {step.value: n for step, n in found.steps.items()} == await _steps(connection, asked)
    reasons = await _pairs(connection, REASONS, asked)
    assert {reason.value: n for reason, n in found.reasons.items() if n} == reasons
    assert found.rejections == (await _pairs(connection, REJECTIONS, asked)).get("all", 0)
    spans: dict[str, list[tuple[int, bool]]] = {}
    rows = await connection.execute(SPANS, asked)
    for stage, minutes, missed in await rows.fetchall():
        spans.setdefault(stage, []).append((int(minutes), missed))
    assert _by_clock(found) == {
        stage: (len(each), sum(missed for _, missed in each), sum(minutes for minutes, _ in each))
        for stage, each in spans.items()
    }


async def test_median_and_p90_are_times_that_claims_took(connection: AsyncConnection) -> None:
    """The shortest that half of them, or nine of ten, did not exceed."""
    found = await insight(connection, Period(), reader=AUDITOR)

    rows = await connection.execute(SPANS, {"since": None, "until": None, "org": None})
    consent = sorted(int(m) for stage, m, _ in await rows.fetchall() if stage == "consent")
    figures = found.stages[Phase.CONSENT_PENDING]
    assert figures.median == consent[-(-len(consent) // 2) - 1]
    assert figures.p90 == consent[-(-len(consent) * 9 // 10) - 1]
    assert figures.median <= quantiles(consent, n=10)[-1]


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


def _by_clock(found: Insight) -> dict[str, tuple[int, int, int]]:
    """What the stages with a clock come to, by that clock."""
    by_clock: dict[str, tuple[int, int, int]] = {}
    for phase, figures in found.stages.items():
        clock = LIFECYCLE[phase].clock
        if clock is not None:
            before = by_clock.get(clock.value, (0, 0, 0))
            now = (figures.ended, figures.missed, figures.minutes)
            by_clock[clock.value] = (before[0] + now[0], before[1] + now[1], before[2] + now[2])
    return by_clock


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
    rows = await connection.execute(statement, asked)
    return {name: n for name, n in await rows.fetchall() if n}


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
SPANS = composed("""{events}, opened AS (
    SELECT claim, version, at, state->'clocks'->0->>'clock' AS clock FROM owned
    WHERE json_array_length(state->'clocks') > 0
)
SELECT clock, floor(extract(epoch FROM ended.at - opened.at) / 60), EXISTS (
    SELECT FROM event AS passed
    WHERE passed.claim = opened.claim AND passed.version > opened.version
        AND passed.version < ended.version
        AND (passed.topic LIKE '%%_overdue' OR passed.topic = 'claim.partner_response_expired')
)
FROM opened, period, LATERAL (
    SELECT at, version FROM event
    WHERE event.claim = opened.claim AND event.version > opened.version AND topic IN (
        'claim.submitted', 'claim.resubmitted', 'claim.review_started', 'claim.action_required',
        'claim.approved', 'claim.rejected', 'claim.disputed', 'claim.dispute_dismissed',
        'claim.consent_elapsed', 'claim.dispute_window_closed')
    ORDER BY event.version LIMIT 1
) AS ended
WHERE ended.at >= since AND ended.at < until
""")
