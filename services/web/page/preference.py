"""Choosing how to read: language, theme and time zone."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response

from services.language.translation import Language
from services.web.page.route import PageRoute
from services.web.page.taste import (
    LANGUAGE,
    THEME,
    TIME_ZONE,
    Theme,
    known_time_zones,
    own_address,
)
from services.web.page.visit import AnyGuest

_YEAR: Final = 365 * 24 * 3600

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/taste")
async def ask(guest: AnyGuest, back: Annotated[str, Query()] = "/") -> Response:
    """All time zones that can be chosen from; there are too many for a menu on every page."""
    zones = sorted(name for name in known_time_zones() if "/" in name or name == "UTC")
    return guest.page("taste.html", zones=zones, back=own_address(back))


@router.post("/taste")
async def choose(
    guest: AnyGuest,
    back: Annotated[str, Form()] = "/",
    language: Annotated[str, Form()] = "",
    theme: Annotated[str, Form()] = "",
    time_zone: Annotated[str, Form()] = "",
) -> Response:
    """Remember what was chosen, and lead back to where it was chosen."""
    response = RedirectResponse(own_address(back), HTTPStatus.SEE_OTHER)
    chosen = {
        LANGUAGE: language if language in list(Language) else "",
        THEME: theme if theme in list(Theme) else "",
        TIME_ZONE: time_zone if time_zone in known_time_zones() else "",
    }
    secure = guest.backend.settings.public_url.startswith("https:")
    for name, value in chosen.items():
        if value:
            response.set_cookie(name, value, max_age=_YEAR, path="/", secure=secure, samesite="lax")
    return response
