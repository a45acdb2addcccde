"""How far the event log has come, and each projection in it.

A projection's position in the log is kept in its own transaction.
"""

from collections.abc import Iterable
from typing import NamedTuple

from psycopg import AsyncConnection

CHANNEL = "cpor_projected"
"""Notified, with the position, when the board has come further."""

_BEGIN = b"""
INSERT INTO cpor.projection_positions (name, position)
SELECT name, 0 FROM unnest(%s::text[]) AS name ON CONFLICT DO NOTHING
"""
_LOCK = b"""
SELECT name, position, xmin::text, pg_current_xact_id()::xid::text
FROM cpor.projection_positions WHERE name = ANY(%s) ORDER BY name FOR UPDATE
"""
_ADVANCE = b"""
WITH advanced AS (
    UPDATE cpor.projection_positions SET position = %(position)s WHERE name = ANY(%(names)s)
)
SELECT pg_notify(%(channel)s, %(position)s::text)
"""
_REACHED = b"SELECT position FROM cpor.projection_positions WHERE name = %s"
_ALL_REACHED = b"SELECT name, position FROM cpor.projection_positions ORDER BY name"
_RECORDED = b"SELECT coalesce(max(notification_id), 0) FROM cpor.stored_events"
_LAGS = b"SELECT name, greatest((%b) - position, 0) FROM cpor.projection_positions" % _RECORDED


class Place(NamedTuple):
    """How far a projection has come, and by whose transaction."""

    position: int
    moved_by: str
    """The transaction that moved it here, as PostgreSQL numbers them."""
    locked_by: str
    """This transaction."""


async def begin(connection: AsyncConnection, names: Iterable[str]) -> None:
    """See to it that these projections have a position: 0 where they had none."""
    await connection.execute(_BEGIN, [list(names)])


async def lock(connection: AsyncConnection, names: Iterable[str]) -> dict[str, Place]:
    """Where they are; nobody else moves them until this transaction ends."""
    rows = await connection.execute(_LOCK, [list(names)])
    return {name: Place(*place) for name, *place in await rows.fetchall()}


async def advance(connection: AsyncConnection, names: Iterable[str], position: int) -> None:
    """Record that they have come to this position, and tell who waits for it."""
    told = {"position": position, "names": list(names), "channel": CHANNEL}
    await connection.execute(_ADVANCE, told)


async def reached(connection: AsyncConnection, name: str) -> int:
    """How far a projection has come; 0 for one that has not begun."""
    rows = await connection.execute(_REACHED, [name])
    row = await rows.fetchone()
    return row[0] if row else 0


async def all_reached(connection: AsyncConnection) -> dict[str, int]:
    """How far each projection has come that has begun, by name and in the names' order."""
    rows = await connection.execute(_ALL_REACHED)
    return dict(await rows.fetchall())


async def recorded(connection: AsyncConnection) -> int:
    """The position of the log's last event; 0 while there is none."""
    rows = await connection.execute(_RECORDED)
    row = await rows.fetchone()
    return row[0] if row else 0


async def lags(connection: AsyncConnection) -> dict[str, int]:
    """How many events each projection that has begun has yet to take in, by name."""
    rows = await connection.execute(_LAGS)
    return dict(await rows.fetchall())
