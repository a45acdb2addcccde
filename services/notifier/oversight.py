"""What operators see of the outbox, and do about it: mails that wait, and parked ones."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.notice import Kind, Recipient
from services.notifier.discretion import discreet
from services.notifier.mail_key import mail_key
from services.notifier.outbox import CHANNEL, mail_name
from services.notifier.plan import Notice as Told

LATE: Final = timedelta(hours=1)
"""Mails are sent within seconds: when one waits longer, something is wrong."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")

_COUNTS: Final = """
SELECT waiting, parked, since FROM
    (SELECT count(*) AS waiting, min(created_at) AS since FROM cpor.notices
        WHERE state = 'waiting') AS waits,
    (SELECT count(*) AS parked FROM cpor.notices WHERE state = 'parked') AS ended
"""
_COLUMNS: Final = """
notice_id, claim_id, version, recipient, kind, number, state, attempts, created_at,
coalesce(ended_at, next_at), words
"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM cpor.notices
WHERE state = %s AND notice_id < coalesce(%s, 9223372036854775807)
ORDER BY notice_id DESC LIMIT %s
"""  # noqa: S608 - the columns are ours
_ONE: Final = f"SELECT {_COLUMNS} FROM cpor.notices WHERE notice_id = %s"  # noqa: S608 - as above
_OF_CUSTOMER: Final = f"""
SELECT {_COLUMNS} FROM cpor.notices
WHERE claim_id = %s AND version = %s AND recipient = 'customer' AND kind = 'consent_notice'
"""  # noqa: S608 - as above
_AGAIN: Final = """
UPDATE cpor.notices SET state = 'waiting', attempts = 0, created_at = now(), next_at = now(),
    refused_since = NULL, ended_at = NULL
WHERE state = 'parked' AND notice_id = coalesce(%s, notice_id)
"""
_BOUNCED: Final = """
UPDATE cpor.notices SET state = 'parked', ended_at = now(), words = %(words)s
WHERE state = 'sent' AND (notice_id = %(notice_id)s OR told_with = %(notice_id)s)
"""


class Standing(NamedTuple):
    """How the outbox is."""

    waiting: int
    parked: int
    waiting_since: datetime | None
    """Since when the one that waits longest does."""


class Notice(NamedTuple):
    """A notice, and what has become of it."""

    notice_id: int
    claim_id: UUID
    version: int
    recipient: Recipient
    kind: Kind
    number: int
    state: str
    """`waiting`, `sent`, `parked` or `dropped`."""
    attempts: int
    created_at: datetime
    at: datetime
    """When that became of it; of one that waits, when it is tried next."""
    words: str
    """What the mail server said last, or why it was not asked."""

    def is_late(self, now: datetime) -> bool:
        """Whether its recipient may not know what it tells: it was refused, or waits for long."""
        if self.state == "waiting":
            return self.attempts > 0 or now - self.created_at > LATE
        return self.state == "parked"

    @property
    def told(self) -> Told:
        """Who is told what."""
        return Told(self.claim_id, self.version, self.recipient, self.kind, self.number)


async def standing(connection: AsyncConnection) -> Standing:
    """How many mails wait and were parked."""
    row = await (await connection.execute(_COUNTS)).fetchone()
    return Standing(*row) if row else Standing(0, 0, None)


async def notices(
    connection: AsyncConnection, state: str, *, before: int | None = None, limit: int
) -> Sequence[Notice]:
    """Notices in a state, the last one first; `before` pages on."""
    rows = await connection.execute(_LIST, [state, before, limit])
    return [_notice(row) for row in await rows.fetchall()]


async def find(connection: AsyncConnection, notice_id: int) -> Notice | None:
    """One notice."""
    row = await (await connection.execute(_ONE, [notice_id])).fetchone()
    return _notice(row) if row else None


async def consent_notice(
    connection: AsyncConnection, claim_id: UUID, version: int
) -> Notice | None:
    """What has become of the customer's notice of an approval; None before it was planned."""
    row = await (await connection.execute(_OF_CUSTOMER, [claim_id, version])).fetchone()
    return _notice(row) if row else None


async def send_again(connection: AsyncConnection, notice_id: int | None = None) -> int:
    """Let a notice that was parked wait to be sent again, or all of them; how many."""
    again = (await connection.execute(_AGAIN, [notice_id])).rowcount
    if again:
        await connection.execute(f"NOTIFY {CHANNEL}")
    return again


async def bounced(connection: AsyncConnection, message_id: str, words: str) -> int | None:
    """Note that a mail came back after all: its notice; None for one that was not sent."""
    number, *rest = message_id.strip().removeprefix("<").partition("@")[0].split(".")
    name = ".".join((number, *rest[:1]))  # what follows in a digest's is of the other notices
    notice = await find(connection, int(number)) if _NUMBER.fullmatch(number) else None
    key = await mail_key(connection)
    if notice is None or mail_name(key, notice.notice_id, notice.told) != name:
        return None
    given = {"words": f"bounced: {discreet(words)}", "notice_id": notice.notice_id}
    marked = await connection.execute(_BOUNCED, given)
    return notice.notice_id if marked.rowcount else None


def _notice(row: Sequence[Any]) -> Notice:
    found = Notice(*row)
    return found._replace(recipient=Recipient(found.recipient), kind=Kind(found.kind))
