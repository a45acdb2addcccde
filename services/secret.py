"""Secrets that the system makes for itself, kept beside the store."""

import secrets
from typing import Final

from psycopg import AsyncConnection

ADD: Final = "INSERT INTO cpor.secrets (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
READ: Final = "SELECT value FROM cpor.secrets WHERE name = %s"

_BYTES: Final = 32


def new_value() -> bytes:
    """A value that nobody can guess."""
    return secrets.token_bytes(_BYTES)


async def secret(connection: AsyncConnection, name: str) -> bytes:
    """The secret of this name, made when there is none."""
    found = await (await connection.execute(READ, [name])).fetchone()
    if found is None:
        await connection.execute(ADD, [name, new_value()])
        found = await (await connection.execute(READ, [name])).fetchone()
    if found is None:
        raise LookupError(f"the secret {name} was deleted while it was read")
    return bytes(found[0])
