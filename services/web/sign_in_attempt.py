"""Attempts to sign in at the identity provider: begun here, good once, soon, in one browser."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from psycopg import AsyncConnection
from starlette.responses import Response

COOKIE: Final = "cpor_sign_in"
LIFETIME: Final = timedelta(minutes=10)
"""In which whoever was led to the provider must be back."""
_PATH = "/sign-in"


class Attempt(NamedTuple):
    """What we must remember while somebody is at the provider."""

    state: str
    """Comes back with them (RFC 6749)."""
    nonce: str
    """Stands in the token that is made for this attempt (OpenID Connect)."""
    verifier: str
    """Proves that the code is redeemed by who asked for it (RFC 7636)."""
    to: str
    """The page that was asked for."""


async def begin(connection: AsyncConnection, to: str) -> tuple[Attempt, str]:
    """An attempt, and the token that its browser must bring back."""
    state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
    await connection.execute("DELETE FROM cpor.sign_in_attempts WHERE expires_at <= now()")
    await connection.execute(
        "INSERT INTO cpor.sign_in_attempts"
        " (state_digest, browser_digest, nonce, verifier, leads_to, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, now() + %s)",
        [_digest(state), _digest(browser), nonce, verifier, to, LIFETIME],
    )
    return Attempt(state, nonce, verifier, to), browser


async def take(connection: AsyncConnection, state: str, browser: str) -> Attempt | None:
    """The attempt with this state, once; None when it is not this browser's, used or too old."""
    rows = await connection.execute(
        "DELETE FROM cpor.sign_in_attempts"
        " WHERE state_digest = %s AND browser_digest = %s AND expires_at > now()"
        " RETURNING nonce, verifier, leads_to",
        [_digest(state), _digest(browser)],
    )
    row = await rows.fetchone()
    return Attempt(state, *row) if row else None


def hand_over(response: Response, browser: str, *, secure: bool) -> None:
    """Give the browser its token, to be sent back to the sign-in alone."""
    response.set_cookie(
        COOKIE,
        browser,
        max_age=int(LIFETIME.total_seconds()),
        path=_PATH,
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response) -> None:
    """Take the browser's token away: it is good for nothing any more."""
    response.delete_cookie(COOKIE, path=_PATH)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
