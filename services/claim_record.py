"""What the store holds of claims: their own events, and the contacts kept beside them (R30).

They are read from it each time: history is not copied anywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from projections.board import ClaimRow
from services.store import remember

_EVENTS: Final = """
SELECT originator_version, topic, state FROM cpor.stored_events
WHERE originator_id = %s ORDER BY originator_version
"""
"""Of one claim: a third quicker than by the statement for many, which sorts."""
_EVENTS_OF_MANY: Final = """
SELECT originator_id, originator_version, topic, state FROM cpor.stored_events
WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version
"""
_CONTACTS: Final = """
SELECT contact_id, name, title, email FROM cpor.contacts WHERE contact_id = ANY(%s)
"""


async def events_of(connection: AsyncConnection, claim_id: UUID) -> Sequence[ClaimEvent]:
    """A claim's own events, in order; none of a claim that is not there."""
    rows = await connection.execute(_EVENTS, [claim_id])
    stored = await rows.fetchall()
    return [remember(str(claim_id), version, topic, state) for version, topic, state in stored]


async def histories(
    connection: AsyncConnection, claim_ids: Iterable[UUID]
) -> Mapping[UUID, Sequence[ClaimEvent]]:
    """The own events of those of the claims that exist, each claim's in order, by one query."""
    rows = await connection.execute(_EVENTS_OF_MANY, [list(claim_ids)])
    found: dict[UUID, list[ClaimEvent]] = {}
    for claim_id, version, topic, state in await rows.fetchall():
        found.setdefault(claim_id, []).append(remember(str(claim_id), version, topic, state))
    return found


async def contacts_of(
    connection: AsyncConnection, rows: Iterable[ClaimRow]
) -> Mapping[UUID, dict[str, Any]]:
    """The contacts that rows refer to, those that are not erased (R30), by id."""
    wanted = [each for row in rows for each in (row.customer_contact, row.partner_contact)]
    found = await connection.execute(_CONTACTS, [wanted])
    return {
        contact_id: {"name": name, "title": title, "email": email}
        for contact_id, name, title, email in await found.fetchall()
    }
