"""What the domain finds wrong is said in the reader's language."""

from datetime import date
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import pytest
from fastapi import Request

from domain.refusal import FieldError, Invalid, NotAllowed
from services.language.translation import Language
from services.resource import load_catalogue
from services.web.backend import Backend
from services.web.page import claim_form
from services.web.page.taste import Taste, Theme
from services.web.page.visit import Guest
from services.web.page.wording import REFUSALS, SENTENCES, TITLES, in_words, problem_in_words
from services.web.problem import ALL_PROBLEMS, body
from tests.claims.orders import CREATE, NOON
from tests.web.detail import OF_NO_PAGE, written_details

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


def test_what_is_not_known_is_told_as_it_stands_in_english_alone() -> None:
    """Whoever reads Turkish is told something in Turkish."""
    assert in_words(reader(Language.ENGLISH), "is of a new kind") == "is of a new kind"
    assert (
        in_words(reader(Language.TURKISH), "is of a new kind") == "Bu, olduğu gibi kabul edilemez."
    )


def test_every_problem_is_known() -> None:
    """Pages say the title of each, and what each means."""
    assert set(TITLES) == {title for _, title in ALL_PROBLEMS.values()}
    assert set(REFUSALS) == set(ALL_PROBLEMS)


def test_every_detail_of_a_refusal_is_known() -> None:
    """Whatever is refused is said by pages in their own words, but for what no page can meet."""
    details = set(written_details())
    unknown = {
        detail
        for detail in details - OF_NO_PAGE
        if not any(pattern.fullmatch(detail) for pattern, _ in SENTENCES)
    }

    assert not unknown
    assert details >= OF_NO_PAGE, "what is excused is still refused somewhere"


def test_details_are_found_wherever_they_are_written() -> None:
    """Plain ones, with something put in, chosen by a condition, and as pydantic's findings."""
    assert set(written_details()) >= {
        "only reviewers write internal comments",
        "7 is not possible in the state 7",
        "there is no product '7' in the catalogue",
        "must be an e-mail address, such as name@company.example",
        "must be one line of printable characters",
        "must have a name that is more than dots",
        "must be a whole number",
    }


def test_a_problem_is_told_in_the_readers_language() -> None:
    """Its detail where that is known; else who does not read English reads what its kind means."""
    turkish, english = reader(Language.TURKISH), reader(Language.ENGLISH)
    known = body(NotAllowed("only operators run the system", rule="R25"))
    unknown = body(NotAllowed("the moon is full"))
    wrong = body(Invalid([FieldError("/to", "is missing")]))

    assert problem_in_words(turkish, known) == "Sistemi yalnızca operatörler yönetir."
    assert problem_in_words(turkish, unknown) == "Bunu yapma yetkiniz yok."
    assert problem_in_words(english, unknown) == "the moon is full"
    assert problem_in_words(english, wrong) == "Wrong or unknown fields"
