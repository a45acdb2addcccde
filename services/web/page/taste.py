"""How somebody likes to read: language, theme and time zone, kept in cookies of their browser."""

from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from babel import negotiate_locale
from fastapi import Request

from services.language.translation import Language
from services.settings import Settings


class Theme(StrEnum):
    """Light on dark or dark on light; `auto` is as the device has it."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Taste(NamedTuple):
    """How one reader likes the pages."""

    language: Language
    theme: Theme
    time_zone: ZoneInfo


LANGUAGE: Final = "cpor_language"
THEME: Final = "cpor_theme"
TIME_ZONE: Final = "cpor_time_zone"
"""Set by the browser itself when nobody chose one, from what its device says."""


def taste_of(request: Request, settings: Settings) -> Taste:
    """How the sender of a request likes the pages; what is not known is the system's default."""
    cookies = request.cookies
    language = cookies.get(LANGUAGE) or _accepted(request) or settings.language
    theme = cookies.get(THEME)
    return Taste(
        Language(language) if language in list(Language) else Language(settings.language),
        Theme(theme) if theme in list(Theme) else Theme.AUTO,
        _zone(cookies.get(TIME_ZONE, "")),
    )


def own_address(address: str) -> str:
    """An address of ours to lead somebody to; the first page in place of any other."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    is_ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    is_plain = address.isprintable() and not parts.scheme and not parts.netloc
    return address if is_ours and is_plain else "/"


def _accepted(request: Request) -> str | None:
    wanted = [
        each.partition(";")[0].strip().replace("-", "_")
        for each in request.headers.get("accept-language", "")[:200].split(",")
    ]
    return negotiate_locale([each for each in wanted if each], list(Language))


@cache
def known_time_zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(available_timezones())


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name if name in known_time_zones() else "UTC")
