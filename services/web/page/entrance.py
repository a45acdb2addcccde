"""The first page, and what every way to sign in ends with."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from services.web import session
from services.web.page.navigation import HOME
from services.web.page.route import PageRoute
from services.web.page.taste import own_address
from services.web.page.visit import AnyGuest, Guest
from services.web.session import Person

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def start(guest: AnyGuest) -> Response:
    """Lead everybody to where their work begins."""
    if guest.person is None:
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return RedirectResponse(HOME[guest.person.actor.role], HTTPStatus.SEE_OTHER)


async def enter(guest: Guest, person: Person, to: str) -> Response:
    """Begin a person's session in place of any that this browser had."""
    response = RedirectResponse(own_address(to), HTTPStatus.SEE_OTHER)
    await session.end(guest.backend, guest.request, response)
    async with guest.backend.pool.connection() as connection:
        token = await session.begin(connection, person)
    is_secure = guest.backend.settings.public_url.startswith("https:")
    session.hand_over(response, token, secure=is_secure)
    return response
