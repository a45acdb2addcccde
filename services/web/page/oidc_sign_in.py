"""Signing in and out at the identity provider: code flow with PKCE."""

import re
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from services.language.translation import N_
from services.web import session, sign_in_attempt
from services.web.identity import Gap, Unmapped
from services.web.oidc import CALLBACK, ExchangeRefused, Provided
from services.web.page.entrance import enter
from services.web.page.route import PageRoute
from services.web.page.taste import own_address
from services.web.page.visit import AnyGuest, Guest
from services.web.problem import InvalidToken, Unavailable

_ERROR_CODE = re.compile(r"[a-z_]{1,40}")

_log = structlog.get_logger(__name__)


class Setback(NamedTuple):
    """Why somebody is not signed in, for their eyes, and what they can do."""

    status: HTTPStatus
    title: str
    advice: str


_STALE: Final = Setback(
    HTTPStatus.BAD_REQUEST,
    N_("This sign-in is not valid any more"),
    N_(
        "It was used already, took longer than ten minutes, or was begun in another browser."
        " Please begin again."
    ),
)
_CANCELLED: Final = Setback(
    HTTPStatus.FORBIDDEN,
    N_("You were not signed in"),
    N_("The sign-in was cancelled, or the identity provider did not permit it."),
)
_FAILED: Final = Setback(
    HTTPStatus.BAD_GATEWAY,
    N_("The identity provider could not sign you in"),
    N_("Please try again. If it goes on, tell whoever runs this system the reason."),
)
_UNTRUSTED: Final = Setback(
    HTTPStatus.BAD_GATEWAY,
    N_("The identity provider's answer can't be trusted"),
    N_("Nobody was signed in. Tell whoever runs this system; the reason is in its log."),
)
_GAPS: Final = {
    Gap.NO_ROLE: N_("Your account has no role here. Ask your administrator for one."),
    Gap.FOREIGN_ROLE: N_("The role of your account is none that this system knows."),
    Gap.SEVERAL_ROLES: N_("Your account has several roles here; it must have exactly one."),
    Gap.NO_ORG: N_("You act for a partner, but your account names no organisation."),
    Gap.NO_ID: N_("Your account's id can't be used here."),
}
_NO_ACCESS: Final = N_("You have no access yet")

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/sign-in")
async def ask(guest: AnyGuest, provider: Provided, to: Annotated[str, Query()] = "/") -> Response:
    """Offer the way to the identity provider, if it can be gone now."""
    is_away = False
    try:
        await provider.require()
    except Unavailable:
        is_away = True
    return guest.page(
        "sign_in_oidc.html",
        status=HTTPStatus.SERVICE_UNAVAILABLE if is_away else HTTPStatus.OK,
        is_away=is_away,
        host=urlsplit(guest.backend.settings.oidc_issuer).hostname,
        way=urlencode({"to": own_address(to)}),
    )


@router.get("/sign-in/start")
async def start(
    guest: AnyGuest, provider: Provided, to: Annotated[str, Query(max_length=4000)] = "/"
) -> Response:
    """Lead to the identity provider, and remember who was led there and why."""
    await provider.require()
    async with guest.backend.pool.connection() as connection:
        leads_to = own_address(to) if to.isprintable() else "/"
        attempt, browser = await sign_in_attempt.begin(connection, leads_to)
    response = RedirectResponse(await provider.sign_in_address(attempt), HTTPStatus.SEE_OTHER)
    is_secure = guest.backend.settings.public_url.startswith("https:")
    sign_in_attempt.hand_over(response, browser, secure=is_secure)
    return response


@router.get(CALLBACK)
async def come_back(
    guest: AnyGuest,
    provider: Provided,
    state: Annotated[str, Query()] = "",
    code: Annotated[str, Query()] = "",
    error: Annotated[str, Query()] = "",
    iss: Annotated[str | None, Query()] = None,
) -> Response:
    """Sign in who comes back from the identity provider, and lead to the page they asked for."""
    browser = guest.request.cookies.get(sign_in_attempt.COOKIE, "")
    async with guest.backend.pool.connection() as connection:
        attempt = await sign_in_attempt.take(connection, state, browser)
    if attempt is None:
        return _refused(guest, _STALE, "no such attempt")
    if iss not in {None, guest.backend.settings.oidc_issuer}:
        return _refused(guest, _UNTRUSTED, "another issuer's answer")
    if error or not code:
        told = error if _ERROR_CODE.fullmatch(error) else "no code"
        setback = _CANCELLED if told == "access_denied" else _FAILED
        return _refused(guest, setback, told, shown=told)
    try:
        person = await provider.finish(code, attempt)
    except ExchangeRefused as refusal:
        return _refused(guest, _FAILED, str(refusal), shown=str(refusal))
    except InvalidToken as refusal:
        return _refused(guest, _UNTRUSTED, refusal.detail)
    except Unmapped as refusal:
        setback = Setback(HTTPStatus.FORBIDDEN, _NO_ACCESS, _GAPS[refusal.gap])
        return _refused(guest, setback, refusal.detail, shown=refusal.detail)
    response = await enter(guest, person, attempt.to)
    sign_in_attempt.forget(response)
    return response


@router.post("/sign-out")
async def sign_out(guest: AnyGuest) -> Response:
    """End the session."""
    response = RedirectResponse("/signed-out", HTTPStatus.SEE_OTHER)
    await session.end(guest.backend, guest.request, response)
    return response


@router.get("/signed-out")
async def leave(guest: AnyGuest, provider: Provided) -> Response:
    """Lead to where the identity provider ends its own session, if there is such a place.

    By a page: the pages' policy lets no form end at another site, not by redirects either.
    """
    elsewhere = await provider.sign_out_address()
    if elsewhere is None:
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return guest.page("signed_out.html", elsewhere=elsewhere)


def _refused(guest: Guest, setback: Setback, detail: str, *, shown: str = "") -> Response:
    """Tell somebody why they are not signed in; the log learns more."""
    _log.warning("sign_in_refused", title=setback.title, detail=detail)
    response = guest.page(
        "sign_in_refused.html", status=setback.status, setback=setback, shown=shown
    )
    sign_in_attempt.forget(response)
    return response
