"""Review: start, assignment, requests for action, resubmission, decisions."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from domain.claim import ClaimEvent, Details
from domain.command import COMMANDS, RejectClaim, RequireAction
from domain.lifecycle import Phase
from domain.refusal import FieldError, Invalid, NotPossible, TooLate
from domain.vocabulary import (
    ActionReason,
    ClockName,
    Consent,
    Dispute,
    RejectionReason,
    Status,
)
from tests.domain.examples import (
    ACTION_REQUIRED,
    CONSENT_DUE,
    DECIDED_AT,
    DISPUTE_WINDOW_DUE,
    DISPUTED,
    OTHER_REVIEWER,
    PARTNER,
    PARTNER_RESPONSE_DUE,
    RESUBMITTED_AT,
    REVIEW_DECISION_DUE,
    REVIEW_STARTED_AT,
    REVIEWER,
    SUBMITTED,
    UNDER_REVIEW,
    action_required,
    approved,
    by_reviewer,
    commented,
    edited,
    given,
    instant,
    poe_attached,
    refused,
    rejected,
    resubmitted,
    review_started,
    reviewer_assigned,
    stated,
)


def complaints(command: str, data: dict[str, Any]) -> list[tuple[str, str]]:
    """Which fields of a command's data are refused, and for what kind of reason."""
    with pytest.raises(ValidationError) as caught:
        COMMANDS[command].model_validate_json(json.dumps(data), strict=True)
    return [(".".join(map(str, e["loc"])), e["type"]) for e in caught.value.errors()]


@pytest.mark.rule("R3")
def test_the_reviewer_who_starts_is_assigned() -> None:
    """Starting the review opens the clock of the decision."""
    claim = given(*SUBMITTED)

    claim.start_review(cause=REVIEWER, now=REVIEW_STARTED_AT)

    assert stated(claim) == [review_started(review_decision_due=REVIEW_DECISION_DUE)]
    assert claim.status is Status.UNDER_REVIEW
    assert claim.reviewer == "deniz"


@pytest.mark.rule("R3")
def test_a_review_starts_once() -> None:
    """Who comes second learns that the review has begun."""
    claim = given(*UNDER_REVIEW)

    with refused(
        claim,
        NotPossible(
            "start_review is not possible in the state under_review",
            rule="R3",
            status="under_review",
        ),
    ):
        claim.start_review(cause=OTHER_REVIEWER, now=DECIDED_AT)


@pytest.mark.rule("R3")
@pytest.mark.parametrize("history", [UNDER_REVIEW, DISPUTED], ids=["review", "dispute"])
def test_another_reviewer_can_be_assigned(history: tuple[ClaimEvent, ...]) -> None:
    """The review is handed over; the clock goes on."""
    claim = given(*history)
    clock = claim.clock

    claim.assign_reviewer(reviewer="selin", cause=REVIEWER, now=DECIDED_AT)

    assert stated(claim) == [reviewer_assigned("selin", at=DECIDED_AT)]
    assert claim.reviewer == "selin"
    assert claim.clock is clock


@pytest.mark.rule("R4")
@pytest.mark.rule("R15c")
def test_a_reviewer_requires_action() -> None:
    """The request has reasons, products, a comment, and the partner's clock."""
    claim = given(*UNDER_REVIEW)
    reasons = [ActionReason.MISSING_PRODUCTS, ActionReason.MISSING_OR_OLD_DATES]

    claim.require_action(
        reasons=reasons,
        products=["exchange"],
        comment="Exchange is not in the document.",
        cause=REVIEWER,
        now=DECIDED_AT,
    )

    assert stated(claim) == [
        action_required(
            reasons=reasons,
            products=["exchange"],
            comment="Exchange is not in the document.",
            partner_response_due=PARTNER_RESPONSE_DUE,
        )
    ]
    assert claim.status is Status.PARTNER_ACTION_REQUIRED
    assert claim.dispute is Dispute.NONE


@pytest.mark.rule("R4")
def test_a_request_names_claimed_products_only() -> None:
    """Every product that is not claimed is named by its place."""
    claim = given(*UNDER_REVIEW)

    with refused(
        claim,
        Invalid(
            [
                FieldError("/products/1", "intune is not claimed"),
                FieldError("/products/2", "abacus is not claimed"),
            ],
            rule="R4",
        ),
    ):
        claim.require_action(
            reasons=[ActionReason.MISSING_PRODUCTS],
            products=["teams", "intune", "abacus"],
            comment="These are not in the document.",
            cause=REVIEWER,
            now=DECIDED_AT,
        )


@pytest.mark.rule("R4")
@pytest.mark.rule("R15c")
def test_action_can_be_required_any_number_of_times() -> None:
    """Each request gives the partner its full period anew."""
    claim = given(
        *ACTION_REQUIRED,
        resubmitted(),
        review_started(at=instant("2021-05-13T09:00Z")),
    )
    again = instant("2021-05-14T09:00Z")

    claim.require_action(
        reasons=[ActionReason.MISSING_OR_OLD_DATES],
        comment="Please add the dates.",
        cause=REVIEWER,
        now=again,
    )

    assert stated(claim) == [
        action_required(at=again, partner_response_due=instant("2021-05-22T00:00Z"))
    ]


@pytest.mark.rule("R19")
def test_there_are_exactly_five_reasons_to_require_action() -> None:
    """No other reason is understood."""
    assert sorted(ActionReason) == [
        "missing_all_poe",
        "missing_customer_acknowledgment",
        "missing_or_old_dates",
        "missing_partner_solution",
        "missing_products",
    ]
    for reason in ActionReason:
        command = RequireAction.model_validate({"reasons": [reason], "comment": "Please."})
        assert command.reasons == (reason,)


@pytest.mark.rule("R4")
@pytest.mark.rule("R19")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"comment": "Please."}, ("reasons", "missing")),
        ({"reasons": [], "comment": "Please."}, ("reasons", "too_short")),
        ({"reasons": ["missing_products"]}, ("comment", "missing")),
        ({"reasons": ["missing_products"], "comment": " "}, ("comment", "string_too_short")),
        (
            {"reasons": ["missing_products", "insufficient_poe"], "comment": "Please."},
            ("reasons.1", "enum"),
        ),
        (
            {"reasons": ["missing_products", "missing_products"], "comment": "Please."},
            ("reasons", "value_error"),
        ),
    ],
)
def test_a_request_for_action_has_a_reason_and_a_comment(
    data: dict[str, Any], expected: tuple[str, str]
) -> None:
    """A request that says not why is refused by the field's name."""
    assert complaints("require_action", data) == [expected]


@pytest.mark.rule("R5")
@pytest.mark.rule("R15a")
def test_the_partner_resubmits_without_a_new_document() -> None:
    """Resubmitting closes the partner's clock and opens the reviewers' anew."""
    claim = given(*ACTION_REQUIRED)

    claim.resubmit(comment="The dates stand on page 2.", cause=PARTNER, now=RESUBMITTED_AT)

    assert stated(claim) == [
        resubmitted(comment="The dates stand on page 2.", due=instant("2021-05-20T00:00Z"))
    ]
    assert claim.status is Status.SUBMITTED


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    "fact",
    [commented(cause=PARTNER), edited(Details(mpn_id="1111111")), poe_attached(2)],
    ids=lambda fact: fact.TOPIC,
)
def test_nothing_but_resubmitting_stops_the_partners_clock(fact: ClaimEvent) -> None:
    """A comment, an edit or a new document alone does not resubmit."""
    waiting = given(*ACTION_REQUIRED)

    claim = given(*ACTION_REQUIRED, fact)

    assert claim.status is Status.PARTNER_ACTION_REQUIRED
    assert claim.clock == waiting.clock


@pytest.mark.rule("R5")
@pytest.mark.rule("R16")
def test_the_partner_can_resubmit_until_the_last_microsecond() -> None:
    """One microsecond before the due instant is in time."""
    claim = given(*ACTION_REQUIRED)

    claim.resubmit(cause=PARTNER, now=instant("2021-05-17T23:59:59.999999Z"))

    assert claim.phase is Phase.SUBMITTED


@pytest.mark.rule("R5")
@pytest.mark.rule("R15c")
@pytest.mark.rule("R16")
@pytest.mark.parametrize("late", ["2021-05-18T00:00Z", "2021-05-20T12:00Z"])
def test_the_partner_cannot_resubmit_from_the_due_instant_on(late: str) -> None:
    """Exactly at the due instant the period has passed, before its timer says so too."""
    claim = given(*ACTION_REQUIRED)

    with refused(claim, TooLate("the partner's time to respond has passed", rule="R15c")):
        claim.resubmit(cause=PARTNER, now=instant(late))


@pytest.mark.rule("R6")
@pytest.mark.rule("R15d")
def test_a_reviewer_approves() -> None:
    """The claim is approved at once, and the customer may opt out for seven days."""
    claim = given(*UNDER_REVIEW)

    claim.approve(note="Well documented.", cause=REVIEWER, now=DECIDED_AT)

    assert stated(claim) == [approved(note="Well documented.", consent_due=CONSENT_DUE)]
    assert (claim.status, claim.consent) == (Status.APPROVED, Consent.PENDING)


@pytest.mark.rule("R7")
@pytest.mark.rule("R15e")
def test_a_reviewer_rejects() -> None:
    """The claim is rejected with a note and reasons, and may be disputed for thirty days."""
    claim = given(*UNDER_REVIEW)
    reasons = [RejectionReason.INSUFFICIENT_POE, RejectionReason.MISSING_PRODUCTS]

    claim.reject(reasons=reasons, note="Nothing fits.", cause=REVIEWER, now=DECIDED_AT)

    assert stated(claim) == [
        rejected(reasons=reasons, note="Nothing fits.", dispute_window_due=DISPUTE_WINDOW_DUE)
    ]
    assert claim.status is Status.REJECTED
    assert claim.rejection_reasons == tuple(reasons)
    assert claim.rejected_by == "deniz"


@pytest.mark.rule("R20")
def test_there_are_seven_reasons_of_rejection() -> None:
    """Three primary ones and four others."""
    assert sorted(RejectionReason) == [
        "customer_declined",
        "insufficient_poe",
        "missing_customer_consent",
        "missing_products",
        "no_partner_response",
        "partner_request",
        "poe_unavailable",
    ]


@pytest.mark.rule("R7")
@pytest.mark.parametrize(
    "reason",
    ["insufficient_poe", "missing_customer_consent", "missing_products", "poe_unavailable"],
)
def test_a_reviewer_has_four_reasons(reason: str) -> None:
    """These are a reviewer's own reasons."""
    command = RejectClaim.model_validate({"reasons": [reason], "note": "No."})

    assert command.reasons == (reason,)


@pytest.mark.rule("R20")
@pytest.mark.parametrize("reason", ["partner_request", "customer_declined", "no_partner_response"])
def test_the_reasons_of_others_are_not_a_reviewers_to_give(reason: str) -> None:
    """Partner, customer and timer have reasons of their own."""
    data = {"reasons": ["insufficient_poe", reason], "note": "No."}

    assert complaints("reject_claim", data) == [("reasons.1", "literal_error")]


@pytest.mark.rule("R7")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"reasons": [], "note": "No."}, ("reasons", "too_short")),
        ({"note": "No."}, ("reasons", "missing")),
        ({"reasons": ["insufficient_poe"]}, ("note", "missing")),
        ({"reasons": ["insufficient_poe"], "note": ""}, ("note", "string_too_short")),
        (
            {"reasons": ["insufficient_poe", "insufficient_poe"], "note": "No."},
            ("reasons", "value_error"),
        ),
    ],
)
def test_a_reviewer_rejects_with_a_note_and_a_reason(
    data: dict[str, Any], expected: tuple[str, str]
) -> None:
    """A rejection that says not why is refused by the field's name."""
    assert complaints("reject_claim", data) == [expected]


@pytest.mark.rule("R3")
def test_any_reviewer_may_decide() -> None:
    """The assignment tells who is at it; it does not bind."""
    claim = given(*UNDER_REVIEW)

    claim.approve(cause=by_reviewer("kerem"), now=DECIDED_AT)

    assert stated(claim) == [approved(cause=by_reviewer("kerem"))]
    assert claim.clock is not None
    assert claim.clock.clock is ClockName.CONSENT
