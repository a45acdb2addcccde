"""Instants and days as people read them: in their own time zone and language, UTC at hand."""

from datetime import UTC, date, datetime, time
from functools import lru_cache

from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    format_timedelta,
)
from markupsafe import Markup, escape

from services.language.translation import Language
from services.web.page.taste import Taste

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_MONTH = 30 * _DAY


def instant(at: datetime, style: str = "", *, taste: Taste) -> Markup:
    """An instant to be read, to the minute, with UTC for whoever points at it.

    Style `date` leaves the time out. Other styles are Babel's: `short`; `medium`, to the second;
    `long` and `full`, with the time zone.
    """
    locale = taste.language.value
    if not style:
        text = written(at, taste)
    elif style == "date":
        text = date_of(at.astimezone(taste.time_zone).date(), taste.language)
    else:
        text = format_datetime(at, style, tzinfo=taste.time_zone, locale=locale)
    return timed(at, text)


def timed(at: datetime, text: str) -> Markup:
    """Words for an instant, with UTC for whoever points at them."""
    day, _, hour = at.astimezone(UTC).isoformat(" ", "seconds")[:19].partition(" ")
    return Markup(  # noqa: S704 - what is given is escaped
        f'<time datetime="{day}T{hour}Z" title="{day} {hour} UTC">{escape(text)}</time>'
    )


def ago(at: datetime, *, now: datetime, taste: Taste) -> str:
    """How long ago, or ahead, an instant is, in one unit."""
    apart = (at - now).total_seconds()
    span = abs(apart)
    step = _DAY if span > _MONTH else _HOUR if span > _DAY else _MINUTE if span > _HOUR else 1
    return _apart(round(apart / step) * step, taste.language)


@lru_cache(maxsize=8192)
def _apart(seconds: int, language: Language) -> str:
    return format_timedelta(seconds, add_direction=True, locale=language.value)


@lru_cache(maxsize=4096)
def date_of(on: date, language: Language) -> str:
    """A date by itself."""
    return format_date(on, "medium", language.value)


@lru_cache(maxsize=4096)
def time_of(local: time, language: Language) -> str:
    """A time of the day by itself, without seconds."""
    return format_time(local, "short", locale=language.value)


def written(at: datetime, taste: Taste) -> str:
    """An instant within a sentence, to the minute."""
    local = at.astimezone(taste.time_zone)
    minute = local.time().replace(second=0, microsecond=0)
    return f"{date_of(local.date(), taste.language)}, {time_of(minute, taste.language)}"


def day(on: date, taste: Taste) -> str:
    """A day of the week, month and year that are clear from what stands around it."""
    return format_skeleton("MMMEd", on, locale=taste.language.value)
