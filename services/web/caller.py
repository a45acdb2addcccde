"""Who is calling."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import ValidationError

from domain.actor import Actor
from domain.vocabulary import Role
from services.web import session
from services.web.backend import Served
from services.web.problem import Unauthenticated

HEADER = "X-Cpor-Actor"
"""In the mode `dev` the caller names itself in it: `<role>;<org>;<id>`."""

Identification = Callable[[Request], Awaitable[Actor | None]]
"""Tells whom a request's own headers name; None when they name nobody.

Raises Unauthenticated when they do so wrongly.
"""

_PARTS = 3
_WRONG: Mapping[str | int, str] = MappingProxyType(
    {
        "org": "the org must be 1 to 64 of A-Z a-z 0-9 _ -",
        "id": "the id must be 1 to 128 of A-Z a-z 0-9 . _ @ + -, the first a letter or digit",
    }
)

_scheme = APIKeyHeader(
    name=HEADER,
    scheme_name="caller",
    auto_error=False,
    description="`<role>;<org>;<id>`, the org empty but for partners: "
    "`incentives_admin;1234567;ayse`, `reviewer;;deniz`. Development only (`CPOR_AUTH=dev`).",
)


async def dev(request: Request) -> Actor | None:
    """Who the caller says it is. Raises Unauthenticated for who says nothing clear."""
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    if len(values) > 1:
        raise Unauthenticated(f"send the header {HEADER}: <role>;<org>;<id>, once")
    parts = [part.strip() for part in values[0].split(";")]
    if len(parts) != _PARTS:
        raise Unauthenticated(f"{HEADER} is not of the form <role>;<org>;<id>")
    role, org, name = parts
    if role not in list(Role):
        raise Unauthenticated(f"{HEADER} names an unknown role; there are {', '.join(Role)}")
    try:
        return Actor(role=Role(role), org=org or None, id=name)
    except ValidationError as error:
        wrong = error.errors()[0]
        of_the_whole = wrong["msg"].removeprefix("Value error, ")
        detail = _WRONG[wrong["loc"][0]] if wrong["loc"] else of_the_whole
        raise Unauthenticated(f"{HEADER} is wrong: {detail}") from None


async def authenticated(
    request: Request, backend: Served, _: Annotated[str | None, Security(_scheme)]
) -> Actor:
    """The caller: whom its headers name, else who is signed in.

    Raises Unauthenticated when nobody says who it is.
    """
    identify: Identification = request.app.state.identify
    named = await identify(request)
    if named is not None:
        return named
    person = await session.find(backend, request)
    if person is None:
        raise Unauthenticated(f"send the header {HEADER}: <role>;<org>;<id>, once")
    return person.actor


Caller = Annotated[Actor, Depends(authenticated)]
