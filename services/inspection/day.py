"""Days as documents write them, in English and Turkish."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

_MONTHS: Final = (
    ("january", "jan", "ocak", "oca"),
    ("february", "feb", "subat", "sub"),
    ("march", "mar", "mart"),
    ("april", "apr", "nisan", "nis"),
    ("may", "mayis"),
    ("june", "jun", "haziran", "haz"),
    ("july", "jul", "temmuz", "tem"),
    ("august", "aug", "agustos", "agu"),
    ("september", "sept", "sep", "eylul", "eyl"),
    ("october", "oct", "ekim", "eki"),
    ("november", "nov", "kasim", "kas"),
    ("december", "dec", "aralik", "ara"),
)
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
_MONTH = rf"(?P<month>{'|'.join(sorted(_NUMBER_OF, key=len, reverse=True))})\.?"
_YEAR = r"(?P<year>[12][0-9]{3})(?![0-9])"
_DAY = r"(?<![0-9])(?P<day>[0-3]?[0-9])"

_ISO = re.compile(
    rf"(?<![0-9]){_YEAR}(?P<sign>[-/.])(?P<m>[01]?[0-9])(?P=sign)(?P<d>[0-3]?[0-9])(?![0-9])"
)
_NUMBERS = re.compile(rf"{_DAY}(?P<sign>[./-])(?P<other>[0-3]?[0-9])(?P=sign){_YEAR}")
_DAY_FIRST = re.compile(rf"{_DAY}(?:st|nd|rd|th|\.)?\s?(?:of )?{_MONTH},?\s{_YEAR}")
_MONTH_FIRST = re.compile(rf"(?<![^\W_]){_MONTH}\s(?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?,?\s{_YEAR}")


class Dated(NamedTuple):
    """A day in a text; several when it can be read in several ways, as 1/2/2021 can."""

    match: re.Match[str]
    days: tuple[date, ...]


def dates(folded: str) -> Iterator[Dated]:
    """The days in a folded text; one kind of writing after the other."""
    for match in _ISO.finditer(folded):
        yield from _known(match, (match["year"], match["m"], match["d"]))
    for match in _NUMBERS.finditer(folded):
        day_first = (match["year"], match["other"], match["day"])
        month_first = (match["year"], match["day"], match["other"])
        yield from _known(match, day_first, *([month_first] if match["sign"] != "." else []))
    for pattern in (_DAY_FIRST, _MONTH_FIRST):
        for match in pattern.finditer(folded):
            yield from _known(match, (match["year"], _NUMBER_OF[match["month"]], match["day"]))


def _known(match: re.Match[str], *readings: tuple[str, str | int, str]) -> Iterator[Dated]:
    days = [day for reading in readings if (day := _day(*map(int, reading)))]
    if days:
        yield Dated(match, tuple(dict.fromkeys(days)))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
