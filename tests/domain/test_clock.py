"""Clocks: when each opens and is due, and what passing its deadline does."""

import json
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from domain.claim import Claim, ClaimEvent
from domain.command import PassDeadline
from domain.lifecycle import LIFECYCLE, Phase
from domain.policy import Policy
from domain.refusal import NotPossible, NotYetDue
from domain.vocabulary import ClockName
from tests.domain.decision import DECISIONS, SENDER
from tests.domain.examples import (
    ACTION_REQUIRED,
    CONSENT_DUE,
    CONSENT_PENDING,
    DISPUTABLE,
    DISPUTE_RESULT_DUE,
    DISPUTE_WINDOW_DUE,
    DISPUTED,
    HISTORIES,
    OTHER_REVIEWER,
    PARTNER,
    PARTNER_CENTER,
    PARTNER_RESPONSE_DUE,
    RESUBMITTED_AT,
    REVIEW_DECISION_DUE,
    REVIEW_START_DUE,
    REVIEWER,
    SEED,
    SUBMITTED,
    TIMER,
    UNDER_REVIEW,
    action_required,
    dispute_result_overdue,
    given,
    instant,
    refused,
    resubmitted,
    review_overdue,
    review_start_overdue,
    review_started,
    stated,
)

MOMENT = timedelta(microseconds=1)

RUNNING = {
    ClockName.REVIEW_START: (SUBMITTED, REVIEW_START_DUE),
    ClockName.REVIEW_DECISION: (UNDER_REVIEW, REVIEW_DECISION_DUE),
    ClockName.PARTNER_RESPONSE: (ACTION_REQUIRED, PARTNER_RESPONSE_DUE),
    ClockName.CONSENT: (CONSENT_PENDING, CONSENT_DUE),
    ClockName.DISPUTE_WINDOW: (DISPUTABLE, DISPUTE_WINDOW_DUE),
    ClockName.DISPUTE_RESULT: (DISPUTED, DISPUTE_RESULT_DUE),
}
"""For each clock: a history in which it runs, and its due instant as counted by hand."""

TARGETS: dict[ClockName, ClaimEvent] = {
    ClockName.REVIEW_START: review_start_overdue(),
    ClockName.REVIEW_DECISION: review_overdue(),
    ClockName.DISPUTE_RESULT: dispute_result_overdue(),
}
"""The clocks of the reviewers, which are targets, and the fact that one was missed."""


def pass_deadline(claim: Claim, clock: ClockName, due_at: datetime, now: datetime) -> None:
    """The timer's command."""
    claim.pass_deadline(clock=clock, due_at=due_at, cause=TIMER, now=now)


def not_open(clock: ClockName, claim: Claim) -> NotPossible:
    """The refusal of a timer whose clock is not, or no longer, the one that runs."""
    return NotPossible(
        f"no clock {clock} that is due at this instant is open", rule="R18", status=claim.status
    )


@pytest.mark.rule("R15a")
@pytest.mark.rule("R15b")
@pytest.mark.rule("R15c")
@pytest.mark.rule("R15d")
@pytest.mark.rule("R15e")
@pytest.mark.rule("R15f")
@pytest.mark.parametrize(
    ("policy", "days"),
    [
        (
            SEED,
            {
                "review_start": (5, "business"),
                "review_decision": (5, "business"),
                "partner_response": (5, "business"),
                "consent": (7, "calendar"),
                "dispute_window": (30, "calendar"),
                "dispute_result": (5, "business"),
            },
        ),
        (
            PARTNER_CENTER,
            {
                "review_start": (5, "business"),
                "review_decision": (14, "business"),
                "partner_response": (14, "business"),
                "consent": (7, "calendar"),
                "dispute_window": (30, "calendar"),
                "dispute_result": (5, "business"),
            },
        ),
    ],
    ids=["seed-2021", "partner-center-2023"],
)
def test_the_periods_of_both_profiles(policy: Policy, days: dict[str, tuple[int, str]]) -> None:
    """The table of the six clocks, as the files have it."""
    assert {clock: (p.days, p.unit) for clock, p in policy.clocks.items()} == days


@pytest.mark.rule("R16")
@pytest.mark.parametrize("clock", ClockName)
def test_each_clock_is_due_at_the_end_of_its_last_day(clock: ClockName) -> None:
    """The day of opening does not count; the instants are counted by hand."""
    history, due_at = RUNNING[clock]

    running = given(*history).clock

    assert running is not None
    assert (running.clock, running.due_at) == (clock, due_at)
    assert running.opened_at == history[-1].timestamp


@pytest.mark.rule("R16")
@pytest.mark.parametrize("clock", ClockName)
def test_exactly_at_the_due_instant_a_clock_has_passed(clock: ClockName) -> None:
    """A timer that comes at the very instant is accepted."""
    history, due_at = RUNNING[clock]
    claim = given(*history)

    pass_deadline(claim, clock, due_at, due_at)

    assert all(event.timestamp == due_at for event in stated(claim))
    assert claim.clock_passed or claim.clock is None or claim.clock.clock is not clock


@pytest.mark.rule("R16")
@pytest.mark.rule("R18")
@pytest.mark.parametrize("clock", ClockName)
def test_one_microsecond_before_the_due_instant_it_has_not(clock: ClockName) -> None:
    """A timer that is ahead is told when to come again."""
    history, due_at = RUNNING[clock]
    claim = given(*history)

    with refused(
        claim,
        NotYetDue(
            f"the clock {clock} is not due before {due_at.isoformat()}",
            due_at=due_at,
            status=claim.status,
        ),
    ):
        pass_deadline(claim, clock, due_at, due_at - MOMENT)


@pytest.mark.rule("R15a")
@pytest.mark.rule("R15b")
@pytest.mark.rule("R15f")
@pytest.mark.parametrize("clock", TARGETS)
def test_a_missed_target_changes_nothing_but_a_flag(clock: ClockName) -> None:
    """The fact is recorded for escalation; status, dispute and the clock itself stay."""
    history, due_at = RUNNING[clock]
    claim = given(*history)
    before = (claim.status, claim.dispute, claim.phase, claim.clock)

    pass_deadline(claim, clock, due_at, due_at)

    assert stated(claim) == [TARGETS[clock]]
    assert (claim.status, claim.dispute, claim.phase, claim.clock) == before
    assert claim.clock_passed


@pytest.mark.rule("R18")
@pytest.mark.parametrize("clock", TARGETS)
def test_a_target_is_missed_once(clock: ClockName) -> None:
    """The clock is still open, but it has passed already."""
    history, due_at = RUNNING[clock]
    claim = given(*history, TARGETS[clock])

    with refused(
        claim,
        NotPossible(f"the clock {clock} has already passed", rule="R18", status=claim.status),
    ):
        pass_deadline(claim, clock, due_at, due_at + timedelta(days=1))


@pytest.mark.rule("R15a")
@pytest.mark.rule("R15b")
def test_a_late_review_goes_on_as_if_in_time() -> None:
    """A missed target hinders no decision, and its flag goes with its clock."""
    claim = given(*SUBMITTED, review_start_overdue())

    claim.start_review(cause=REVIEWER, now=instant("2021-05-14T09:00Z"))
    assert not claim.clock_passed
    pass_deadline(
        claim,
        ClockName.REVIEW_DECISION,
        instant("2021-05-22T00:00Z"),
        instant("2021-05-22T00:00Z"),
    )
    claim.approve(cause=REVIEWER, now=instant("2021-05-25T09:00Z"))

    assert claim.phase is Phase.CONSENT_PENDING
    assert not claim.clock_passed


@pytest.mark.rule("R15f")
def test_a_late_dispute_result_is_as_good_as_one_in_time() -> None:
    """The partner loses nothing by the reviewers' delay."""
    claim = given(*DISPUTED, dispute_result_overdue())

    claim.uphold_dispute(note="At last.", cause=OTHER_REVIEWER, now=instant("2021-06-15T09:00Z"))

    assert claim.clock is not None
    assert claim.clock.due_at == instant("2021-06-23T00:00Z")


@pytest.mark.rule("R18")
@pytest.mark.parametrize("armed", ClockName)
@pytest.mark.parametrize("phase", Phase)
def test_a_timer_has_an_effect_on_its_own_clock_only(phase: Phase, armed: ClockName) -> None:
    """Whatever runs now, a timer that was armed for another clock or instant changes nothing."""
    claim = given(*HISTORIES[phase])
    other = instant("2021-05-11T00:00Z")

    with refused(claim, not_open(armed, claim)):
        pass_deadline(claim, armed, other, instant("2021-07-01T00:00Z"))


@pytest.mark.rule("R15c")
@pytest.mark.rule("R18")
def test_a_timer_of_an_earlier_request_does_not_end_a_later_one() -> None:
    """The same clock, opened again, is another clock."""
    claim = given(
        *ACTION_REQUIRED,
        resubmitted(),
        review_started(at=instant("2021-05-13T09:00Z")),
        action_required(at=instant("2021-05-14T09:00Z")),
    )

    with refused(claim, not_open(ClockName.PARTNER_RESPONSE, claim)):
        pass_deadline(claim, ClockName.PARTNER_RESPONSE, PARTNER_RESPONSE_DUE, PARTNER_RESPONSE_DUE)


@pytest.mark.rule("R15c")
@pytest.mark.rule("R18")
def test_a_resubmission_in_time_beats_the_timer() -> None:
    """What arrived first counts, even where the timer is handled right after it."""
    claim = given(*ACTION_REQUIRED)

    claim.resubmit(cause=PARTNER, now=PARTNER_RESPONSE_DUE - MOMENT)

    with refused(claim, not_open(ClockName.PARTNER_RESPONSE, claim)):
        pass_deadline(claim, ClockName.PARTNER_RESPONSE, PARTNER_RESPONSE_DUE, PARTNER_RESPONSE_DUE)


@pytest.mark.rule("R18")
@pytest.mark.parametrize(
    ("phase", "command"),
    [(phase, command) for phase in Phase for command in sorted(LIFECYCLE[phase].possible)],
)
def test_all_that_a_decision_states_happened_when_its_command_arrived(
    phase: Phase, command: str
) -> None:
    """Every fact, and every clock that one opens, has the one instant that counts."""
    claim = given(*HISTORIES[phase])
    now = claim.modified_on + timedelta(hours=1)

    DECISIONS[command](claim, SENDER[command], now)

    facts = stated(claim)
    assert {fact.timestamp for fact in facts} == {now}
    assert {clock.opened_at for fact in facts for clock in getattr(fact, "clocks", ())} <= {now}


@pytest.mark.rule("R15c")
@pytest.mark.rule("R15d")
@pytest.mark.rule("R15e")
@pytest.mark.parametrize("history", [CONSENT_PENDING, ACTION_REQUIRED], ids=["consent", "action"])
def test_entering_rejected_closes_the_clock_that_ran(history: tuple[ClaimEvent, ...]) -> None:
    """A rejection without a dispute window leaves no clock."""
    claim = given(*history)

    claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=RESUBMITTED_AT)

    assert claim.clock is None


@pytest.mark.rule("R18")
@pytest.mark.parametrize(
    "data",
    [
        {"clock": "consent", "due_at": "2021-05-18T00:00:00"},
        {"clock": "consent", "due_at": "2021-05-18"},
        {"clock": "consent", "due_at": 1621296000},
        {"clock": "consent", "due_at": "soon"},
    ],
    ids=["naive", "a date", "a number", "a word"],
)
def test_a_due_instant_is_a_date_and_time_with_its_offset(data: dict[str, object]) -> None:
    """What could mean several instants is refused."""
    with pytest.raises(ValidationError) as caught:
        PassDeadline.model_validate_json(json.dumps(data), strict=True)

    assert [error["loc"] for error in caught.value.errors()] == [("due_at",)]


@pytest.mark.rule("R18")
def test_a_due_instant_may_be_written_in_any_offset() -> None:
    """The instant counts, not how it is written."""
    data = {"clock": "consent", "due_at": "2021-05-18T03:00:00+03:00"}
    command = PassDeadline.model_validate_json(json.dumps(data), strict=True)
    claim = given(*CONSENT_PENDING)

    pass_deadline(claim, command.clock, command.due_at, CONSENT_DUE)

    assert claim.phase is Phase.CONSENT_ELAPSED
