"""What a webhook is told: an event as on CPOR_EVENTS, or that a target is due soon, and signed.

Whose claims, and how much of them, is decided by the rules for people: a partner's system hears
what the partner's people can read (R25).
"""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from pydantic_core import from_json, to_json

from domain.access import may_follow, may_know_targets, may_read_commands
from domain.actor import Actor
from domain.claim import ClaimEvent
from domain.event import OpenedClock
from projections.history import shown
from projections.open_clock import change
from services.cloudevent import CONTENT_TYPE, SOURCE, SPEC_VERSION, stored_event_message
from services.store import EventMapper, event_name, remember
from services.webhook import TARGET_SOON, Place, Webhook

_MAPPER: Final = EventMapper()
_READ: Final = """
WITH happened AS (
    SELECT notification_id AS position, 0::bigint AS notice_id, originator_id, originator_version,
        topic, state
    FROM cpor.stored_events
    WHERE notification_id > %(position)s
        AND notification_id <= (SELECT position FROM cpor.notifier_position)
    ORDER BY notification_id LIMIT %(limit)s
), soon AS (
    SELECT notices.position, notice_id, originator_id, originator_version, topic, event.state
    FROM cpor.notices
    JOIN cpor.stored_events AS event ON (originator_id, originator_version) = (claim_id, version)
    WHERE kind = 'target_soon'
        AND (notices.position, notice_id) > (%(position)s, %(notice_id)s)
    ORDER BY notices.position, notice_id LIMIT %(limit)s
)
SELECT entry.*, convert_from(first.state, 'UTF8')::json ->> 'org'
FROM (SELECT * FROM happened UNION ALL SELECT * FROM soon) AS entry
JOIN cpor.stored_events AS first
    ON first.originator_id = entry.originator_id AND first.originator_version = 1
ORDER BY entry.position, entry.notice_id LIMIT %(limit)s
"""


class Entry(NamedTuple):
    """An event in the log, or behind it that the clock which it opened is due soon."""

    position: int
    notice_id: int
    """0 for the event itself."""
    claim_id: UUID
    version: int
    topic: str
    state: bytes
    org: str
    """Whose claim it is."""

    @property
    def place(self) -> Place:
        """Where it stands in the order of what is told."""
        return Place(self.position, self.notice_id)

    @property
    def name(self) -> str:
        """What webhooks choose by."""
        return TARGET_SOON if self.notice_id else event_name(self.topic)


class Message(NamedTuple):
    """What is sent, and what it is known by however often it is."""

    message_id: str
    body: bytes


async def read(connection: AsyncConnection, after: Place, limit: int) -> list[Entry]:
    """What comes after a place, in order, as far as the notifier has read the log.

    No further, for until then something may become due soon that is told before.
    """
    rows = await connection.execute(_READ, {**after._asdict(), "limit": limit})
    return [Entry(*row) for row in await rows.fetchall()]


def message(entry: Entry, webhook: Webhook) -> Message | None:
    """What a webhook is told of it, the same each time; None when it is not for that webhook.

    Raises UnknownEvent for what this release does not know.
    """
    reader = webhook.reader
    if not may_follow(reader, org=entry.org):
        return None
    if webhook.events is not None and entry.name not in webhook.events:
        return None
    fact = remember(str(entry.claim_id), entry.version, entry.topic, entry.state)
    if entry.notice_id:
        opened = change(fact)
        if not may_know_targets(reader) or not isinstance(opened, OpenedClock):
            return None
        return _soon(entry, opened)
    seen = shown(fact, reader)
    return _event(entry, fact, seen, reader) if seen else None


def signed(message_id: str, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
    """The headers of a request, as https://www.standardwebhooks.com has them."""
    timestamp = str(int(now.timestamp()))
    content = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
    signature = base64.b64encode(hmac.digest(secret, content, sha256)).decode()
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def _event(entry: Entry, fact: ClaimEvent, seen: ClaimEvent, reader: Actor) -> Message:
    told: dict[str, Any] = from_json(
        stored_event_message(
            claim_id=entry.claim_id,
            version=entry.version,
            position=entry.position,
            name=event_name(entry.topic),
            state=entry.state if seen is fact else _MAPPER.to_stored_event(seen).state,
        )
    )
    if not may_read_commands(reader):
        told.pop("causationid")
        told.pop("traceparent", None)
    return Message(told["id"], to_json(told))


def _soon(entry: Entry, opened: OpenedClock) -> Message:
    message_id = f"{entry.claim_id}-{entry.version}-{TARGET_SOON}"
    told = {
        "specversion": SPEC_VERSION,
        "id": message_id,
        "type": f"cpor.notice.{TARGET_SOON}",
        "subject": str(entry.claim_id),
        "source": SOURCE,
        "time": opened.due_soon_at,
        "datacontenttype": "application/json",
        "claimversion": entry.version,
        "data": {"clock": opened.clock, "opened_at": opened.opened_at, "due_at": opened.due_at},
    }
    return Message(message_id, to_json(told))
