"""The product catalogue: what the file offers, and what a claim may name together."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from domain.catalogue import Catalogue
from domain.refusal import FieldError
from domain.vocabulary import Activity, SolutionArea

TEXT = (Path(__file__).parents[2] / "policies" / "catalogue.toml").read_text("utf-8")
CATALOGUE = Catalogue.from_toml(TEXT)

BUSINESS = SolutionArea.BUSINESS_APPLICATIONS
M365 = SolutionArea.MICROSOFT_365
MAY_2021 = date(2021, 5, 17)

SMALL = """
[[products]]
code = "planner"
name = { en = "Planner", tr = "Planlayıcı" }
solution_area = "business_applications"
activities = ["presales"]
valid_from = 2020-01-01
valid_to = 2020-12-31
needs_subscription = false
"""


def problems(
    solution_area: SolutionArea = BUSINESS,
    activities: tuple[Activity, ...] = (Activity.USAGE,),
    products: tuple[str, ...] = ("power_bi",),
    subscription_ids: tuple[str, ...] = ("sub-1",),
    on: date = MAY_2021,
) -> list[FieldError]:
    """The problems of a claim that has none, changed as a test wants it."""
    return CATALOGUE.problems(solution_area, activities, products, subscription_ids, on)


AGREED = {
    M365: """
        exchange sharepoint teams teams_phone intune yammer office_apps entra_id_premium
        defender_for_office defender_for_endpoint information_protection
    """,
    BUSINESS: """
        dynamics_365_sales dynamics_365_customer_service dynamics_365_field_service
        dynamics_365_finance dynamics_365_supply_chain dynamics_365_commerce
        dynamics_365_human_resources dynamics_365_business_central
        power_apps power_automate power_bi
    """,
}


@pytest.mark.rule("R1")
@pytest.mark.parametrize("solution_area", SolutionArea)
def test_what_is_offered_without_end(solution_area: SolutionArea) -> None:
    """The agreed products of each area; those of Business Applications need a subscription."""
    lasting = [
        product
        for product in CATALOGUE.offered(MAY_2021)
        if product.solution_area is solution_area and product.valid_to is None
    ]

    assert [product.code for product in lasting] == AGREED[solution_area].split()
    assert {product.needs_subscription for product in lasting} == {solution_area is BUSINESS}
    assert {product.valid_from for product in lasting} == {date(2018, 1, 1)}


def test_every_product_can_be_claimed_for_what_its_solution_area_knows() -> None:
    """No product of the file supports an activity that a claim for it could not name."""
    for product in CATALOGUE.products:
        for activity in product.activities:
            found = problems(
                product.solution_area, (activity,), (product.code,), on=product.valid_from
            )
            assert found == []


def test_every_product_has_a_name_in_both_languages() -> None:
    """Empty names would show as gaps."""
    for product in CATALOGUE.products:
        assert product.name.en.strip()
        assert product.name.tr.strip()


def test_a_retired_product_is_offered_to_its_last_day() -> None:
    """Both ends of the validity belong to it; it can be found for ever."""
    last = date(2021, 7, 31)
    skype = CATALOGUE.find("skype_for_business")

    assert skype is not None
    assert skype in CATALOGUE.offered(last)
    assert skype not in CATALOGUE.offered(last + timedelta(days=1))
    assert skype in CATALOGUE.offered(skype.valid_from)
    assert skype not in CATALOGUE.offered(skype.valid_from - timedelta(days=1))


def test_an_unknown_code_finds_nothing() -> None:
    """There is no error: the caller asks whether it exists."""
    assert CATALOGUE.find("clippy") is None


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("solution_area", "activities"),
    [
        (BUSINESS, (Activity.PRESALES,)),
        (BUSINESS, (Activity.USAGE, Activity.PRESALES)),
        (BUSINESS, (Activity.REVENUE_ASSOCIATION,)),
        (M365, (Activity.USAGE,)),
    ],
)
def test_activities_that_go_together(
    solution_area: SolutionArea, activities: tuple[Activity, ...]
) -> None:
    """Each solution area has its own groups of activities."""
    product = "power_bi" if solution_area is BUSINESS else "teams"

    assert problems(solution_area, activities, (product,)) == []


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("activities", "found"),
    [
        (
            (Activity.PRESALES, Activity.REVENUE_ASSOCIATION),
            [("/activities", "presales and revenue_association cannot be claimed together")],
        ),
        (
            (Activity.USAGE, Activity.USAGE),
            [("/activities/1", "usage is named more than once")],
        ),
        ((), [("/activities", "at least one activity is needed")]),
    ],
)
def test_activities_that_do_not_go_together(
    activities: tuple[Activity, ...], found: list[tuple[str, str]]
) -> None:
    """Revenue association stands alone; nothing is named twice; one is needed."""
    assert problems(activities=activities) == found


@pytest.mark.rule("R1")
def test_an_activity_of_another_solution_area() -> None:
    """Microsoft 365 knows usage alone; each foreign activity is pointed at."""
    found = problems(M365, (Activity.USAGE, Activity.PRESALES), ("teams",))

    assert found == [("/activities/1", "microsoft_365 has no activity presales")]


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("product", "detail"),
    [
        ("clippy", "there is no product 'clippy' in the catalogue"),
        ("teams", "teams belongs to microsoft_365, not to business_applications"),
        ("dynamics_365_talent", "dynamics_365_talent could be claimed until 2020-02-02"),
        ("power_bi", "power_bi is named more than once"),
    ],
)
def test_a_product_that_cannot_be_claimed(product: str, detail: str) -> None:
    """The one wrong product is pointed at."""
    assert problems(products=("power_bi", product)) == [("/products/1", detail)]


@pytest.mark.rule("R1")
def test_a_product_that_cannot_be_claimed_yet() -> None:
    """Its first day is told."""
    found = problems(on=date(2017, 12, 31))

    assert found == [("/products/0", "power_bi can be claimed from 2018-01-01 on")]


@pytest.mark.rule("R1")
def test_a_product_that_supports_none_of_the_activities() -> None:
    """One common activity is enough; without any, what it supports is told."""
    catalogue = Catalogue.from_toml(SMALL)
    on = date(2020, 6, 1)

    def found(*activities: Activity) -> list[FieldError]:
        return catalogue.problems(BUSINESS, activities, ["planner"], [], on)

    assert found(Activity.USAGE) == [("/products/0", "planner can be claimed for presales only")]
    assert found(Activity.USAGE, Activity.PRESALES) == []


@pytest.mark.rule("R22")
def test_at_least_one_product_is_needed() -> None:
    """A claim for nothing is none."""
    assert problems(products=()) == [("/products", "at least one product is needed")]


@pytest.mark.rule("R1")
def test_subscriptions_where_the_catalogue_says_so() -> None:
    """Business Applications need a subscription id, Microsoft 365 none; none is named twice."""
    assert problems(products=("power_apps", "power_bi"), subscription_ids=()) == [
        ("/subscription_ids", "at least one is needed for power_apps, power_bi")
    ]
    assert problems(M365, products=("teams",), subscription_ids=()) == []
    assert problems(subscription_ids=("a", "b", "a")) == [
        ("/subscription_ids/2", "a is named more than once")
    ]


def test_all_problems_are_told_at_once() -> None:
    """Nobody has to send a claim three times to learn three things."""
    found = problems(M365, (Activity.PRESALES,), ("clippy", "power_bi"), ())

    assert [problem.pointer for problem in found] == [
        "/activities/0",
        "/products/0",
        "/products/1",
        "/subscription_ids",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SMALL + SMALL, "products: more than one with the code planner"),
        (SMALL.replace("presales", "dancing"), r"products\.0\.activities\.0: "),
        (SMALL.replace("valid_from", "from"), r"products\.0\.valid_from: Field required"),
        (SMALL + "[", "not readable as TOML"),
    ],
)
def test_a_faulty_catalogue_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    """The sentence names the place and what is wrong there."""
    with pytest.raises(ValueError, match=sentence) as refusal:
        Catalogue.from_toml(text)

    assert "\n" not in str(refusal.value)


def test_a_catalogue_is_a_value() -> None:
    """Having been asked does not change what it is equal to, or what it shows."""
    asked, fresh = Catalogue.from_toml(TEXT), Catalogue.from_toml(TEXT)
    asked.find("teams")

    assert asked == fresh
    assert asked.model_dump() == fresh.model_dump()
    assert Catalogue.model_validate_json(asked.model_dump_json()) == asked
