"""The decision target: shown, never enforced, moved while the partner holds the claim."""

import pytest

from domain.claim import Claim
from tests.domain.examples import (
    ACTION_REQUIRED,
    ACTION_REQUIRED_IN_DISPUTE,
    DECISION_TARGET,
    EDITING,
    PARTNER,
    REVIEWER,
    SEED,
    SUBMITTED_AT,
    UNDER_REVIEW,
    action_required,
    given,
    instant,
    resubmitted,
    review_started,
    stated,
    submitted,
)

pytestmark = pytest.mark.rule("R15g")


def resubmit(claim: Claim, at: str) -> Claim.Resubmitted:
    """Hand the claim in again; what that recorded."""
    claim.resubmit(cause=PARTNER, now=instant(at))
    (fact,) = stated(claim)
    assert isinstance(fact, Claim.Resubmitted)
    return fact


def test_ten_business_days_from_the_first_submission() -> None:
    """Submitted on Tuesday 4 May, the target is the end of Tuesday 18 May."""
    claim = given(*EDITING)

    claim.submit(policy=SEED, calendar_version="any", cause=PARTNER, now=SUBMITTED_AT)

    (fact,) = stated(claim)
    assert isinstance(fact, Claim.Submitted)
    assert fact.decision_target_at == DECISION_TARGET == instant("2021-05-19T00:00Z")


@pytest.mark.parametrize(
    ("resubmitted_at", "paused_days", "target"),
    [
        ("2021-05-10T17:00Z", 0, "2021-05-19T00:00Z"),
        ("2021-05-11T00:00Z", 1, "2021-05-20T00:00Z"),
        ("2021-05-12T09:00Z", 2, "2021-05-21T00:00Z"),
        ("2021-05-14T23:59Z", 4, "2021-05-25T00:00Z"),
        ("2021-05-15T12:00Z", 4, "2021-05-25T00:00Z"),
        ("2021-05-17T23:59Z", 5, "2021-05-26T00:00Z"),
    ],
    ids=["same day", "next midnight", "third day", "Friday", "Saturday", "Monday"],
)
def test_the_partners_business_days_move_the_target(
    resubmitted_at: str, paused_days: int, target: str
) -> None:
    """Action was required on Monday 10 May, a day that does not count; the last one does."""
    fact = resubmit(given(*ACTION_REQUIRED), resubmitted_at)

    assert fact.paused_days == paused_days
    assert fact.decision_target_at == instant(target)


def test_every_pause_adds_to_the_ones_before() -> None:
    """Two business days, then a Monday: the target moves by three from the first submission."""
    claim = given(
        *ACTION_REQUIRED,
        resubmitted(paused_days=2),
        review_started(at=instant("2021-05-13T09:00Z")),
        action_required(at=instant("2021-05-14T16:00Z")),
    )

    fact = resubmit(claim, "2021-05-17T10:00Z")

    assert fact.paused_days == 3
    assert fact.decision_target_at == instant("2021-05-22T00:00Z")


def test_a_pause_in_a_dispute_moves_the_target_too() -> None:
    """Action was required on Monday 24 May and answered on Wednesday."""
    fact = resubmit(given(*ACTION_REQUIRED_IN_DISPUTE), "2021-05-26T09:00Z")

    assert fact.paused_days == 2
    assert fact.decision_target_at == instant("2021-05-21T00:00Z")


def test_holidays_do_not_move_the_target() -> None:
    """Turkey, May 2021: of the 11th to the 17th only the 11th, 12th and 17th are business days."""
    policy = SEED.with_calendar("Europe/Istanbul", "TR")
    claim = given(*EDITING, submitted(policy=policy), review_started(), action_required())

    fact = resubmit(claim, "2021-05-17T09:00Z")

    assert fact.paused_days == 3
    assert fact.decision_target_at == instant("2021-05-26T21:00Z")


def test_a_missed_target_hinders_nothing() -> None:
    """The target is shown, never enforced."""
    claim = given(*UNDER_REVIEW)

    claim.approve(cause=REVIEWER, now=instant("2021-08-01T09:00Z"))

    assert claim.status == "approved"
