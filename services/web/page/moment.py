"""Instants and days as people read them: in their own time zone and language, UTC at hand."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from babel.dates import format_date, format_datetime, format_skeleton, format_timedelta
from markupsafe import Markup, escape

from services.web.page.taste import Taste
from services.web.page.translation import Language

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def instant(at: datetime, style: str = "medium", *, taste: Taste) -> Markup:
    """An instant to be read, with UTC for whoever points at it; style `date` leaves the time out.

    Other styles are Babel's: `short`, `medium`, `long`, `full`.
    """
    local = at.astimezone(taste.time_zone)
    locale = taste.language.value
    if style == "date":
        text = format_date(local, "medium", locale)
    else:
        text = format_datetime(local, style, tzinfo=taste.time_zone, locale=locale)
    return timed(at, text)


def timed(at: datetime, text: str) -> Markup:
    """Words for an instant, with UTC for whoever points at them."""
    day, _, time = at.astimezone(UTC).isoformat(" ", "seconds")[:19].partition(" ")
    return Markup(  # noqa: S704 - what is given is escaped
        f'<time datetime="{day}T{time}Z" title="{day} {time} UTC">{escape(text)}</time>'
    )


def ago(at: datetime, *, now: datetime, taste: Taste) -> str:
    """How long ago, or ahead, an instant is, in one unit."""
    apart = at - now
    step = _HOUR if abs(apart) > _DAY else _MINUTE if abs(apart) > _HOUR else timedelta(seconds=1)
    return _apart(round(apart / step) * step, taste.language)


@lru_cache(maxsize=8192)
def _apart(span: timedelta, language: Language) -> str:
    return format_timedelta(span, add_direction=True, locale=language.value)


def written(at: datetime, taste: Taste) -> str:
    """An instant within a sentence."""
    return format_datetime(at, "medium", tzinfo=taste.time_zone, locale=taste.language.value)


def day(on: date, taste: Taste) -> str:
    """A day of the week, month and year that are clear from what stands around it."""
    return format_skeleton("MMMEd", on, locale=taste.language.value)
