"""Dispute: opened once, decided by another reviewer than the one who rejected."""

import pytest

from domain.claim import MAX_DOCUMENTS, ClaimEvent
from domain.lifecycle import Phase
from domain.refusal import AlreadyExists, FieldError, Invalid, NotAllowed, NotPossible, TooLate
from domain.vocabulary import ActionReason, ClockName, Consent, Dispute, RejectionReason, Status
from tests.domain.examples import (
    ACTION_REQUIRED,
    ACTION_REQUIRED_IN_DISPUTE,
    DISMISSED,
    DISPUTABLE,
    DISPUTE_DECIDED_AT,
    DISPUTE_RESULT_DUE,
    DISPUTE_WINDOW_DUE,
    DISPUTED,
    DISPUTED_AT,
    OTHER_REVIEWER,
    PARTNER,
    REVIEWER,
    TIMER,
    UNDER_REVIEW,
    UPHELD,
    action_required,
    approved,
    by_reviewer,
    consent_elapsed,
    dispute_dismissed,
    dispute_upheld,
    dispute_window_closed,
    disputed,
    document,
    given,
    instant,
    partner_response_expired,
    poe_attached,
    refused,
    rejected,
    resubmitted,
    reviewer_assigned,
    sent_for_assessment,
    stated,
)

ANOTHER = NotAllowed(
    "a dispute is decided by another reviewer than the one who rejected", rule="R12"
)


@pytest.mark.rule("R11")
@pytest.mark.rule("R15f")
def test_the_partner_disputes_with_a_justification() -> None:
    """The status stays rejected; the reviewers' clock runs in place of the window."""
    claim = given(*DISPUTABLE)

    claim.open_dispute(justification="See page 3.", cause=PARTNER, now=DISPUTED_AT)

    assert stated(claim) == [
        disputed(justification="See page 3.", dispute_result_due=DISPUTE_RESULT_DUE)
    ]
    assert (claim.status, claim.dispute) == (Status.REJECTED, Dispute.OPEN)
    assert claim.rejection_reasons == (RejectionReason.INSUFFICIENT_POE,)


@pytest.mark.rule("R11")
def test_the_partner_disputes_with_new_proof() -> None:
    """Documents are attached in the same decision, before the dispute; no word is needed."""
    claim = given(*DISPUTABLE)

    claim.open_dispute(documents=[document(2), document(3)], cause=PARTNER, now=DISPUTED_AT)

    assert stated(claim) == [
        poe_attached(2, at=DISPUTED_AT),
        poe_attached(3, at=DISPUTED_AT),
        disputed(justification=""),
    ]
    assert claim.documents == (document(1), document(2), document(3))


@pytest.mark.rule("R11")
def test_a_dispute_needs_a_justification_or_proof() -> None:
    """Merely disagreeing is not enough."""
    claim = given(*DISPUTABLE)

    with refused(
        claim,
        Invalid(
            [FieldError("/justification", "a justification or a new document is needed")],
            rule="R11",
        ),
    ):
        claim.open_dispute(cause=PARTNER, now=DISPUTED_AT)


@pytest.mark.rule("R11")
@pytest.mark.rule("R21")
@pytest.mark.parametrize("numbers", [(2, 1), (2, 2)], ids=["attached before", "named twice"])
def test_a_dispute_brings_new_proof_only(numbers: tuple[int, ...]) -> None:
    """One known document refuses the dispute, and none of its documents is attached."""
    claim = given(*DISPUTABLE)
    known = document(numbers[-1]).filename

    with refused(claim, AlreadyExists(f"{known} is already attached to this claim")):
        claim.open_dispute(documents=[document(n) for n in numbers], cause=PARTNER, now=DISPUTED_AT)


@pytest.mark.rule("R11")
@pytest.mark.rule("R21")
def test_a_dispute_cannot_bring_more_documents_than_a_claim_may_have() -> None:
    """Twenty documents are the limit here too."""
    claim = given(*DISPUTABLE)
    too_many = [document(n) for n in range(2, MAX_DOCUMENTS + 2)]

    with refused(
        claim, Invalid([FieldError("/documents", "a claim has at most 20 documents")], rule="R21")
    ):
        claim.open_dispute(documents=too_many, cause=PARTNER, now=DISPUTED_AT)


@pytest.mark.rule("R11")
@pytest.mark.rule("R16")
def test_a_dispute_can_be_opened_until_the_last_microsecond() -> None:
    """One microsecond before the due instant is in time."""
    claim = given(*DISPUTABLE)

    claim.open_dispute(
        justification="See page 3.", cause=PARTNER, now=instant("2021-06-09T23:59:59.999999Z")
    )

    assert claim.dispute is Dispute.OPEN


@pytest.mark.rule("R11")
@pytest.mark.rule("R16")
def test_a_dispute_cannot_be_opened_at_the_due_instant() -> None:
    """Exactly at the due instant the window has passed, before its timer says so too."""
    claim = given(*DISPUTABLE)

    with refused(claim, TooLate("the dispute window has passed", rule="R11")):
        claim.open_dispute(justification="See page 3.", cause=PARTNER, now=DISPUTE_WINDOW_DUE)


@pytest.mark.rule("R11")
@pytest.mark.parametrize(
    ("history", "phase"),
    [
        (UNDER_REVIEW, "under_review"),
        (DISPUTED, "rejected_dispute_open"),
        (UPHELD, "approved_consent_pending"),
        ((*UPHELD, consent_elapsed(), sent_for_assessment()), "approved_consent_elapsed"),
        (DISMISSED, "rejected_final"),
        (ACTION_REQUIRED_IN_DISPUTE, "partner_action_required_in_dispute"),
    ],
)
def test_a_claim_is_disputed_once_and_only_when_rejected(
    history: tuple[ClaimEvent, ...], phase: str
) -> None:
    """One dispute per claim, however it went."""
    claim = given(*history)

    with refused(
        claim,
        NotPossible(
            f"open_dispute is not possible in the state {phase}", rule="R11", status=claim.status
        ),
    ):
        claim.open_dispute(justification="Again.", cause=PARTNER, now=DISPUTE_DECIDED_AT)


@pytest.mark.rule("R15e")
def test_the_window_closes() -> None:
    """When the thirty days have passed, the rejection is final."""
    claim = given(*DISPUTABLE)

    claim.pass_deadline(
        clock=ClockName.DISPUTE_WINDOW,
        due_at=DISPUTE_WINDOW_DUE,
        cause=TIMER,
        now=DISPUTE_WINDOW_DUE,
    )

    assert stated(claim) == [dispute_window_closed()]
    assert (claim.status, claim.dispute) == (Status.REJECTED, Dispute.WINDOW_CLOSED)
    assert claim.phase is Phase.FINAL


@pytest.mark.rule("R12")
@pytest.mark.rule("R15d")
def test_an_upheld_dispute_approves_with_a_new_consent_period() -> None:
    """The reasons of the rejection are cleared, and the customer has seven days again."""
    claim = given(*DISPUTED)

    claim.uphold_dispute(note="You are right.", cause=OTHER_REVIEWER, now=DISPUTE_DECIDED_AT)

    assert stated(claim) == [
        dispute_upheld(note="You are right."),
        approved(
            at=DISPUTE_DECIDED_AT,
            cause=OTHER_REVIEWER,
            consent_due=instant("2021-06-01T00:00Z"),
        ),
    ]
    assert (claim.status, claim.consent) == (Status.APPROVED, Consent.PENDING)
    assert claim.dispute is Dispute.UPHELD
    assert claim.rejection_reasons == ()


@pytest.mark.rule("R12")
def test_a_dismissed_dispute_is_final() -> None:
    """The claim stays rejected by the same reasons, and nothing runs any more."""
    claim = given(*DISPUTED)

    claim.dismiss_dispute(note="Still nothing.", cause=OTHER_REVIEWER, now=DISPUTE_DECIDED_AT)

    assert stated(claim) == [dispute_dismissed(note="Still nothing.")]
    assert (claim.status, claim.dispute) == (Status.REJECTED, Dispute.DISMISSED)
    assert claim.rejection_reasons == (RejectionReason.INSUFFICIENT_POE,)
    assert claim.clock is None


@pytest.mark.rule("R4")
@pytest.mark.rule("R12")
def test_action_can_be_required_in_a_dispute() -> None:
    """The partner gets its full period; the dispute stays open."""
    claim = given(*DISPUTED)

    claim.require_action(
        reasons=[ActionReason.MISSING_ALL_POE],
        comment="The file is empty.",
        cause=OTHER_REVIEWER,
        now=DISPUTE_DECIDED_AT,
    )

    assert stated(claim) == [
        action_required(
            reasons=[ActionReason.MISSING_ALL_POE],
            comment="The file is empty.",
            at=DISPUTE_DECIDED_AT,
            cause=OTHER_REVIEWER,
            partner_response_due=instant("2021-06-01T00:00Z"),
        )
    ]
    assert claim.status is Status.PARTNER_ACTION_REQUIRED
    assert claim.dispute is Dispute.OPEN


@pytest.mark.rule("R12")
def test_who_rejected_does_not_uphold() -> None:
    """A dispute is decided by another reviewer."""
    claim = given(*DISPUTED)

    with refused(claim, ANOTHER):
        claim.uphold_dispute(note="On reflection …", cause=REVIEWER, now=DISPUTE_DECIDED_AT)


@pytest.mark.rule("R12")
def test_who_rejected_does_not_dismiss() -> None:
    """Not even to stand by the decision."""
    claim = given(*DISPUTED)

    with refused(claim, ANOTHER):
        claim.dismiss_dispute(note="As I said.", cause=REVIEWER, now=DISPUTE_DECIDED_AT)


@pytest.mark.rule("R12")
def test_who_rejected_does_not_require_action_in_the_dispute() -> None:
    """Asking for more decides the dispute's course too."""
    claim = given(*DISPUTED)

    with refused(claim, ANOTHER):
        claim.require_action(
            reasons=[ActionReason.MISSING_ALL_POE],
            comment="The file is empty.",
            cause=REVIEWER,
            now=DISPUTE_DECIDED_AT,
        )


@pytest.mark.rule("R12")
def test_an_assignment_does_not_lift_the_rule() -> None:
    """Who rejected is told by the rejection, not by who is assigned now."""
    claim = given(*DISPUTED, reviewer_assigned("deniz", at=DISPUTED_AT))

    with refused(claim, ANOTHER):
        claim.uphold_dispute(note="On reflection …", cause=REVIEWER, now=DISPUTE_DECIDED_AT)


@pytest.mark.rule("R12")
def test_who_rejected_still_may_not_decide_after_a_resubmission() -> None:
    """The round through the partner changes nothing about who rejected."""
    claim = given(
        *ACTION_REQUIRED_IN_DISPUTE,
        resubmitted(clock=ClockName.DISPUTE_RESULT, at=instant("2021-05-26T09:00Z")),
    )

    with refused(claim, ANOTHER):
        claim.uphold_dispute(
            note="On reflection …", cause=REVIEWER, now=instant("2021-05-27T09:00Z")
        )


@pytest.mark.rule("R12")
@pytest.mark.parametrize("reviewer", ["deniz", "selin"])
def test_a_rejection_by_the_timer_can_be_decided_by_any_reviewer(reviewer: str) -> None:
    """Nobody rejected, so nobody is barred: not even who had required the action."""
    claim = given(
        *ACTION_REQUIRED,
        partner_response_expired(),
        rejected(
            reasons=[RejectionReason.NO_PARTNER_RESPONSE],
            at=instant("2021-05-18T00:00Z"),
            cause=TIMER,
        ),
        disputed(),
    )

    claim.uphold_dispute(
        note="Ill, and proved it.", cause=by_reviewer(reviewer), now=DISPUTE_DECIDED_AT
    )

    assert claim.dispute is Dispute.UPHELD


@pytest.mark.rule("R12")
@pytest.mark.rule("R15f")
def test_a_resubmission_in_a_dispute_returns_to_rejected() -> None:
    """The dispute is open again, with a fresh clock for its result."""
    claim = given(*ACTION_REQUIRED_IN_DISPUTE)
    now = instant("2021-05-26T09:00Z")

    claim.resubmit(comment="Here it is.", cause=PARTNER, now=now)

    assert stated(claim) == [
        resubmitted(
            comment="Here it is.",
            clock=ClockName.DISPUTE_RESULT,
            at=now,
            due=instant("2021-06-03T00:00Z"),
        )
    ]
    assert (claim.status, claim.dispute) == (Status.REJECTED, Dispute.OPEN)
    assert claim.phase is Phase.DISPUTED


@pytest.mark.rule("R12")
@pytest.mark.rule("R15c")
def test_no_answer_in_a_dispute_dismisses_it() -> None:
    """no_partner_response joins the reasons of the rejection."""
    claim = given(*ACTION_REQUIRED_IN_DISPUTE)
    due_at = instant("2021-06-01T00:00Z")
    reasons = [RejectionReason.INSUFFICIENT_POE, RejectionReason.NO_PARTNER_RESPONSE]

    claim.pass_deadline(clock=ClockName.PARTNER_RESPONSE, due_at=due_at, cause=TIMER, now=due_at)

    assert stated(claim) == [
        partner_response_expired(due_at),
        dispute_dismissed(note="", reasons=reasons, at=due_at, cause=TIMER),
    ]
    assert (claim.status, claim.dispute) == (Status.REJECTED, Dispute.DISMISSED)
    assert claim.rejection_reasons == tuple(reasons)
    assert claim.phase is Phase.FINAL


@pytest.mark.rule("R12")
def test_no_answer_twice_is_named_once() -> None:
    """A claim rejected for no answer, and disputed without an answer, has that reason once."""
    claim = given(
        *ACTION_REQUIRED,
        partner_response_expired(),
        rejected(
            reasons=[RejectionReason.NO_PARTNER_RESPONSE],
            at=instant("2021-05-18T00:00Z"),
            cause=TIMER,
        ),
        disputed(),
        action_required(at=DISPUTE_DECIDED_AT, cause=OTHER_REVIEWER),
    )
    due_at = instant("2021-06-01T00:00Z")

    claim.pass_deadline(clock=ClockName.PARTNER_RESPONSE, due_at=due_at, cause=TIMER, now=due_at)

    assert claim.rejection_reasons == (RejectionReason.NO_PARTNER_RESPONSE,)


@pytest.mark.rule("R12")
@pytest.mark.parametrize("history", [DISPUTABLE, UPHELD, DISMISSED], ids=lambda h: h[-1].TOPIC)
def test_only_an_open_dispute_is_decided(history: tuple[ClaimEvent, ...]) -> None:
    """There is none before it is opened, and none after its decision."""
    claim = given(*history)

    with refused(
        claim,
        NotPossible(
            f"uphold_dispute is not possible in the state {claim.phase}",
            rule="R12",
            status=claim.status,
        ),
    ):
        claim.uphold_dispute(note="Yes.", cause=OTHER_REVIEWER, now=DISPUTE_DECIDED_AT)
    with refused(
        claim,
        NotPossible(
            f"dismiss_dispute is not possible in the state {claim.phase}",
            rule="R12",
            status=claim.status,
        ),
    ):
        claim.dismiss_dispute(note="No.", cause=OTHER_REVIEWER, now=DISPUTE_DECIDED_AT)
