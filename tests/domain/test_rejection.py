"""Rejection: asked for by the partner, or by the partner's silence."""

import json

import pytest
from pydantic import ValidationError

from domain.claim import ClaimEvent
from domain.command import RequestRejection
from domain.lifecycle import Phase
from domain.refusal import NotPossible, TooLate
from domain.vocabulary import ClockName, Dispute, RejectionReason, Status
from tests.domain.examples import (
    ACTION_REQUIRED,
    ACTION_REQUIRED_IN_DISPUTE,
    DECLINED,
    DISMISSED,
    DISPUTE_DECIDED_AT,
    HISTORIES,
    PARTNER,
    PARTNER_RESPONSE_DUE,
    TIMER,
    UPHELD,
    WINDOW_CLOSED,
    WITHDRAWN,
    dispute_dismissed,
    given,
    instant,
    partner_response_expired,
    refused,
    rejected,
    rejected_for_good,
    rejection_requested,
    stated,
)

NOW = instant("2021-05-25T09:00Z")
WITHOUT_DISPUTE = [
    phase
    for phase in Phase
    if not phase.startswith("rejected") and phase is not Phase.ACTION_REQUIRED_IN_DISPUTE
]


@pytest.mark.rule("R10")
@pytest.mark.rule("R20")
@pytest.mark.parametrize("phase", WITHOUT_DISPUTE)
def test_the_partner_gives_its_claim_up_at_once(phase: Phase) -> None:
    """In every status but rejected the claim is rejected for that reason, and no clock is left."""
    claim = given(*HISTORIES[phase])

    claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=NOW)

    assert stated(claim) == [
        rejection_requested(explanation="Wrong MPN id.", at=NOW),
        rejected_for_good(RejectionReason.PARTNER_REQUEST, at=NOW),
    ]
    assert claim.status is Status.REJECTED
    assert claim.rejection_reasons == (RejectionReason.PARTNER_REQUEST,)
    assert claim.rejected_by is None
    assert claim.phase is Phase.FINAL
    assert claim.clock is None


@pytest.mark.rule("R10")
def test_giving_up_dismisses_an_open_dispute() -> None:
    """In a dispute the partner's request dismisses it first, by the reasons of the rejection."""
    claim = given(*ACTION_REQUIRED_IN_DISPUTE)

    claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=NOW)

    assert stated(claim) == [
        rejection_requested(explanation="Wrong MPN id.", at=NOW),
        dispute_dismissed(note="", at=NOW, cause=PARTNER),
        rejected_for_good(RejectionReason.PARTNER_REQUEST, at=NOW),
    ]
    assert claim.dispute is Dispute.DISMISSED
    assert claim.phase is Phase.FINAL


@pytest.mark.rule("R10")
@pytest.mark.parametrize("phase", [Phase.DISPUTABLE, Phase.DISPUTED, Phase.FINAL])
def test_a_rejected_claim_cannot_be_given_up(phase: Phase) -> None:
    """It is rejected already."""
    claim = given(*HISTORIES[phase])

    with refused(
        claim,
        NotPossible(
            f"request_rejection is not possible in the state {phase}",
            rule="R10",
            status="rejected",
        ),
    ):
        claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=NOW)


@pytest.mark.rule("R10")
@pytest.mark.parametrize("data", [{}, {"explanation": ""}, {"explanation": None}])
def test_giving_up_takes_an_explanation(data: dict[str, object]) -> None:
    """The vendor wants to know why."""
    with pytest.raises(ValidationError) as caught:
        RequestRejection.model_validate_json(json.dumps(data), strict=True)

    assert [error["loc"] for error in caught.value.errors()] == [("explanation",)]


@pytest.mark.rule("R15c")
@pytest.mark.rule("R20")
@pytest.mark.parametrize("late", ["2021-05-18T00:00Z", "2021-05-21T15:00Z"])
def test_no_answer_in_time_rejects(late: str) -> None:
    """The timer rejects, so any reviewer may decide a dispute, whose window opens with it."""
    claim = given(*ACTION_REQUIRED)

    claim.pass_deadline(
        clock=ClockName.PARTNER_RESPONSE,
        due_at=PARTNER_RESPONSE_DUE,
        cause=TIMER,
        now=instant(late),
    )

    assert stated(claim) == [
        partner_response_expired(at=instant(late)),
        rejected(
            reasons=[RejectionReason.NO_PARTNER_RESPONSE], note="", at=instant(late), cause=TIMER
        ),
    ]
    assert claim.rejected_by is None
    assert claim.phase is Phase.DISPUTABLE


@pytest.mark.rule("R11")
@pytest.mark.parametrize(
    "history", [WITHDRAWN, DECLINED, DISMISSED], ids=["partner request", "declined", "dismissed"]
)
def test_no_window_opens_after_the_final_rejections(history: tuple[ClaimEvent, ...]) -> None:
    """After partner_request, customer_declined and a dismissed dispute nothing can be disputed."""
    claim = given(*history)

    assert claim.clock is None
    with refused(
        claim,
        NotPossible(
            "open_dispute is not possible in the state rejected_final",
            rule="R11",
            status="rejected",
        ),
    ):
        claim.open_dispute(justification="But …", cause=PARTNER, now=NOW)


@pytest.mark.rule("R11")
@pytest.mark.rule("R13")
def test_after_the_window_it_is_too_late() -> None:
    """Then only a new claim is possible."""
    claim = given(*WINDOW_CLOSED)

    with refused(claim, TooLate("the dispute window has closed", rule="R11")):
        claim.open_dispute(justification="But …", cause=PARTNER, now=instant("2021-06-10T00:00Z"))


@pytest.mark.rule("R10")
@pytest.mark.rule("R12")
def test_an_upheld_claim_can_still_be_given_up() -> None:
    """The dispute stays upheld; the new consent period ends."""
    claim = given(*UPHELD)

    claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=NOW)

    assert claim.dispute is Dispute.UPHELD
    assert claim.rejection_reasons == (RejectionReason.PARTNER_REQUEST,)
    assert claim.clock is None


@pytest.mark.rule("R4")
@pytest.mark.rule("R20")
def test_the_reasons_of_the_rejection_are_kept_while_action_is_required_in_a_dispute() -> None:
    """They are needed again should the dispute be dismissed."""
    claim = given(*ACTION_REQUIRED_IN_DISPUTE)

    assert claim.status is Status.PARTNER_ACTION_REQUIRED
    assert claim.rejection_reasons == (RejectionReason.INSUFFICIENT_POE,)
    assert claim.action_required_at == DISPUTE_DECIDED_AT
