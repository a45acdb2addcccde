"""Editing and proof: what the partner may change, and where."""

import json
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from domain.claim import MAX_DOCUMENTS, Claim, ClaimEvent, Details
from domain.command import AttachPoe, EditClaim
from domain.event import ContactRef
from domain.lifecycle import Phase
from domain.refusal import AlreadyExists, FieldError, Invalid, NotPossible
from domain.vocabulary import Activity, SolutionArea
from tests.domain.examples import (
    ACTION_REQUIRED,
    ACTION_REQUIRED_IN_DISPUTE,
    CATALOGUE,
    CONSENT_ELAPSED,
    CONSENT_PENDING,
    CONTOSO,
    EDITING,
    HISTORIES,
    PARTNER,
    PARTNER_CENTER,
    RESUBMITTED_AT,
    SUBMITTED,
    UNDER_REVIEW,
    action_required,
    created,
    document,
    edited,
    given,
    instant,
    poe_attached,
    refused,
    review_started,
    stated,
    submitted,
)

NOW = RESUBMITTED_AT
NEW_CONTACT = ContactRef(
    id=UUID("c0a7ac70-0000-4000-8000-000000000003"), digest="digest of another contact"
)
ALLOWED_LATER = (
    Details(mpn_id="1111111"),
    Details(products=("teams",)),
    Details(customer_contact=NEW_CONTACT),
    Details(partner_contact=NEW_CONTACT),
)
LOCKED_LATER = (
    Details(name="Another name"),
    Details(customer=CONTOSO),
    Details(solution_area=SolutionArea.MICROSOFT_365),
    Details(activities=(Activity.USAGE,)),
    Details(subscription_ids=("sub-1",)),
)


def fields(changes: Details) -> str:
    """The names of the fields that change."""
    return " ".join(changes.model_fields_set)


def edit(claim: Claim, changes: Details) -> None:
    """Change these details now."""
    claim.edit(changes=changes, catalogue=CATALOGUE, cause=PARTNER, now=NOW)


@pytest.mark.rule("R21")
@pytest.mark.parametrize("changes", ALLOWED_LATER + LOCKED_LATER, ids=fields)
def test_a_draft_can_be_edited_whole(changes: Details) -> None:
    """In editing every detail may change."""
    claim = given(*EDITING)

    edit(claim, changes)

    assert stated(claim) == [edited(changes, at=NOW)]


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    "history",
    [SUBMITTED, ACTION_REQUIRED, ACTION_REQUIRED_IN_DISPUTE],
    ids=["submitted", "action", "action in dispute"],
)
@pytest.mark.parametrize("changes", ALLOWED_LATER, ids=fields)
def test_a_little_can_be_edited_after_submission(
    history: tuple[ClaimEvent, ...], changes: Details
) -> None:
    """MPN id, products and contacts may change, and no clock opens or closes for it."""
    claim = given(*history)
    clock = claim.clock

    edit(claim, changes)

    assert stated(claim) == [edited(changes, at=NOW)]
    assert claim.clock is clock


@pytest.mark.rule("R21")
@pytest.mark.parametrize("history", [SUBMITTED, ACTION_REQUIRED], ids=["submitted", "action"])
@pytest.mark.parametrize("changes", LOCKED_LATER, ids=fields)
def test_most_is_locked_after_submission(history: tuple[ClaimEvent, ...], changes: Details) -> None:
    """What the review is about can't change any more, and the field is named."""
    claim = given(*history)

    with refused(
        claim,
        Invalid([FieldError(f"/{fields(changes)}", "cannot change after submission")], rule="R21"),
    ):
        edit(claim, changes)


@pytest.mark.rule("R21")
def test_all_locked_fields_of_an_edit_are_named() -> None:
    """One locked field refuses the whole edit; each of them is named."""
    claim = given(*SUBMITTED)
    expected = [
        FieldError("/activities", "cannot change after submission"),
        FieldError("/name", "cannot change after submission"),
    ]

    with refused(claim, Invalid(expected, rule="R21")):
        edit(claim, Details(name="Another name", mpn_id="1111111", activities=(Activity.USAGE,)))


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    "phase",
    [
        phase
        for phase in Phase
        if phase
        not in {
            Phase.EDITING,
            Phase.SUBMITTED,
            Phase.ACTION_REQUIRED,
            Phase.ACTION_REQUIRED_IN_DISPUTE,
        }
    ],
)
def test_a_claim_is_locked_elsewhere(phase: Phase) -> None:
    """Under review and after a decision nothing can be edited."""
    claim = given(*HISTORIES[phase])

    with refused(
        claim,
        NotPossible(
            f"edit_claim is not possible in the state {phase}", rule="R21", status=claim.status
        ),
    ):
        edit(claim, Details(mpn_id="1111111"))


@pytest.mark.rule("R21")
def test_a_policy_may_lock_a_submitted_claim() -> None:
    """partner-center-2023 allows editing in editing and partner_action_required only."""
    claim = given(created(), poe_attached(), submitted(policy=PARTNER_CENTER))

    with refused(
        claim,
        NotPossible(
            "edit_claim is not possible in the state submitted", rule="R21", status="submitted"
        ),
    ):
        edit(claim, Details(mpn_id="1111111"))


@pytest.mark.rule("R21")
def test_every_policy_lets_a_partner_edit_when_asked_to_act() -> None:
    """What reviewers ask for can be changed under partner-center-2023 too."""
    claim = given(
        created(),
        poe_attached(),
        submitted(policy=PARTNER_CENTER),
        review_started(),
        action_required(),
    )

    edit(claim, Details(products=("teams",)))

    assert claim.products == ("teams",)


@pytest.mark.rule("R21")
def test_an_edit_must_leave_a_claim_that_could_be_created() -> None:
    """Changed activities are checked against the products that stay."""
    claim = given(*EDITING)

    with refused(
        claim,
        Invalid(
            [
                FieldError("/activities/0", "microsoft_365 has no activity presales"),
                FieldError("/products/0", "teams can be claimed for usage only"),
                FieldError("/products/1", "exchange can be claimed for usage only"),
            ],
            rule="R21",
        ),
    ):
        edit(claim, Details(activities=(Activity.PRESALES,)))


@pytest.mark.rule("R21")
def test_a_draft_can_move_to_another_solution_area() -> None:
    """The edit is judged as a whole, not field by field."""
    claim = given(*EDITING)

    edit(
        claim,
        Details(
            solution_area=SolutionArea.BUSINESS_APPLICATIONS,
            activities=(Activity.REVENUE_ASSOCIATION,),
            products=("power_bi",),
            subscription_ids=("sub-1",),
        ),
    )

    assert claim.solution_area is SolutionArea.BUSINESS_APPLICATIONS
    assert claim.activities == (Activity.REVENUE_ASSOCIATION,)
    assert claim.subscription_ids == ("sub-1",)


@pytest.mark.rule("R21")
def test_an_edit_is_checked_against_the_details_that_stay() -> None:
    """Area, activities and subscriptions are those that the claim was created with."""
    claim = given(
        created(
            solution_area=SolutionArea.BUSINESS_APPLICATIONS,
            activities=[Activity.PRESALES],
            products=["power_bi"],
            subscription_ids=["sub-1"],
        )
    )

    edit(claim, Details(products=("power_apps",)))

    assert claim.products == ("power_apps",)
    with refused(
        claim,
        Invalid(
            [FieldError("/subscription_ids", "at least one is needed for power_apps")], rule="R21"
        ),
    ):
        edit(claim, Details(subscription_ids=()))


@pytest.mark.rule("R22")
@pytest.mark.parametrize(
    "history", [EDITING, SUBMITTED, ACTION_REQUIRED], ids=lambda h: h[-1].TOPIC
)
def test_a_claim_never_goes_below_one_product(history: tuple[ClaimEvent, ...]) -> None:
    """An edit that removes every product is refused."""
    claim = given(*history)

    with refused(
        claim, Invalid([FieldError("/products", "at least one product is needed")], rule="R21")
    ):
        edit(claim, Details(products=()))


@pytest.mark.rule("R22")
def test_a_product_that_was_withdrawn_since_stays_claimed_while_others_are_removed() -> None:
    """What was offered when it was claimed needs not be offered still; what is new must be."""
    claim = given(
        created(products=("teams", "exchange", "skype_for_business")),
        poe_attached(),
        submitted(),
    )
    after_its_end = instant("2021-08-16T09:00Z")

    claim.edit(
        changes=Details(products=("teams", "skype_for_business")),
        catalogue=CATALOGUE,
        cause=PARTNER,
        now=after_its_end,
    )

    assert claim.products == ("teams", "skype_for_business")
    newly = given(created(products=("teams",)), poe_attached(), submitted())
    with refused(
        newly,
        Invalid(
            [FieldError("/products/1", "skype_for_business could be claimed until 2021-07-31")],
            rule="R21",
        ),
    ):
        newly.edit(
            changes=Details(products=("teams", "skype_for_business")),
            catalogue=CATALOGUE,
            cause=PARTNER,
            now=after_its_end,
        )


@pytest.mark.rule("R22")
def test_a_partner_removes_the_product_that_reviewers_named() -> None:
    """Removing all but one product is an ordinary edit."""
    claim = given(*UNDER_REVIEW, action_required(products=["exchange"]))

    edit(claim, Details(products=("teams",)))

    assert claim.products == ("teams",)


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({}, ""),
        ({"name": None}, "name"),
        ({"supersedes": "c1a10000-0000-4000-8000-000000000002"}, "supersedes"),
        ({"org": "7777777"}, "org"),
        ({"claim_id": "c1a10000-0000-4000-8000-000000000002"}, "claim_id"),
        ({"products": []}, "products"),
    ],
)
def test_an_edit_changes_something_that_can_change(data: dict[str, Any], path: str) -> None:
    """Id, organisation and what a claim supersedes never change; nothing is emptied."""
    with pytest.raises(ValidationError) as caught:
        EditClaim.model_validate_json(json.dumps(data), strict=True)

    assert [".".join(map(str, error["loc"])) for error in caught.value.errors()] == [path]


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    "history",
    [
        EDITING,
        SUBMITTED,
        ACTION_REQUIRED,
        ACTION_REQUIRED_IN_DISPUTE,
        CONSENT_PENDING,
        CONSENT_ELAPSED,
    ],
    ids=lambda h: h[-1].TOPIC,
)
def test_proof_can_be_added(history: tuple[ClaimEvent, ...]) -> None:
    """PoE may be added with a note, and stops no clock."""
    claim = given(*history)
    clock, status = claim.clock, claim.status

    claim.attach(document=document(2), note="Signed on page 4.", cause=PARTNER, now=NOW)

    assert stated(claim) == [poe_attached(2, note="Signed on page 4.", at=NOW)]
    assert claim.documents == (document(1), document(2))
    assert (claim.clock, claim.status) == (clock, status)


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    "phase", [Phase.UNDER_REVIEW, Phase.DISPUTABLE, Phase.DISPUTED, Phase.FINAL]
)
def test_proof_cannot_be_added_elsewhere(phase: Phase) -> None:
    """Under review a claim is locked; on a rejected claim proof comes with the dispute."""
    claim = given(*HISTORIES[phase])

    with refused(
        claim,
        NotPossible(
            f"attach_poe is not possible in the state {phase}", rule="R21", status=claim.status
        ),
    ):
        claim.attach(document=document(2), cause=PARTNER, now=NOW)


@pytest.mark.rule("R21")
def test_the_same_proof_is_attached_once() -> None:
    """A document is known by its content, whatever its file is called."""
    claim = given(*EDITING)
    renamed = document(1).model_copy(update={"filename": "copy.pdf"})

    with refused(claim, AlreadyExists("copy.pdf is already attached to this claim")):
        claim.attach(document=renamed, cause=PARTNER, now=NOW)


@pytest.mark.rule("R21")
def test_a_claim_has_at_most_twenty_documents() -> None:
    """The twentieth document is taken, the next one refused."""
    claim = given(created(), *(poe_attached(n) for n in range(1, MAX_DOCUMENTS)))
    claim.attach(document=document(20), cause=PARTNER, now=NOW)

    with refused(
        claim, Invalid([FieldError("/document", "a claim has at most 20 documents")], rule="R21")
    ):
        claim.attach(document=document(21), cause=PARTNER, now=NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digest", "sha256:ABC"),
        ("digest", "md5:" + "0" * 64),
        ("filename", ""),
        ("size", -1),
        ("size", 20 * 1024 * 1024 + 1),
        ("size", "7"),
    ],
)
def test_a_document_is_named_as_the_upload_answered(field: str, value: object) -> None:
    """A document that no upload can have answered is refused by the field's name."""
    data = {"document": document().model_dump() | {field: value}}

    with pytest.raises(ValidationError) as caught:
        AttachPoe.model_validate_json(json.dumps(data), strict=True)

    assert [error["loc"] for error in caught.value.errors()] == [("document", field)]
