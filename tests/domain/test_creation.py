"""Creating a claim: what it needs, and what it may supersede."""

import json
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from domain.command import CreateClaim
from domain.refusal import FieldError, Invalid
from domain.vocabulary import Activity, SolutionArea, Status
from tests.domain.decision import create
from tests.domain.examples import (
    CLAIM_ID,
    CREATED_AT,
    DISMISSED,
    DISPUTABLE,
    DISPUTED,
    EDITING,
    WINDOW_CLOSED,
    WITHDRAWN,
    by_partner,
    created,
    given,
    instant,
    stated,
)

DATA: dict[str, Any] = {
    "name": "Contoso collaboration",
    "mpn_id": "7654321",
    "customer": {
        "name": "Contoso",
        "domain": "contoso.example",
        "tenant_id": "7e4a0000-0000-4000-8000-000000000001",
    },
    "solution_area": "microsoft_365",
    "activities": ["usage"],
    "products": ["teams"],
    "customer_contact": {"name": "Ada Berg", "title": "CIO", "email": "ada@contoso.example"},
    "partner_contact": {"name": "Can Kaya", "email": "can@partner.example"},
}
NEW_ID = UUID("c1a10000-0000-4000-8000-000000000002")


def read(data: dict[str, Any]) -> CreateClaim:
    """The command's data as it comes over the wire."""
    return CreateClaim.model_validate_json(json.dumps(data), strict=True)


def wrong_fields(data: dict[str, Any]) -> list[str]:
    """The paths of the fields for which the data is refused."""
    with pytest.raises(ValidationError) as caught:
        read(data)
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


@pytest.mark.rule("R1")
def test_a_created_claim_is_in_editing() -> None:
    """Creating states one fact, and nothing runs yet."""
    claim = create()

    assert stated(claim) == [created()]
    assert claim.status is Status.EDITING
    assert claim.clock is None
    assert (claim.id, claim.version, claim.created_on) == (CLAIM_ID, 1, CREATED_AT)


@pytest.mark.rule("R1")
def test_complete_data_is_understood() -> None:
    """Only subscription ids and a superseded claim may be left out."""
    command = read(DATA)

    assert command.subscription_ids == ()
    assert command.supersedes is None


@pytest.mark.rule("R1")
@pytest.mark.parametrize("field", sorted(DATA))
def test_every_detail_is_required(field: str) -> None:
    """Leaving any of the details out is refused by the field's name."""
    assert wrong_fields({k: v for k, v in DATA.items() if k != field}) == [field]


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("part", "field"),
    [
        ("customer", "name"),
        ("customer", "domain"),
        ("customer", "tenant_id"),
        ("customer_contact", "name"),
        ("customer_contact", "title"),
        ("customer_contact", "email"),
        ("partner_contact", "name"),
        ("partner_contact", "email"),
    ],
)
def test_every_part_of_a_detail_is_required(part: str, field: str) -> None:
    """Half a customer or half a contact is refused by the field's path."""
    half = {k: v for k, v in DATA[part].items() if k != field}

    assert wrong_fields(DATA | {part: half}) == [f"{part}.{field}"]


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "two\nlines"),
        ("name", 7),
        ("mpn_id", ""),
        ("mpn_id", "12 34"),
        ("solution_area", "azure"),
        ("activities", []),
        ("activities", ["usage", "usage"]),
        ("products", []),
        ("products", ["teams", "teams"]),
        ("subscription_ids", ["not an id"]),
        ("supersedes", "the last one"),
        ("colour", "blue"),
    ],
)
def test_a_wrong_or_unknown_field_is_refused_by_its_name(field: str, value: object) -> None:
    """The shape of each field is judged before any rule is."""
    assert {path.partition(".")[0] for path in wrong_fields(DATA | {field: value})} == {field}


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@contoso.example", "a b@contoso.example", "ada@contoso", "a@b@c.de"],
)
def test_a_contact_needs_an_address_that_mail_can_reach(email: str) -> None:
    """What is no e-mail address is refused."""
    contact = DATA["customer_contact"] | {"email": email}

    assert wrong_fields(DATA | {"customer_contact": contact}) == ["customer_contact.email"]


@pytest.mark.rule("R1")
def test_a_product_that_needs_a_subscription_is_refused_without_one() -> None:
    """Where the catalogue says so, a claim names the subscriptions that it is about."""
    with pytest.raises(Invalid) as caught:
        create(
            solution_area=SolutionArea.BUSINESS_APPLICATIONS,
            activities=[Activity.PRESALES, Activity.USAGE],
            products=["power_bi"],
        )

    assert caught.value.rule == "R1"
    assert caught.value.errors == (
        FieldError("/subscription_ids", "at least one is needed for power_bi"),
    )


@pytest.mark.rule("R1")
def test_a_product_that_needs_a_subscription_is_claimed_with_one() -> None:
    """Presales and usage go together in business applications."""
    area = SolutionArea.BUSINESS_APPLICATIONS
    activities = [Activity.PRESALES, Activity.USAGE]

    claim = create(
        solution_area=area,
        activities=activities,
        products=["power_bi"],
        subscription_ids=["sub-1"],
    )

    assert stated(claim) == [
        created(
            solution_area=area,
            activities=activities,
            products=["power_bi"],
            subscription_ids=["sub-1"],
        )
    ]


@pytest.mark.rule("R1")
def test_everything_that_the_catalogue_refuses_is_named_at_once() -> None:
    """One answer tells the partner all that is wrong."""
    with pytest.raises(Invalid) as caught:
        create(activities=[Activity.PRESALES], products=["teams", "power_bi", "abacus"])

    assert [error.pointer for error in caught.value.errors] == [
        "/activities/0",
        "/products/0",
        "/products/1",
        "/products/2",
        "/subscription_ids",
    ]


@pytest.mark.rule("R1")
def test_products_are_those_of_the_day() -> None:
    """A product can't be claimed before it is offered."""
    with pytest.raises(Invalid, match=r"^/products/0: teams can be claimed from "):
        create(products=["teams"], now=instant("1999-12-31T00:00Z"))


@pytest.mark.rule("R13")
@pytest.mark.parametrize(
    "history",
    [DISPUTABLE, DISPUTED, DISMISSED, WINDOW_CLOSED, WITHDRAWN],
    ids=lambda h: h[-1].TOPIC,
)
def test_a_new_claim_may_supersede_a_rejected_one(history: tuple[Any, ...]) -> None:
    """However it was rejected, the new claim names it."""
    claim = create(claim_id=NEW_ID, supersedes=given(*history))

    assert stated(claim) == [
        created(supersedes=CLAIM_ID).model_copy(update={"originator_id": NEW_ID})
    ]


NOT_SUPERSEDABLE = (FieldError("/supersedes", "names no rejected claim of this organisation"),)


@pytest.mark.rule("R13")
def test_a_claim_that_is_not_rejected_cannot_be_superseded() -> None:
    """A draft is edited, not superseded."""
    with pytest.raises(Invalid) as caught:
        create(claim_id=NEW_ID, supersedes=given(*EDITING))

    assert (caught.value.rule, caught.value.errors) == ("R13", NOT_SUPERSEDABLE)


@pytest.mark.rule("R13")
def test_another_organisations_claim_cannot_be_superseded() -> None:
    """The answer is the same as for a claim that is not rejected, so it tells nothing."""
    with pytest.raises(Invalid) as caught:
        create(
            claim_id=NEW_ID,
            org="7777777",
            supersedes=given(*DISPUTABLE),
            cause=by_partner(org="7777777"),
        )

    assert (caught.value.rule, caught.value.errors) == ("R13", NOT_SUPERSEDABLE)


def test_a_claim_begins_once() -> None:
    """A history with two beginnings is broken, and says so."""
    with pytest.raises(ValueError, match=rf"^claim {CLAIM_ID} was created twice$"):
        given(created(), created())
