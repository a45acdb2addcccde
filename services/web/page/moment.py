"""Instants and days as people read them: in their own time zone and language, UTC at hand."""

from datetime import UTC, date, datetime

from babel.dates import format_date, format_datetime, format_skeleton, format_timedelta
from markupsafe import Markup

from services.web.page.taste import Taste


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
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S} UTC", text
    )


def ago(at: datetime, *, now: datetime, taste: Taste) -> str:
    """How long ago, or ahead, an instant is, in one unit."""
    return format_timedelta(at - now, add_direction=True, locale=taste.language.value)


def written(at: datetime, taste: Taste) -> str:
    """An instant within a sentence."""
    return format_datetime(at, "medium", tzinfo=taste.time_zone, locale=taste.language.value)


def day(on: date, taste: Taste) -> str:
    """A day of the week, month and year that are clear from what stands around it."""
    return format_skeleton("MMMEd", on, locale=taste.language.value)
