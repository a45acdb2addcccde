"""Who is calling."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError

from domain.actor import Actor
from domain.vocabulary import Role
from services.web import session
from services.web.backend import Served
from services.web.identity import person_of
from services.web.oidc import Provider
from services.web.problem import InvalidToken, TokenNeeded, Unauthenticated

HEADER = "X-Cpor-Actor"
"""In the mode `dev` the caller names itself in it: `<role>;<org>;<id>`."""

Naming = Callable[[Request], Awaitable[Actor | None]]
"""Tells whom a request's own headers name; None when they name nobody.

Raises Unauthenticated when they do so wrongly.
"""


class Identification(NamedTuple):
    """How callers say who they are."""

    named: Naming
    nobody: Callable[[], Unauthenticated]
    """What is said to who names nobody, and isn't signed in."""


_PARTS = 3
_WRONG: Mapping[str | int, str] = MappingProxyType(
    {
        "org": "the org must be 1 to 64 of A-Z a-z 0-9 _ -",
        "id": "the id must be 1 to 128 of A-Z a-z 0-9 . _ @ + -, the first a letter or digit",
    }
)

_header = APIKeyHeader(
    name=HEADER,
    scheme_name="caller",
    auto_error=False,
    description="`<role>;<org>;<id>`, the org empty but for partners: "
    "`incentives_admin;1234567;ayse`, `reviewer;;deniz`. Development only (`CPOR_AUTH=dev`).",
)
_bearer = HTTPBearer(
    bearerFormat="JWT",
    scheme_name="bearer",
    auto_error=False,
    description="A token of the identity provider, made for this API (`CPOR_AUTH=oidc`).",
)


async def _named_by_header(request: Request) -> Actor | None:
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


async def _named_by_token(request: Request) -> Actor | None:
    """Whose token the caller has.

    Raises InvalidToken, Unmapped, and Unavailable when nobody can tell whether it is good.
    """
    values = request.headers.getlist("Authorization")
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer":
        raise InvalidToken("send the header Authorization: Bearer <token>, once")
    provider: Provider = request.app.state.provider
    settings = request.app.state.backend.settings
    claims = await provider.check(token.strip(), audience=settings.oidc_audience)
    return person_of(claims, settings).actor


DEV: Final = Identification(
    _named_by_header,
    lambda: Unauthenticated(f"send the header {HEADER}: <role>;<org>;<id>, once"),
)
OIDC: Final = Identification(
    _named_by_token, lambda: TokenNeeded("send the header Authorization: Bearer <token>, once")
)


async def authenticated(
    request: Request,
    backend: Served,
    _header: Annotated[str | None, Security(_header)],
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Actor:
    """The caller: whom its headers name, else who is signed in.

    Raises Unauthenticated when nobody says who it is.
    """
    identification: Identification = request.app.state.identification
    named = await identification.named(request)
    if named is not None:
        return named
    person = await session.find(backend, request)
    if person is None:
        raise identification.nobody()
    return person.actor


Caller = Annotated[Actor, Depends(authenticated)]
