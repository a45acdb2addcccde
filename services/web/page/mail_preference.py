"""How somebody likes to hear from us: by the link in their mails, without an account."""

from http import HTTPStatus
from typing import Annotated, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response

from services.language.translation import Language
from services.notifier import preference
from services.notifier.mail_key import mail_key
from services.notifier.preference import Preference
from services.web.page.link import QUIET, Reader
from services.web.page.route import PageRoute
from services.web.page.taste import known_time_zones
from services.web.page.visit import Guest

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Whose(NamedTuple):
    """Who reads the mails that the link is from."""

    address_digest: bytes
    is_reviewers: bool
    """They share the address, so that none of them switches off what all are to hear."""
    chosen: Preference


@router.get("/mails/{token}")
async def show(reader: Reader, token: str, *, done: Annotated[bool, Query()] = False) -> Response:
    """What is chosen now."""
    whose = await _whose(reader, token)
    return _page(reader, token, whose, done=done) if whose else _dead(reader)


@router.post("/mails/{token}")
async def choose(
    reader: Reader,
    token: str,
    reminders: Annotated[str, Form()] = "",
    mail_language: Annotated[str, Form()] = "",
    time_zone: Annotated[str, Form()] = "",
) -> Response:
    """Remember what was chosen."""
    whose = await _whose(reader, token)
    if whose is None:
        return _dead(reader)
    chosen = Preference(
        reminders == "yes",
        Language(mail_language) if mail_language in list(Language) else None,
        ZoneInfo(time_zone) if time_zone in known_time_zones() else None,
    )
    await _keep(reader, whose, chosen)
    shown = urlencode({"done": "true", "language": reader.taste.language})
    return RedirectResponse(f"/mails/{token}?{shown}", HTTPStatus.SEE_OTHER)


@router.get("/mails/{token}/unsubscribe")
async def ask(token: str) -> Response:
    """Whoever opens the address for programs is led to the page: looking changes nothing."""
    return RedirectResponse(f"/mails/{token}", HTTPStatus.SEE_OTHER)


@router.post("/mails/{token}/unsubscribe")
async def unsubscribe(reader: Reader, token: str) -> Response:
    """Switch reminders off, as mail programs ask for it at one click (RFC 8058).

    They follow no redirect, so that the page is the answer.
    """
    whose = await _whose(reader, token)
    if whose is None:
        return _dead(reader)
    whose = await _keep(reader, whose, whose.chosen._replace(reminders=False))
    return _page(reader, token, whose, done=True)


async def _whose(reader: Guest, token: str) -> Whose | None:
    async with reader.backend.pool.connection() as connection:
        key = await mail_key(connection)
        address_digest = preference.read(key, token)
        if address_digest is None:
            return None
        chosen = await preference.preference_of(connection, address_digest)
    reviewers = preference.digest_of(key, reader.backend.settings.reviewers_email)
    return Whose(address_digest, address_digest == reviewers, chosen)


async def _keep(reader: Guest, whose: Whose, chosen: Preference) -> Whose:
    """Remember what was chosen; of the reviewers' reminders nothing is."""
    if whose.is_reviewers:
        chosen = chosen._replace(reminders=whose.chosen.reminders)
    async with reader.backend.pool.connection() as connection:
        await preference.keep(connection, whose.address_digest, chosen)
    return whose._replace(chosen=chosen)


def _page(reader: Guest, token: str, whose: Whose, *, done: bool) -> Response:
    """What is chosen, and a form to choose otherwise."""
    return reader.page(
        "mail_preference.html",
        headers=QUIET,
        address=f"/mails/{token}",
        chosen=whose.chosen,
        has_reminders=not whose.is_reviewers,
        usual_language=Language(reader.backend.settings.language),
        usual_zone=reader.backend.policy.time_zone,
        zones=sorted(name for name in known_time_zones() if "/" in name or name == "UTC"),
        done=done,
    )


def _dead(reader: Guest) -> Response:
    """The same page as for a customer's link that is about nothing."""
    return reader.page("consent_dead.html", status=HTTPStatus.NOT_FOUND, headers=QUIET)
