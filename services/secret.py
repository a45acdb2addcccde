"""Secrets that the system makes for itself, kept beside the store."""

import secrets
from typing import Final

from psycopg import AsyncConnection

_BYTES: Final = 32
_ADD: Final = "INSERT INTO cpor.secrets (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_READ: Final = "SELECT value FROM cpor.secrets WHERE name = %s"


async def secret(connection: AsyncConnection, name: str) -> bytes:
    """The secret of this name, made when there is none."""
    found = await (await connection.execute(_READ, [name])).fetchone()
    if found is None:
        await connection.execute(_ADD, [name, secrets.token_bytes(_BYTES)])
        found = await (await connection.execute(_READ, [name])).fetchone()
    if found is None:
        raise LookupError(f"the secret {name} was deleted while it was read")
    return bytes(found[0])
