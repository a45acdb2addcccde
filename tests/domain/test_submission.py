"""Submission: what it needs, and what it records for ever."""

import pytest

from domain.calendar import Holidays
from domain.claim import Claim
from domain.policy import Policy
from domain.refusal import NotPossible
from domain.vocabulary import ClockName, Status
from tests.domain.examples import (
    CALENDAR_VERSION,
    DECISION_TARGET,
    EDITING,
    PARTNER,
    PARTNER_CENTER,
    REVIEW_START_DUE,
    REVIEWER,
    SEED,
    SUBMITTED,
    SUBMITTED_AT,
    UNDER_REVIEW,
    by_partner,
    created,
    given,
    instant,
    opened,
    refused,
    stated,
    submitted,
)


def submit(claim: Claim, policy: Policy = SEED) -> None:
    """Hand the claim in under this policy."""
    claim.submit(policy=policy, calendar_version=CALENDAR_VERSION, cause=PARTNER, now=SUBMITTED_AT)


@pytest.mark.rule("R2")
def test_a_draft_with_proof_can_be_submitted() -> None:
    """Submitting opens the reviewers' clock and records the decision target."""
    claim = given(*EDITING)

    submit(claim)

    assert stated(claim) == [
        submitted(review_start_due=REVIEW_START_DUE, decision_target_at=DECISION_TARGET)
    ]
    assert claim.status is Status.SUBMITTED


@pytest.mark.rule("R2")
def test_a_draft_without_proof_cannot_be_submitted() -> None:
    """At least one PoE document is needed; products there are always."""
    claim = given(created())

    with refused(
        claim,
        NotPossible(
            "a claim needs at least one proof of execution before it can be submitted",
            rule="R2",
            status="editing",
        ),
    ):
        submit(claim)


@pytest.mark.rule("R2")
def test_a_claim_is_submitted_once() -> None:
    """Later it is resubmitted, or not at all."""
    claim = given(*SUBMITTED)

    with refused(
        claim,
        NotPossible(
            "submit_claim is not possible in the state submitted", rule="R2", status="submitted"
        ),
    ):
        submit(claim)


@pytest.mark.rule("R17")
def test_the_whole_policy_and_the_calendar_version_are_recorded() -> None:
    """The event of the first submission holds all that due instants depend on."""
    policy = PARTNER_CENTER.with_calendar("Europe/Istanbul", "TR")
    claim = given(*EDITING)

    submit(claim, policy)

    (fact,) = stated(claim)
    assert isinstance(fact, Claim.Submitted)
    assert fact.policy == policy.recorded(claim.modified_on)
    assert fact.policy.time_zone == "Europe/Istanbul"
    assert fact.policy.holiday_country == "TR"
    assert fact.calendar_version == CALENDAR_VERSION


@pytest.mark.rule("R17")
def test_a_claim_lives_by_the_policy_of_its_submission() -> None:
    """Whatever profile the programme runs meanwhile, the recorded periods count."""
    claim = given(created(), *EDITING[1:], submitted(policy=PARTNER_CENTER))

    claim.start_review(cause=REVIEWER, now=instant("2021-05-06T09:00Z"))

    assert claim.clock is not None
    assert claim.clock.due_at == instant("2021-05-27T00:00Z")  # 14 business days, not five


@pytest.mark.rule("R17")
def test_a_recorded_due_instant_survives_every_calendar() -> None:
    """Replay takes the instant from the event, even where the calendar would now give another."""
    recorded = instant("2021-05-13T00:00Z")

    claim = given(*EDITING, submitted(review_start_due=recorded))

    assert claim.clock is not None
    assert claim.clock.due_at == recorded


@pytest.mark.rule("R17")
def test_the_days_that_a_clock_skips_are_recorded_with_the_reason() -> None:
    """Weekends and the programme's holidays stand in the event that opens the clock."""
    claim = given(*EDITING)

    submit(claim, SEED.with_calendar("Europe/Istanbul", "TR"))

    assert claim.clock is not None
    assert [(skip.date.isoformat(), skip.why) for skip in claim.clock.skipped] == [
        ("2021-05-08", "weekend"),
        ("2021-05-09", "weekend"),
    ]


@pytest.mark.rule("R17")
def test_holidays_move_a_due_instant_and_local_days_end_in_local_time() -> None:
    """The feast of May 2021 in Turkey: five business days from the 10th end on the 20th."""
    policy = SEED.with_calendar("Europe/Istanbul", "TR")
    claim = given(*EDITING, submitted(policy=policy))

    claim.start_review(cause=REVIEWER, now=instant("2021-05-10T09:00Z"))

    assert claim.clock is not None
    assert claim.clock.due_at == instant("2021-05-20T21:00Z")
    assert [skip.date.day for skip in claim.clock.skipped] == [13, 14, 15, 16, 19]


@pytest.mark.rule("R17")
@pytest.mark.fault(57)
def test_a_newer_calendar_moves_no_clock_of_a_claim() -> None:
    """Clocks that open later go by the holidays that were known at the first submission."""
    policy = SEED.with_calendar("Europe/Istanbul", "TR")
    today = Holidays.of("TR", 2021, 2023).days
    then = tuple(day for day in today if day.date.isoformat() != "2021-05-19")
    holidays = Holidays(first_year=2021, last_year=2023, days=then)
    claim = given(*EDITING, submitted(policy=policy.model_copy(update={"holidays": holidays})))

    claim.start_review(cause=REVIEWER, now=instant("2021-05-10T09:00Z"))

    assert claim.clock is not None
    assert claim.clock.due_at == instant("2021-05-19T21:00Z")  # the 19th was no holiday then
    assert [skip.date.day for skip in claim.clock.skipped] == [13, 14, 15, 16]


@pytest.mark.rule("R17")
def test_a_resubmission_keeps_the_first_policy() -> None:
    """Only the first submission freezes a policy: resubmitting takes none."""
    claim = given(*UNDER_REVIEW)
    frozen = claim.policy
    claim.require_action(
        reasons=[], comment="More, please.", cause=REVIEWER, now=instant("2021-05-10T09:00Z")
    )

    claim.resubmit(cause=by_partner("mehmet"), now=instant("2021-05-12T09:00Z"))

    assert claim.policy is frozen
    assert claim.clock == opened(ClockName.REVIEW_START, instant("2021-05-12T09:00Z"))[0]
