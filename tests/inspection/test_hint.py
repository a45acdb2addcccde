"""Hints: what was found in a proof, where, and what was not."""

from datetime import date

import pytest

from services.inspection.finding import Inspection, Page, Problem
from services.inspection.hint import Hint, Hit, Sought, Source, Wanted, hints
from services.inspection.phrase import Snippet

WANTED = Wanted(
    products={
        "teams_phone": ("Microsoft Teams Phone", "Microsoft Teams Telefon"),
        "office_apps": ("Microsoft 365 Apps", "Microsoft 365 Uygulamaları"),
    },
    tenant_id="3f2c1d4e-5b6a-4798-8a9b-0c1d2e3f4a5b",
    customer_name="İpek Çelik A.Ş.",
    customer_domain="ipek-celik.example",
    today=date(2021, 6, 15),
)


def source(*texts: str, digest: str = "sha256:1", signature_fields: int = 0) -> Source:
    """A document whose pages say this."""
    pages = tuple(Page(1, 1, text) for text in texts)
    return Source(digest, Inspection(pages, len(pages), signature_fields))


def found(sought: Sought, *texts: str, product: str | None = None) -> Hint:
    """The hint at one thing that is wanted."""
    return next(
        hint
        for hint in hints(WANTED, [source(*texts)])
        if hint.sought is sought and product in {None, hint.product}
    )


def test_everything_that_is_wanted_has_a_hint() -> None:
    """Each product, the tenant id, the customer, a date, a signature: also without documents."""
    assert [(hint.sought, hint.product, hint.is_found) for hint in hints(WANTED, [])] == [
        (Sought.PRODUCT, "teams_phone", False),
        (Sought.PRODUCT, "office_apps", False),
        (Sought.TENANT, None, False),
        (Sought.CUSTOMER, None, False),
        (Sought.DATE, None, False),
        (Sought.SIGNATURE, None, False),
    ]


def test_a_hit_names_document_page_and_words() -> None:
    """As they were written, with what stands around them."""
    documents = [
        source("nothing here"),
        source("first page", "Work on\nMicrosoft  TEAMS Phone,\nin May", digest="sha256:2"),
    ]

    first, *_ = hints(WANTED, documents)

    assert first == Hint(
        Sought.PRODUCT,
        is_found=True,
        hit=Hit("sha256:2", 2, Snippet("Work on ", "Microsoft TEAMS Phone", ", in May")),
        product="teams_phone",
    )


def test_a_snippet_is_short() -> None:
    """However long the page is."""
    hint = found(Sought.SIGNATURE, f"{'a ' * 500}signed{' b' * 500}")

    assert hint.hit is not None
    assert hint.hit.snippet is not None
    assert len("".join(hint.hit.snippet)) < 160
    assert hint.hit.snippet.before.startswith("…")
    assert hint.hit.snippet.after.endswith("…")


def test_markup_stays_text() -> None:
    """It is escaped where it is shown."""
    hint = found(Sought.SIGNATURE, "<script>signed</script>")

    assert hint.hit is not None
    assert hint.hit.snippet == Snippet("<script>", "signed", "</script>")


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("Microsoft 365 Apps", True),
        ("MICROSOFT 365 UYGULAMALARI kurulumu", True),
        ("Microsoft 365\nApps'in", True),
        ("office_apps", True),
        ("Office Apps", True),
        ("Microsoft Apps 365", False),
        ("Microsoft 365 Appstore", False),
    ],
)
def test_a_product_is_named_by_name_or_code(text: str, is_found: bool) -> None:  # noqa: FBT001 - an expectation
    """In either language, whatever the case."""
    assert found(Sought.PRODUCT, text, product="office_apps").is_found is is_found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("Tenant: 3F2C1D4E-5B6A-4798-8A9B-0C1D2E3F4A5B.", True),
        ("3f2c1d4e-5b6a-4798-\n8a9b-0c1d2e3f4a5b", True),
        ("3f2c1d4e-5b6a-4798-8a9b-0c1d2e3f4a5c", False),
        ("13f2c1d4e-5b6a-4798-8a9b-0c1d2e3f4a5b", False),
    ],
)
def test_a_tenant_id_is_found_whole(text: str, is_found: bool) -> None:  # noqa: FBT001 - an expectation
    """Also where a line ends within it."""
    assert found(Sought.TENANT, text).is_found is is_found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("ipek çelik a.ş. adına", True),
        ("IPEK CELIK A.S.", True),
        ("İPEK ÇELİK A. Ş.", True),
        ("mail: satin.alma@ipek-celik.example", True),
        ("Ipek Holding", False),
        ("other-ipek-celik.example", False),
    ],
)
def test_a_customer_is_found_by_name_or_domain(text: str, is_found: bool) -> None:  # noqa: FBT001 - an expectation
    """Turkish letters or not."""
    assert found(Sought.CUSTOMER, text).is_found is is_found


@pytest.mark.parametrize(
    ("text", "is_found", "shown"),
    [
        ("of 15 June 2020", True, "15 June 2020"),
        ("of 14 June 2020", False, "14 June 2020"),
        ("until 2022-06-15", True, "2022-06-15"),
        ("until 2022-06-16", False, "2022-06-16"),
        ("since 1.1.2010, changed 3 Mart 2019", False, "3 Mart 2019"),
        ("since 1.1.2010, changed 3 Mart 2021", True, "3 Mart 2021"),
        ("signed 12/7/2022", False, "12/7/2022"),
        ("signed 6/7/2022", True, "6/7/2022"),
        ("signed 7/6/2022", True, "7/6/2022"),
        ("without", False, None),
    ],
)
def test_a_date_counts_within_twelve_months(text: str, is_found: bool, shown: str | None) -> None:  # noqa: FBT001 - an expectation
    """Either way; the latest that does not count is shown, too."""
    hint = found(Sought.DATE, text)

    assert hint.is_found is is_found
    assert (hint.hit.snippet.found if hint.hit and hint.hit.snippet else None) == shown


def test_a_year_before_a_leap_day_is_the_day_before() -> None:
    """There is no other."""
    leap = Wanted({}, "", "", "none.example", date(2024, 2, 29))

    before, after = (
        hints(leap, [source(text)])[2].is_found for text in ("2023-02-27", "2023-02-28")
    )

    assert (before, after) == (False, True)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("Signed for the customer", True),
        ("Customer's signature:", True),
        ("/s/ Jane Doe", True),
        ("DocuSigned by", True),
        ("İmza", True),
        ("Müşteri İMZASI", True),
        ("imzalanmıştır", True),
        ("e-imza", True),
        ("Kaşe", True),
        ("imzasız taslak", False),
        ("unsigned draft", False),
        ("assigned to", False),
        ("/usr/s/bin", False),
    ],
)
def test_a_signature_is_told_by_words(text: str, is_found: bool) -> None:  # noqa: FBT001 - an expectation
    """In both languages; none is verified."""
    assert found(Sought.SIGNATURE, text).is_found is is_found


def test_a_digital_signature_counts_before_words() -> None:
    """It belongs to the document as a whole."""
    documents = [source("signed"), source("", digest="sha256:2", signature_fields=1)]

    assert hints(WANTED, documents)[-1].hit == Hit("sha256:2", None, None)


def test_a_document_that_cannot_be_read_hides_nothing() -> None:
    """The others are searched."""
    broken = Source("sha256:0", Inspection(problem=Problem.DAMAGED))

    assert hints(WANTED, [broken, source("signed")])[-1].is_found


def test_signs_of_many_letters_move_no_snippet() -> None:
    """Nor do they make a text long."""
    hint = found(Sought.CUSTOMER, f"{'ﷺ' * 30} ﬃ: İPEK ÇELİK A.Ş.")

    assert hint.hit is not None
    assert hint.hit.snippet == Snippet(f"{'ﷺ' * 30} ﬃ: ", "İPEK ÇELİK A.Ş", ".")
