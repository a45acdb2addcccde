"""Hints at what a claim's proof shows and what it doesn't. They decide nothing: a person does."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from services.inspection.day import dates
from services.inspection.finding import Inspection
from services.inspection.phrase import Snippet, Text, phrase

_SIGNATURE = re.compile(
    r"(?<![^\W_])(?:e-?|elektronik )?(?:"
    r"signed|signatures?|signatory|docusign(?:ed)?|adobe sign|countersigned"
    r"|(?:islak )?imza(?!siz)\w*|kase(?:si|li)?)(?![^\W_])"
    r"|(?<!\w)/s/"
)


class Sought(StrEnum):
    """What a proof should show."""

    PRODUCT = "product"
    TENANT = "tenant"
    CUSTOMER = "customer"
    DATE = "date"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a claim's proof should name."""

    products: Mapping[str, Sequence[str]]
    """Codes, each with the product's names."""
    tenant_id: str
    customer_name: str
    customer_domain: str
    today: date


@dataclass(frozen=True)
class Source:
    """A document that is searched."""

    digest: str
    inspection: Inspection

    @cached_property
    def texts(self) -> Sequence[Text]:
        """What its pages say."""
        return [Text(page.text) for page in self.inspection.pages]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where something was found."""

    digest: str
    page: int | None
    """From 1 on; None for what the document has as a whole."""
    snippet: Snippet | None


@dataclass(frozen=True, slots=True)
class Hint:
    """Whether something was found; of dates, also the latest that doesn't count."""

    sought: Sought
    is_found: bool
    hit: Hit | None = None
    product: str | None = None


def hints(wanted: Wanted, sources: Sequence[Source]) -> list[Hint]:
    """What was found of everything that is wanted, in an order that never changes."""
    products = [_product(code, names, sources) for code, names in wanted.products.items()]
    tenant = _first([phrase(wanted.tenant_id)], sources)
    customer = _first([phrase(wanted.customer_name), _domain(wanted.customer_domain)], sources)
    return [
        *products,
        Hint(Sought.TENANT, tenant is not None, tenant),
        Hint(Sought.CUSTOMER, customer is not None, customer),
        _date(wanted.today, sources),
        _signature(sources),
    ]


def _product(code: str, names: Sequence[str], sources: Sequence[Source]) -> Hint:
    hit = _first([*map(phrase, names), phrase(code)], sources)
    return Hint(Sought.PRODUCT, hit is not None, hit, code)


def _date(today: date, sources: Sequence[Source]) -> Hint:
    """The first day within twelve months of today, else the latest of all."""
    earliest, latest = _years_from(today, -1), _years_from(today, 1)
    last: tuple[date, Hit] | None = None
    for source, page, text in _pages(sources):
        for match, days in dates(text.folded):
            hit = Hit(source.digest, page, text.snippet(match))
            if any(earliest <= day <= latest for day in days):
                return Hint(Sought.DATE, is_found=True, hit=hit)
            if last is None or max(days) > last[0]:
                last = max(days), hit
    return Hint(Sought.DATE, is_found=False, hit=last[1] if last else None)


def _signature(sources: Sequence[Source]) -> Hint:
    hit = next(
        (Hit(each.digest, None, None) for each in sources if each.inspection.signature_fields),
        _first([_SIGNATURE], sources),
    )
    return Hint(Sought.SIGNATURE, hit is not None, hit)


def _first(patterns: Sequence[re.Pattern[str] | None], sources: Sequence[Source]) -> Hit | None:
    """Where the first pattern that is found anywhere is found first."""
    for pattern in filter(None, patterns):
        for source, page, text in _pages(sources):
            if match := pattern.search(text.folded):
                return Hit(source.digest, page, text.snippet(match))
    return None


def _pages(sources: Sequence[Source]) -> Iterator[tuple[Source, int, Text]]:
    for source in sources:
        for page, text in enumerate(source.texts, start=1):
            yield source, page, text


def _domain(domain: str) -> re.Pattern[str]:
    name = re.escape(domain.lower())
    return re.compile(rf"{name}(?<![\w-]{name})(?![\w-])")


def _years_from(day: date, years: int) -> date:
    """The same day of another year; of 29 February the day before."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
