"""What a customer's link is about, as it stands now: told from the claim's own events (R8, R9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from domain.claim import Claim, ClaimEvent
from domain.resource import Wording
from domain.vocabulary import Consent, Status
from projections.board import ClaimRow, last_approval, past, recorded_policy
from services import consent_token
from services.claim_record import contacts_of, events_of
from services.consent_key import known_keys
from services.consent_token import ConsentLink


class Answer(StrEnum):
    """What came of the customer's say."""

    OPEN = "open"
    DECLINED = "declined"
    SILENT = "silent"
    """The period has passed: silence is consent (R9)."""
    WITHDRAWN = "withdrawn"
    """The partner gave the association up (R10)."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the customer is told."""

    link: ConsentLink
    row: ClaimRow
    partner_contact: dict[str, Any] | None
    """Name and address of the person who claims; None once erased (R30)."""
    sees: Wording
    """What the partner will see (R26)."""
    due_at: datetime
    answer: Answer
    answered_at: datetime | None
    reference: str
    """Names what was recorded, for whoever asks about it."""
    reason: str
    """Why the customer declined, in its own words."""


async def find(connection: AsyncConnection, token: str, now: datetime) -> Case | None:
    """What the link of this token is about; None when it is, or has become, about nothing."""
    link = consent_token.read(token, await known_keys(connection), now)
    if link is None:
        return None
    events = await events_of(connection, link.claim_id)
    row = past(events)
    approved = last_approval(events)
    if row is None or approved is None or approved.originator_version != link.version:
        return None
    contacts = await contacts_of(connection, [row])
    return _case(link, row, approved, events, contacts.get(row.partner_contact), now)


async def token_for(connection: AsyncConnection, claim_id: UUID) -> str | None:
    """The token of the link about a claim's approval; None for a claim that was never approved."""
    approved = last_approval(await events_of(connection, claim_id))
    if approved is None:
        return None
    link = ConsentLink.of(claim_id, approved.originator_version, approved.clocks[0].due_at)
    return consent_token.sign(link, await known_keys(connection))


def _case(
    link: ConsentLink,
    row: ClaimRow,
    approved: Claim.Approved,
    events: Sequence[ClaimEvent],
    partner_contact: dict[str, Any] | None,
    now: datetime,
) -> Case:
    due_at = approved.clocks[0].due_at
    declined = next((each for each in events if isinstance(each, Claim.ConsentDeclined)), None)
    answered_at: datetime | None = None
    version, reason = approved.originator_version, ""
    if declined is not None:
        answer, answered_at = Answer.DECLINED, declined.timestamp
        version, reason = declined.originator_version, declined.reason
    elif row.status is not Status.APPROVED:
        answer, answered_at = Answer.WITHDRAWN, row.decided_at
    elif row.consent is Consent.ELAPSED or due_at <= now:
        answer, answered_at = Answer.SILENT, due_at
    else:
        answer = Answer.OPEN
    return Case(
        link=link,
        row=row,
        partner_contact=partner_contact,
        sees=recorded_policy(events).what_partner_sees,
        due_at=due_at,
        answer=answer,
        answered_at=answered_at,
        reference=f"{link.claim_id.hex[:8].upper()}-{version}",
        reason=reason,
    )
