"""What the domain finds wrong is said in the reader's language."""

from datetime import date
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import pytest
from fastapi import Request

from domain.refusal import FieldError, Invalid, NotAllowed
from services.resource import load_catalogue
from services.web.backend import Backend
from services.web.page import claim_form
from services.web.page.taste import Taste, Theme
from services.web.page.translation import Language
from services.web.page.visit import Guest
from services.web.page.wording import TITLES, in_words, problem_in_words
from services.web.problem import ALL_PROBLEMS, body
from tests.claims.orders import CREATE, NOON

CATALOGUE: Final = load_catalogue()
LONG: Final = "x" * 400
MANY: Final = [f"S-{number}" for number in range(101)]


class Knowing:
    """All that words are found by: the catalogue."""

    catalogue = CATALOGUE


def reader(language: Language) -> Guest:
    """Somebody who reads this language."""
    taste = Taste(language, Theme.AUTO, ZoneInfo("UTC"))
    return Guest(cast("Request", None), cast("Backend", Knowing()), None, taste, NOON)


@pytest.mark.parametrize(
    "data",
    [
        {"name": "", "mpn_id": "", "customer": {}, "solution_area": "", "activities": []},
        {"name": LONG, "mpn_id": LONG, "supersedes": "?", "subscription_ids": MANY},
        {"name": "a\nb", "customer": CREATE["customer"] | {"domain": "x", "tenant_id": "?"}},
        {"name": "a\x07b", "customer_contact": {"name": "a", "title": "b", "email": "c"}},
        {"activities": ["usage", "usage"], "products": ["teams", "teams"]},
        {"activities": ["dancing"], "products": ["No such"]},
        {"activities": ["presales"], "products": ["no_such"]},
        {"solution_area": "business_applications", "products": ["power_bi"]},
        {"solution_area": "business_applications", "products": ["teams"]},
        {
            "solution_area": "business_applications",
            "activities": ["presales", "revenue_association"],
        },
    ],
)
def test_every_sentence_is_known(data: dict[str, Any]) -> None:
    """None is told as it stands, in either language."""
    errors = claim_form.wrong_with(CREATE | data, CATALOGUE, NOON.date())

    assert errors
    for error in errors:
        english = in_words(reader(Language.ENGLISH), error.detail)
        turkish = in_words(reader(Language.TURKISH), error.detail)
        assert len({error.detail, english, turkish}) == 3


def test_products_of_other_days_are_named() -> None:
    """As the catalogue calls them."""
    errors = claim_form.wrong_with(CREATE, CATALOGUE, date(2000, 1, 1))

    told = claim_form.told(reader(Language.TURKISH), errors, CREATE)

    assert told["products"][0].startswith("Microsoft Teams şu tarihten itibaren talep edilebilir:")


def test_what_is_not_known_is_told_as_it_stands() -> None:
    """Rather that than nothing."""
    assert in_words(reader(Language.TURKISH), "is of a new kind") == "is of a new kind"


def test_every_title_is_known() -> None:
    """Each problem's title is one that pages say."""
    assert set(TITLES) == {title for _, title in ALL_PROBLEMS.values()}


def test_a_problem_is_told_in_the_readers_language() -> None:
    """Its detail where that is known; else who does not read English reads the title."""
    turkish, english = reader(Language.TURKISH), reader(Language.ENGLISH)
    known = body(NotAllowed("only operators run the system", rule="R25"))
    unknown = body(NotAllowed("the moon is full"))
    wrong = body(Invalid([FieldError("/to", "is missing")]))

    assert problem_in_words(turkish, known) == "Sistemi yalnızca operatörler yönetir."
    assert problem_in_words(turkish, unknown) == "İzin yok"
    assert problem_in_words(english, unknown) == "the moon is full"
    assert problem_in_words(english, wrong) == "Wrong or unknown fields"
