"""Signing in and out in the mode `dev`: by choosing who to be."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response

from domain.actor import Actor
from domain.refusal import FieldError, Invalid
from domain.vocabulary import Role
from services.web import session
from services.web.page.entrance import enter
from services.web.page.route import PageRoute
from services.web.page.taste import own_address
from services.web.page.visit import AnyGuest
from services.web.session import Person

PERSONAS: Final = (
    Person("Ayşe Demir", Actor(role=Role.INCENTIVES_ADMIN, org="1230010", id="ayse")),
    Person("Jonas Brandt", Actor(role=Role.GLOBAL_ADMIN, org="2340020", id="jonas")),
    Person("Deniz", Actor(role=Role.REVIEWER, id="deniz")),
    Person("Marta", Actor(role=Role.REVIEWER, id="marta")),
    Person("Ada", Actor(role=Role.AUDITOR, id="ada")),
    Person("Olga", Actor(role=Role.OPERATOR, id="olga")),
)
"""Who can be chosen in the mode `dev`: people of the demo, and who looks over their shoulders."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/sign-in")
async def ask(guest: AnyGuest, to: Annotated[str, Query()] = "/") -> Response:
    """Ask who it is."""
    return guest.page("sign_in.html", personas=PERSONAS, to=own_address(to))


@router.post("/sign-in")
async def sign_in(
    guest: AnyGuest, persona: Annotated[str, Form()], to: Annotated[str, Form()] = "/"
) -> Response:
    """Begin a session as one of the personas, and lead to the page that was asked for."""
    chosen = next((each for each in PERSONAS if each.actor.id == persona), None)
    if chosen is None:
        raise Invalid([FieldError("/persona", "is none of those to choose from")])
    return await enter(guest, chosen, to)


@router.post("/sign-out")
async def sign_out(guest: AnyGuest) -> Response:
    """End the session."""
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    await session.end(guest.backend, guest.request, response)
    return response
