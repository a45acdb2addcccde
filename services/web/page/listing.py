"""What a list of claims is asked for: the query of its address, as forms and people write it."""

from collections.abc import Hashable, Iterable
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from domain.refusal import FieldError, Invalid
from projections.query import ClaimQuery, Sort
from services.json_document import pointer_to, sentence

PLAIN: Final = ClaimQuery(sort=Sort.DUE_AT, limit=25)
"""What is listed when nothing is asked for; addresses leave out what is as here."""
DUE_BY: Final = "due_by"
"""A form's last day for what is due, in its reader's time zone; the address has `due_before`."""

_PLAIN: Final = PLAIN.model_dump(mode="json")
_LISTS: Final = {name for name, value in _PLAIN.items() if isinstance(value, list)}
_NO_DAY: Final = "must be a day such as 2026-11-30"
MOMENT: Final = timedelta(seconds=1)
"""Clocks are due at the ends of days (R16): what is due before this much later includes them."""


def read_query(given: Iterable[tuple[str, str]], zone: ZoneInfo) -> ClaimQuery:
    """The query that an address or a form names; what is left empty is not asked for.

    Raises Invalid.
    """
    asked: dict[str, Any] = {}
    for name, value in given:
        text = value.strip()
        if not text:
            continue
        if name == DUE_BY:
            asked["due_before"] = _end_of(text, zone)
        elif name in _LISTS:
            asked.setdefault(name, []).append(text)
        else:
            asked[name] = text
    for name in _LISTS & asked.keys():
        asked[name] = sorted(set(asked[name]))
    try:
        query = ClaimQuery.model_validate({"sort": PLAIN.sort, "limit": PLAIN.limit} | asked)
    except ValidationError as error:
        wrong = error.errors()
        raise Invalid(
            [FieldError(pointer_to(*each["loc"]), sentence(each)) for each in wrong]
        ) from error
    try:
        due_by(query, zone)
    except OverflowError as error:  # an instant of the first or the last day of all
        raise Invalid([FieldError("/due_before", _NO_DAY)]) from error
    return query


def address(query: ClaimQuery, **changes: Hashable) -> str:
    """The query of an address at which this is listed, with some of it changed."""
    return _address(query, **changes)  # pyright: ignore[reportArgumentType] - it has a hash


@lru_cache(maxsize=4096)
def _address(query: ClaimQuery, **changes: Hashable) -> str:
    values = query.model_copy(update=changes).model_dump(mode="json", warnings=False)
    asked = {name: value for name, value in values.items() if value != _PLAIN[name]}
    return urlencode(asked, doseq=True)


def until(day: datetime, zone: ZoneInfo) -> datetime:
    """What is due before this is due by that day: its last instant belongs to it (R16)."""
    midnight = datetime.combine(day.date() + timedelta(days=1), time(), zone)
    return midnight + MOMENT


def due_by(query: ClaimQuery, zone: ZoneInfo) -> str:
    """The day that the form shows for `due_before`."""
    if query.due_before is None:
        return ""
    last = query.due_before - MOMENT - timedelta(microseconds=1)
    return last.astimezone(zone).date().isoformat()


def _end_of(text: str, zone: ZoneInfo) -> datetime:
    try:
        day = datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - a day, in the reader's zone
        return until(day, zone)
    except (ValueError, OverflowError) as error:
        raise Invalid([FieldError(f"/{DUE_BY}", _NO_DAY)]) from error
