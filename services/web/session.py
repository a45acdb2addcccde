"""Sessions: who is signed in to the pages, kept on the server until they end."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from fastapi import Request
from psycopg import AsyncConnection
from starlette.responses import Response

from domain.actor import Actor
from services.web.backend import Backend

COOKIE: Final = "cpor_session"
LIFETIME: Final = timedelta(hours=12)
"""After which whoever is signed in signs in again."""


class Person(NamedTuple):
    """Somebody who is signed in: the name that they are called by, and who they are (R25)."""

    name: str
    actor: Actor


async def begin(connection: AsyncConnection, person: Person) -> str:
    """Sign a person in: the session's token, which nobody but their browser may have.

    It ends by the database's time: people stay signed in while the simulated clock is moved.
    """
    token = secrets.token_urlsafe(32)
    actor = person.actor
    await connection.execute("DELETE FROM cpor.sessions WHERE expires_at <= now()")
    await connection.execute(
        "INSERT INTO cpor.sessions (token_digest, role, org, actor_id, name, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, now() + %s)",
        [_digest(token), actor.role, actor.org, actor.id, person.name, LIFETIME],
    )
    return token


async def find(backend: Backend, request: Request) -> Person | None:
    """Who sends this request, by its cookie; None for nobody, or whose session has ended."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    async with backend.pool.connection() as connection:
        rows = await connection.execute(
            "SELECT name, role, org, actor_id FROM cpor.sessions"
            " WHERE token_digest = %s AND expires_at > now()",
            [_digest(token)],
        )
        row = await rows.fetchone()
    if row is None:
        return None
    name, role, org, actor_id = row
    return Person(name, Actor(role=role, org=org, id=actor_id))


async def end(backend: Backend, request: Request, response: Response) -> None:
    """Sign whoever sends this request out."""
    token = request.cookies.get(COOKIE)
    if token:
        async with backend.pool.connection() as connection:
            await connection.execute(
                "DELETE FROM cpor.sessions WHERE token_digest = %s", [_digest(token)]
            )
    response.delete_cookie(COOKIE, path="/")


def hand_over(response: Response, token: str, *, secure: bool) -> None:
    """Give the browser its token: out of reach of scripts, and of other sites' forms."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
