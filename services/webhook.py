"""Webhooks: which upstream systems are told of events, how far each has been, and since when not.

What is sent to them, the notifier knows; this is what operators do with them.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx
from psycopg import AsyncConnection
from psycopg.rows import class_row
from pydantic import ValidationError

from domain.access import may_know_targets
from domain.actor import Actor
from domain.claim import EVENTS
from domain.notice import Kind
from domain.vocabulary import Role
from services.json_document import sentence
from services.settings import is_loopback

CHANNEL: Final = "cpor_webhooks"
"""Notified when there is another webhook, or one is to be told again."""
TARGET_SOON: Final = Kind.TARGET_SOON.value
"""What is told besides events: that a target of the reviewers is due soon."""

_SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - tells a secret from other texts
_LONGEST_URL: Final = 2000
_ID: Final = "webhook"

_COLUMNS: Final = """
webhook_id, url, org, events, secret, created_at, webhook.position, notice_id, replays, parked,
attempts, failing_since, next_at, words, heard.position - webhook.position AS behind
FROM cpor.webhooks AS webhook, cpor.notifier_position AS heard
"""
_ALL: Final = f"SELECT {_COLUMNS} ORDER BY webhook_id"
_ONE: Final = f"SELECT {_COLUMNS} WHERE webhook_id = %s"
# What was due soon when the log ended at this position is told before whatever comes after it.
_SOON_AT: Final = """
coalesce((SELECT max(notice_id) FROM cpor.notices
    WHERE kind = 'target_soon' AND position = {position}), 0)
"""
_ADD: Final = f"""
INSERT INTO cpor.webhooks (url, org, events, secret, position, notice_id)
SELECT %s, %s, %s, %s, position, {_SOON_AT.format(position="heard.position")}
FROM cpor.notifier_position AS heard RETURNING webhook_id
"""  # noqa: S608 - the statement is ours
_REMOVE: Final = "DELETE FROM cpor.webhooks WHERE webhook_id = %s"
_RESUME: Final = """
UPDATE cpor.webhooks SET parked = false, attempts = 0, failing_since = NULL, next_at = now(),
    words = '' WHERE webhook_id = %s
"""
_SET_BACK: Final = f"""
UPDATE cpor.webhooks SET replays = replays + 1, position = %(after)s,
    notice_id = {_SOON_AT.format(position="%(after)s")}
WHERE webhook_id = %(webhook_id)s AND %(after)s <= (SELECT position FROM cpor.notifier_position)
"""  # noqa: S608 - as above


class WebhookRefused(Exception):  # noqa: N818 - the reason, for whoever asked for it
    """What was asked of a webhook can't be done: the message is one sentence."""


class State(StrEnum):
    """How it goes with a webhook."""

    RUNNING = "running"
    FAILING = "failing"
    """It is tried again later."""
    PARKED = "parked"
    """It is not told any more, until an operator resumes it."""


class Place(NamedTuple):
    """How far a webhook has been told: the event at a position, and what was due soon after it."""

    position: int
    notice_id: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of events, and how that goes."""

    webhook_id: int
    url: str
    org: str | None
    """Whose claims it is told of; None for the vendor's own systems, which hear of all."""
    events: Sequence[str] | None
    """The names of what it is told of; None for everything."""
    secret: bytes = field(repr=False)
    created_at: datetime
    position: int
    notice_id: int
    replays: int
    """How often it was set to another place: what was under way then moves it no more."""
    parked: bool
    attempts: int
    """Tries that have failed since the last one that did not."""
    failing_since: datetime | None
    next_at: datetime
    """Not tried before."""
    words: str
    """Why the last try failed."""
    behind: int
    """Positions of the log that it was not told of, or that are not for it."""

    @property
    def place(self) -> Place:
        """How far it has been told."""
        return Place(self.position, self.notice_id)

    @property
    def state(self) -> State:
        """How it goes."""
        if self.parked:
            return State.PARKED
        return State.FAILING if self.attempts else State.RUNNING

    @property
    def reader(self) -> Actor:
        """As whom it hears: what it may know is decided as for people (R25)."""
        return _reader(self.org)


class Added(NamedTuple):
    """A webhook that was made."""

    webhook_id: int
    secret: str
    """What its receiver checks signatures with; shown this once."""


async def add(
    connection: AsyncConnection, url: str, org: str | None, events: Sequence[str]
) -> Added:
    """Tell an address of what happens from now on; of everything when no events are named.

    Raises WebhookRefused.
    """
    _require_address(url)
    try:
        reader = _reader(org)
    except ValidationError as error:
        raise WebhookRefused(
            f"{org!r} is no organisation: {sentence(error.errors()[0])}."
        ) from error
    _require_names(events, reader)
    secret = secrets.token_bytes(_SECRET_BYTES)
    row = await (
        await connection.execute(_ADD, [url, org, sorted(set(events)) or None, secret])
    ).fetchone()
    if row is None:
        raise LookupError("the notifier's position is gone from cpor.notifier_position")
    await connection.execute(f"NOTIFY {CHANNEL}")
    return Added(row[0], _SECRET_PREFIX + base64.b64encode(secret).decode())


async def webhooks(connection: AsyncConnection) -> Sequence[Webhook]:
    """All of them, the oldest first."""
    async with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        return await (await cursor.execute(_ALL)).fetchall()


async def find(connection: AsyncConnection, webhook_id: int) -> Webhook | None:
    """One of them."""
    async with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        return await (await cursor.execute(_ONE, [webhook_id])).fetchone()


async def remove(connection: AsyncConnection, webhook_id: int) -> None:
    """Tell an address nothing any more. Raises WebhookRefused."""
    _require_found(webhook_id, (await connection.execute(_REMOVE, [webhook_id])).rowcount)


async def resume(connection: AsyncConnection, webhook_id: int) -> None:
    """Go on telling, at once, from where it stood. Raises WebhookRefused."""
    _require_found(webhook_id, (await connection.execute(_RESUME, [webhook_id])).rowcount)
    await connection.execute(f"NOTIFY {CHANNEL}")


async def replay(connection: AsyncConnection, webhook_id: int, position: int) -> None:
    """Tell again, at once, from the event at this position on. Raises WebhookRefused."""
    async with connection.transaction():
        await resume(connection, webhook_id)
        parameters = {"webhook_id": webhook_id, "after": position - 1}
        if not (await connection.execute(_SET_BACK, parameters)).rowcount:
            raise WebhookRefused(f"The log has not come to position {position} yet.")


def _reader(org: str | None) -> Actor:
    if org is None:
        return Actor(role=Role.OPERATOR, id=_ID)
    return Actor(role=Role.GLOBAL_ADMIN, org=org, id=_ID)


def _require_address(url: str) -> None:
    """Refuse what nobody may mean, or nobody may read on its way.

    Which machines an operator names is the operator's business: systems upstream have private
    addresses more often than not.
    """
    no_address = WebhookRefused("A webhook has an address such as https://crm.example/cpor.")
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise no_address from error
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise no_address
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise WebhookRefused("The address must begin with https://, but for this machine's own.")
    if parts.username is not None or parts.fragment:
        raise WebhookRefused("The address must be without user, password and #fragment.")
    if len(url) > _LONGEST_URL:
        raise WebhookRefused(f"The address has more than {_LONGEST_URL} characters.")


def _require_names(events: Sequence[str], reader: Actor) -> None:
    for name in events:
        if name not in EVENTS and name != TARGET_SOON:
            known = ", ".join([*EVENTS, TARGET_SOON])
            raise WebhookRefused(f"No event is called {name!r}: there are {known}.")
    if TARGET_SOON in events and not may_know_targets(reader):
        raise WebhookRefused(f"{TARGET_SOON} is for the vendor: it is the reviewers' target.")


def _require_found(webhook_id: int, rows: int) -> None:
    if not rows:
        raise WebhookRefused(f"There is no webhook {webhook_id}.")
