"""The keys that customers' links are signed with: several are known, the newest signs.

They are numbered in the order in which they were made, and kept beside the store's other secrets.
"""

from collections.abc import Mapping
from typing import Final

from psycopg import AsyncConnection

from services.secret import secret

_PREFIX: Final = "consent-link-"

_KNOWN = "SELECT name, value FROM cpor.secrets WHERE starts_with(name, %s)"


class KeyNotRemoved(Exception):  # noqa: N818 - the reason, for whoever asked for it
    """A key that signs, or that is not there, is not removed."""


async def known_keys(connection: AsyncConnection) -> Mapping[int, bytes]:
    """Every key by its number; the first one is made when there is none."""
    keys = await _keys(connection)
    if not keys:
        await secret(connection, _name(1))
        keys = await _keys(connection)
    return keys


async def rotate(connection: AsyncConnection) -> int:
    """Make the key that signs from now on; its number. Links signed before stay good."""
    number = max(await known_keys(connection)) + 1
    await secret(connection, _name(number))
    return number


async def remove(connection: AsyncConnection, number: int) -> None:
    """Forget a key, and with it every link that it signed.

    Raises KeyNotRemoved for the newest one: without it, its number would be given again.
    """
    keys = await known_keys(connection)
    if number not in keys:
        raise KeyNotRemoved(f"There is no key {number}.")
    if number == max(keys):
        raise KeyNotRemoved(f"Key {number} signs new links: rotate first, then remove it.")
    await connection.execute("DELETE FROM cpor.secrets WHERE name = %s", [_name(number)])


async def _keys(connection: AsyncConnection) -> Mapping[int, bytes]:
    rows = await connection.execute(_KNOWN, [_PREFIX])
    return {int(name.removeprefix(_PREFIX)): bytes(value) for name, value in await rows.fetchall()}


def _name(number: int) -> str:
    return f"{_PREFIX}{number}"
