"""The version that a reviewer saw: which changes make a decision stale, and which don't."""

import pytest

from domain.claim import EVENTS, ClaimEvent, Details
from domain.refusal import StaleVersion
from tests.domain.examples import (
    ACTION_REQUIRED,
    ACTION_REQUIRED_IN_DISPUTE,
    CONSENT_ELAPSED,
    CONSENT_PENDING,
    DISPUTABLE,
    DISPUTED,
    EDITING,
    PARTNER_RESPONSE_DUE,
    SUBMITTED,
    TIMER,
    UNDER_REVIEW,
    UPHELD,
    action_required,
    approved,
    assessment_recorded,
    commented,
    consent_declined,
    consent_elapsed,
    created,
    dispute_dismissed,
    dispute_result_overdue,
    dispute_upheld,
    dispute_window_closed,
    disputed,
    edited,
    given,
    partner_response_expired,
    poe_attached,
    refused,
    rejected,
    rejection_requested,
    resubmitted,
    review_overdue,
    review_start_overdue,
    review_started,
    reviewer_assigned,
    sent_for_assessment,
    submitted,
)

pytestmark = pytest.mark.rule("R14")

COUNTS: list[tuple[tuple[ClaimEvent, ...], ClaimEvent]] = [
    (EDITING, edited(Details(name="Another name"))),
    (SUBMITTED, poe_attached(2)),
    (EDITING, submitted()),
    (ACTION_REQUIRED, resubmitted()),
    (SUBMITTED, review_started()),
    (UNDER_REVIEW, action_required()),
    (UNDER_REVIEW, approved()),
    (UNDER_REVIEW, rejected()),
    (CONSENT_PENDING, consent_declined()),
    (DISPUTABLE, disputed()),
    (DISPUTED, dispute_upheld()),
    (DISPUTED, dispute_dismissed()),
    (DISPUTABLE, dispute_window_closed()),
    (ACTION_REQUIRED, partner_response_expired()),
]
"""Edits, documents, submissions, changes of status or dispute."""

DOES_NOT_COUNT: list[tuple[tuple[ClaimEvent, ...], ClaimEvent]] = [
    (UNDER_REVIEW, commented()),
    (UNDER_REVIEW, commented(internal=True)),
    (UNDER_REVIEW, reviewer_assigned()),
    (SUBMITTED, review_start_overdue()),
    (UNDER_REVIEW, review_overdue()),
    (DISPUTED, dispute_result_overdue()),
    (CONSENT_PENDING, consent_elapsed()),
    (CONSENT_PENDING, sent_for_assessment()),
    (CONSENT_ELAPSED, assessment_recorded()),
    (UNDER_REVIEW, rejection_requested()),
]
"""Comments, assignments, missed targets, assessments; what a following fact says anyway."""


@pytest.mark.parametrize(("history", "fact"), COUNTS)
def test_a_change_that_counts_makes_a_decision_stale(
    history: tuple[ClaimEvent, ...], fact: ClaimEvent
) -> None:
    """The refusal names the current version and what came since."""
    claim = given(*history, fact)
    seen = len(history)

    with refused(
        claim,
        StaleVersion(
            f"the claim is at version {seen + 1}, the decision was made on version {seen}",
            current_version=seen + 1,
            changed=[fact.event_name()],
        ),
    ):
        claim.require_version(seen)


@pytest.mark.parametrize(("history", "fact"), DOES_NOT_COUNT)
def test_a_change_that_does_not_count_leaves_a_decision_fresh(
    history: tuple[ClaimEvent, ...], fact: ClaimEvent
) -> None:
    """A decision made before it stands."""
    claim = given(*history, fact)

    claim.require_version(len(history))


def test_every_event_is_known_to_count_or_not() -> None:
    """All events but the first stand in one of the two lists above."""
    judged = {fact.event_name() for _, fact in (*COUNTS, *DOES_NOT_COUNT)}

    assert judged == EVENTS.keys() - {"created"}


def test_the_current_version_is_fresh() -> None:
    """Whoever saw all decides on all."""
    for history in (EDITING, UNDER_REVIEW, UPHELD, ACTION_REQUIRED_IN_DISPUTE):
        given(*history).require_version(len(history))


def test_everything_that_came_since_is_named_in_order() -> None:
    """What does not count is left out of the list."""
    claim = given(
        *ACTION_REQUIRED,
        commented(),
        edited(Details(mpn_id="1111111")),
        poe_attached(2),
        resubmitted(),
    )

    with pytest.raises(StaleVersion) as caught:
        claim.require_version(4)

    assert caught.value.current_version == 9
    assert caught.value.changed == ("action_required", "edited", "poe_attached", "resubmitted")


def test_a_decision_of_several_facts_is_named_whole() -> None:
    """A rejection by the timer shows both of its facts."""
    claim = given(
        *ACTION_REQUIRED,
        partner_response_expired(),
        rejected(at=PARTNER_RESPONSE_DUE, cause=TIMER),
    )

    with pytest.raises(StaleVersion) as caught:
        claim.require_version(len(ACTION_REQUIRED))

    assert caught.value.changed == ("partner_response_expired", "rejected")


def test_a_version_that_has_not_been_is_refused() -> None:
    """Nobody can have seen it; nothing came since."""
    claim = given(created())

    with refused(
        claim,
        StaleVersion(
            "the claim is at version 1, the decision was made on version 2",
            current_version=1,
            changed=[],
        ),
    ):
        claim.require_version(2)
