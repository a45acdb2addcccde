"""Half-filled forms of new claims and of disputes, each kept on the server for its author alone.

What contacts are called and how to reach them may stand in them (R30): a draft is deleted when its
command is accepted, and when nobody has touched it for LIFETIME.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from domain.actor import Actor
from domain.command import CreateClaim, OpenDispute
from domain.refusal import NotFound
from services.cloudevent import new_command_id

LIFETIME: Final = timedelta(days=30)
"""After which a draft that nobody touches is deleted."""
MOST: Final = 10
"""Drafts of new claims that one author may have."""

Filled = Mapping[str, Sequence[str]]
"""What a form holds: each field's values by its name."""

_AUTHOR: Final = "role = %s AND org = %s AND actor_id = %s"


class Draft(NamedTuple):
    """A form that is being filled in. The id of a new claim's becomes the claim's."""

    draft_id: UUID
    command_id: str
    """Of the command that it becomes: fixed, so that it has its effect once."""
    form: Filled
    updated_at: datetime


async def begin(
    connection: AsyncConnection, author: Actor, fields: Filled, now: datetime
) -> UUID | None:
    """Begin a draft of a new claim with these fields: its id.

    None when its author has as many as may be.
    """
    draft_id = UUID(bytes=secrets.token_bytes(16), version=4)
    async with connection.transaction():
        # One at a time, lest two beginnings at once both find room for the last one.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"drafts {author.org} {author.id}"],
        )
        if len(await drafts_of(connection, author, now)) >= MOST:
            return None
        await connection.execute(
            "INSERT INTO cpor.drafts (draft_id, role, org, actor_id, command_id, form, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [draft_id, *_key(author), new_command_id(), Jsonb(_storable(fields)), now],
        )
    return draft_id


async def drafts_of(connection: AsyncConnection, author: Actor, now: datetime) -> Sequence[Draft]:
    """An author's drafts of new claims, the one touched last first."""
    await _forget_old(connection, now)
    rows = await connection.execute(
        "SELECT draft_id, command_id, form, updated_at FROM cpor.drafts"  # noqa: S608 - a constant
        f" WHERE {_AUTHOR} AND command = %s ORDER BY updated_at DESC, draft_id",
        [*_key(author), CreateClaim.NAME],
    )
    return [Draft(*row) for row in await rows.fetchall()]


async def find(
    connection: AsyncConnection, draft_id: UUID, author: Actor, now: datetime
) -> Draft | None:
    """A draft of this author; None when there is none, or when it is another's."""
    await _forget_old(connection, now)
    rows = await connection.execute(
        "SELECT draft_id, command_id, form, updated_at FROM cpor.drafts"  # noqa: S608 - a constant
        f" WHERE draft_id = %s AND {_AUTHOR}",
        [draft_id, *_key(author)],
    )
    row = await rows.fetchone()
    return Draft(*row) if row else None


async def own(connection: AsyncConnection, draft_id: UUID, author: Actor, now: datetime) -> Draft:
    """A draft of this author. Raises NotFound, for another's as for none."""
    draft = await find(connection, draft_id, author, now)
    if draft is None:
        raise no_such_draft()
    return draft


async def save(
    connection: AsyncConnection, draft_id: UUID, author: Actor, fields: Filled, now: datetime
) -> Draft:
    """Put these fields into a draft, in place of what they held. Raises as `own`."""
    await _forget_old(connection, now)
    rows = await connection.execute(
        "UPDATE cpor.drafts SET form = form || %s, updated_at = %s"  # noqa: S608 - a constant
        f" WHERE draft_id = %s AND {_AUTHOR} RETURNING draft_id, command_id, form, updated_at",
        [Jsonb(_storable(fields)), now, draft_id, *_key(author)],
    )
    row = await rows.fetchone()
    if row is None:
        raise no_such_draft()
    return Draft(*row)


def dispute_of(claim_id: UUID, author: Actor) -> UUID:
    """The id of this author's draft of the claim's dispute, of which there is one at most."""
    return uuid5(claim_id, " ".join(map(str, _key(author))))


async def keep_dispute(connection: AsyncConnection, author: Actor, draft: Draft) -> None:
    """Keep the form of a dispute as it is filled in now, in place of what was kept of it."""
    await connection.execute(
        "INSERT INTO cpor.drafts"
        " (draft_id, role, org, actor_id, command, command_id, form, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (draft_id) DO UPDATE"
        " SET command_id = excluded.command_id, form = excluded.form,"
        " updated_at = excluded.updated_at",
        [
            *(draft.draft_id, *_key(author), OpenDispute.NAME),
            *(draft.command_id, Jsonb(_storable(draft.form)), draft.updated_at),
        ],
    )


async def throw_away(connection: AsyncConnection, draft_id: UUID, author: Actor) -> None:
    """Delete a draft of this author; what is not there needs no deleting."""
    await connection.execute(
        f"DELETE FROM cpor.drafts WHERE draft_id = %s AND {_AUTHOR}",  # noqa: S608 - a constant
        [draft_id, *_key(author)],
    )


def no_such_draft() -> NotFound:
    """The refusal for a draft that is not there, or another's (R25)."""
    return NotFound("there is no such unfinished claim")


async def _forget_old(connection: AsyncConnection, now: datetime) -> None:
    await connection.execute("DELETE FROM cpor.drafts WHERE updated_at <= %s", [now - LIFETIME])


def _key(author: Actor) -> tuple[Any, ...]:
    return author.role, author.org, author.id


def _storable(fields: Filled) -> dict[str, list[str]]:
    """Without the one character that PostgreSQL can't keep; HTML has this one in its place."""
    return {
        name: [value.replace("\0", "\N{REPLACEMENT CHARACTER}") for value in values]
        for name, values in fields.items()
    }
