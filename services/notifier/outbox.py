"""The outbox: notices in PostgreSQL, from the event that they tell of to the server's answer.

Notices of a batch of events are written by the transaction that moves the notifier's position past
it, and each once: by its event, who is told, and what. So no restart, replay or rebuild tells
anybody twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, LiteralString, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from pydantic_core import to_json

from domain.notice import REMINDERS, Kind, Recipient
from services.notifier import mail_key
from services.notifier.plan import Notice, Plan

CHANNEL: Final = "cpor_notices"
"""Notified when there are new notices."""
LOG_READ: Final = "cpor_log_read"
"""Notified when the position has moved, or a reminder has got its place in the log."""

_NAME: Final = b"notice"

_HEARD: Final = "SELECT position FROM cpor.notifier_position"
_LOCK: Final = "SELECT position FROM cpor.notifier_position FOR UPDATE"
_MOVE: Final = "UPDATE cpor.notifier_position SET position = %s"
# Two statements, the reminders first: one that is just becoming a notice is waited for, and seen.
# One that is being sent is not waited for, as a mail server may take its time; it is too late then.
_CLOSE: Final = "DELETE FROM cpor.reminders WHERE claim_id = ANY(%s)"
_DROP: Final = """
UPDATE cpor.notices SET state = 'dropped', ended_at = now(), words = 'the clock has closed'
WHERE notice_id IN (
    SELECT notice_id FROM cpor.notices
    WHERE claim_id = ANY(%s) AND kind = ANY(%s) AND state = 'waiting' FOR UPDATE SKIP LOCKED
)
"""
_PLAN: Final = """
INSERT INTO cpor.reminders (claim_id, kind, number, version, remind_at, due_at)
SELECT claim_id, kind, number, version, remind_at, due_at
FROM json_to_recordset(%s::json) AS planned (claim_id uuid, kind text, number smallint,
    version int, remind_at timestamptz, due_at timestamptz)
"""
_ADD: Final = """
INSERT INTO cpor.notices (claim_id, version, recipient, kind, number)
SELECT claim_id, version, recipient, kind, number
FROM json_to_recordset(%s::json) AS notice (claim_id uuid, version int, recipient text, kind text,
    number smallint)
ON CONFLICT DO NOTHING
"""
# One whose claim has events that were not heard of yet is left for later: they may have closed its
# clock, and hearing of them deletes it then. The position is locked before this looks at the store,
# so none of them is heard of meanwhile; what is appended after that look happens after the notice.
# Of the reminders that were missed while nobody was there to send them, the last one is enough;
# and none once its clock is due.
_REMIND: Final = """
WITH reached AS (
    DELETE FROM cpor.reminders WHERE remind_at <= %(now)s AND NOT EXISTS (
        SELECT FROM cpor.stored_events
        WHERE originator_id = claim_id AND notification_id > %(position)s
    ) RETURNING *
), latest AS (
    SELECT DISTINCT ON (claim_id, kind) * FROM reached
    WHERE due_at > %(now)s ORDER BY claim_id, kind, remind_at DESC
), added AS (
    INSERT INTO cpor.notices (claim_id, version, recipient, kind, number, position)
    SELECT claim_id, version, %(recipients)s::jsonb ->> kind, kind, number, %(position)s FROM latest
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) FROM added
"""
_NEXT_REMINDER: Final = "SELECT min(remind_at) FROM cpor.reminders"
# Of what is told together the first is enough: all of it goes with that.
_DUE: Final = """
(SELECT notice_id, recipient FROM cpor.notices
    WHERE state = 'waiting' AND next_at <= now() AND recipient = %(together)s AND NOT alone
    ORDER BY next_at, notice_id LIMIT 1)
UNION ALL
(SELECT notice_id, recipient FROM cpor.notices
    WHERE state = 'waiting' AND next_at <= now() AND (recipient <> %(together)s OR alone)
    ORDER BY next_at, notice_id LIMIT %(limit)s)
"""
_NEXT: Final = """
SELECT extract(epoch FROM min(next_at) - now())::float8 FROM cpor.notices WHERE state = 'waiting'
"""
_TAKE: Final = """
SELECT notice_id, claim_id, version, recipient, kind, number, attempts, alone
FROM cpor.notices WHERE notice_id = %s AND state = 'waiting' AND next_at <= now()
FOR UPDATE SKIP LOCKED
"""
_TAKE_ALL: Final = """
SELECT notice_id, claim_id, version, recipient, kind, number, attempts, alone
FROM cpor.notices WHERE state = 'waiting' AND recipient = %s AND next_at <= now() AND NOT alone
ORDER BY next_at, notice_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_SENT: Final = """
UPDATE cpor.notices SET state = 'sent', ended_at = now(), attempts = attempts + 1,
    address_digest = %(address_digest)s, words = %(words)s,
    told_with = nullif(%(first)s, notice_id)
WHERE notice_id = ANY(%(notices)s)
"""
_LATER: Final = "UPDATE cpor.notices SET next_at = %s, words = %s WHERE notice_id = ANY(%s)"
# One that another worker has in hand is not waited for: it is being sent.
_ALL_LATER: Final = """
UPDATE cpor.notices SET next_at = %(until)s, words = %(words)s WHERE notice_id IN (
    SELECT notice_id FROM cpor.notices
    WHERE state = 'waiting' AND recipient = %(recipient)s AND next_at <= now() AND NOT alone
    FOR UPDATE SKIP LOCKED
)
"""
_ALONE: Final = """
UPDATE cpor.notices SET alone = true, attempts = attempts + 1, words = %s
WHERE notice_id = ANY(%s)
"""
_REFUSED: Final = """
UPDATE cpor.notices SET attempts = attempts + 1, words = %(words)s,
    refused_since = coalesce(refused_since, now()),
    next_at = now() + %(wait)s,
    state = CASE WHEN coalesce(now() - refused_since > %(give_up)s, false)
        THEN 'parked' ELSE state END,
    ended_at = CASE WHEN now() - refused_since > %(give_up)s THEN now() END
WHERE notice_id = ANY(%(notices)s) RETURNING notice_id, state
"""
_PARKED: Final = """
UPDATE cpor.notices SET state = 'parked', ended_at = now(), attempts = attempts + 1, words = %s
WHERE notice_id = ANY(%s)
"""
_DROPPED: Final = """
UPDATE cpor.notices SET state = 'dropped', ended_at = now(), words = %s WHERE notice_id = ANY(%s)
"""
_STILL_WAITING: Final = """
SELECT notice_id FROM cpor.notices WHERE state = 'waiting' AND notice_id = ANY(%s)
"""
_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(%s)"
# What one mail has told together counts once.
_LEFT_IN_PEACE: Final = """
SELECT ended_at + %(peace)s FROM cpor.notices
WHERE state = 'sent' AND address_digest = %(address_digest)s AND told_with IS NULL
ORDER BY ended_at DESC OFFSET %(number)s LIMIT 1
"""


class Accepted(NamedTuple):
    """A mail that the server has taken."""

    first: int
    """The first of the notices that it tells: the mail is called by it."""
    address_digest: bytes
    words: str
    """The server's."""


class Waiting(NamedTuple):
    """A notice that is to be sent."""

    notice_id: int
    claim_id: UUID
    version: int
    recipient: Recipient
    kind: Kind
    number: int
    attempts: int
    alone: bool
    """Whether it is told by itself, since a mail that told it with others was refused."""

    @property
    def notice(self) -> Notice:
        """Who is told what."""
        return Notice(self.claim_id, self.version, self.recipient, self.kind, self.number)


def mail_name(key: bytes, notice_id: int, notice: Notice) -> str:
    """What a notice's mail is called, by the event, who is told and what, however often it is sent.

    The number in front finds the notice when the mail comes back; the rest is made with the key, so
    that nobody makes up a name.
    """
    claim_id, version, recipient, kind, number = notice
    told = f"{claim_id}-{version}/{recipient}/{kind}/{number}"
    return f"{notice_id}.{mail_key.digest(key, _NAME, told).hex()}"


async def heard(connection: AsyncConnection) -> int:
    """How far the log was read."""
    return await _position(connection, _HEARD)


async def lock_position(connection: AsyncConnection) -> int:
    """How far the log was read; nobody else moves it until this transaction ends."""
    return await _position(connection, _LOCK)


async def write(connection: AsyncConnection, plan: Plan, position: int) -> None:
    """Add what is planned, and move past the events that it came from."""
    if plan.closed:
        closed = list(plan.closed)
        await connection.execute(_CLOSE, [closed])
        await connection.execute(_DROP, [closed, [each.value for each in REMINDERS]])
    planned = [
        {
            "claim_id": each.claim_id,
            "kind": each.reminder.kind,
            "number": each.reminder.number,
            "version": each.version,
            "remind_at": each.reminder.remind_at,
            "due_at": each.due_at,
        }
        for ahead in plan.reminders.values()
        for each in ahead
    ]
    if planned:
        await connection.execute(_PLAN, [to_json(planned).decode()])
    if plan.notices:
        notices = to_json([each._asdict() for each in plan.notices]).decode()
        await connection.execute(_ADD, [notices])
        await connection.execute(f"NOTIFY {CHANNEL}")
    await connection.execute(_MOVE, [position])
    await connection.execute(f"NOTIFY {LOG_READ}")


async def remind(connection: AsyncConnection, now: datetime) -> int:
    """Make notices of the reminders that are due, by the system's clock; how many.

    Each gets its place in the log: after the events that are read by now, before those to come. So
    it becomes none before the log was read as far as its claim's last event.
    """
    recipients = {each.value: each.recipient.value for each in REMINDERS}
    async with connection.transaction():
        parameters = {
            "now": now,
            "recipients": to_json(recipients).decode(),
            "position": await lock_position(connection),
        }
        row = await (await connection.execute(_REMIND, parameters)).fetchone()
        added: int = row[0] if row else 0
        if added:
            await connection.execute(f"NOTIFY {CHANNEL}")
            await connection.execute(f"NOTIFY {LOG_READ}")
    return added


async def next_reminder_at(connection: AsyncConnection) -> datetime | None:
    """When the next reminder is due, by the system's clock; None when none is ahead."""
    row = await (await connection.execute(_NEXT_REMINDER)).fetchone()
    return row[0] if row else None


async def due(connection: AsyncConnection, limit: int) -> list[tuple[int, Recipient]]:
    """The ids of notices whose turn it is, and whom each is for, the longest waiting first.

    Of those that reviewers are told together, one.
    """
    given = {"together": Recipient.REVIEWERS, "limit": limit}
    rows = await (await connection.execute(_DUE, given)).fetchall()
    return [(notice_id, Recipient(recipient)) for notice_id, recipient in rows]


async def next_in(connection: AsyncConnection) -> float | None:
    """Seconds until the next notice's turn; None when none waits."""
    row = await (await connection.execute(_NEXT)).fetchone()
    return row[0] if row else None


async def take(connection: AsyncConnection, notice_id: int) -> Waiting | None:
    """A notice, which is nobody else's until this transaction ends.

    None when it waits no longer, or another worker has it.
    """
    row = await (await connection.execute(_TAKE, [notice_id])).fetchone()
    return _waiting(*row) if row else None


async def take_all(
    connection: AsyncConnection, recipient: Recipient, limit: int
) -> Sequence[Waiting]:
    """The same for whatever is due for a recipient and may be told together, at most so many."""
    cursor = await connection.execute(_TAKE_ALL, [recipient, limit])
    return [_waiting(*row) for row in await cursor.fetchall()]


async def still_waiting(connection: AsyncConnection, notices: Iterable[int]) -> set[int]:
    """Those of these notices that wait to be sent."""
    cursor = await connection.execute(_STILL_WAITING, [list(notices)])
    return {row[0] for row in await cursor.fetchall()}


async def one_at_a_time(connection: AsyncConnection, address_digest: bytes) -> bool:
    """Let nobody else send to this address until this transaction ends; whether nobody does."""
    key = int.from_bytes(address_digest[:8], "big", signed=True)
    row = await (await connection.execute(_ONE_AT_A_TIME, [key])).fetchone()
    return row == (True,)


async def left_in_peace_until(
    connection: AsyncConnection, address_digest: bytes, number: int, peace: timedelta
) -> datetime | None:
    """When its last mail but `number` to this address is so long ago; None when there was none."""
    given = {"peace": peace, "address_digest": address_digest, "number": number}
    row = await (await connection.execute(_LEFT_IN_PEACE, given)).fetchone()
    return row[0] if row else None


async def sent(connection: AsyncConnection, notices: Sequence[int], accepted: Accepted) -> None:
    """The mail server has taken the mail that tells these."""
    await connection.execute(_SENT, {**accepted._asdict(), "notices": list(notices)})


async def later(
    connection: AsyncConnection, notices: Sequence[int], until: datetime, words: str
) -> None:
    """Not to be tried before this instant, for this reason."""
    await connection.execute(_LATER, [until, words, list(notices)])


async def all_later(
    connection: AsyncConnection, recipient: Recipient, until: datetime, words: str
) -> None:
    """The same for whatever is due for a recipient: it will be told together then."""
    await connection.execute(_ALL_LATER, {"recipient": recipient, "until": until, "words": words})


async def refused(
    connection: AsyncConnection,
    notices: Sequence[int],
    words: str,
    *,
    wait: timedelta,
    give_up: timedelta,
) -> Sequence[int]:
    """Tried, and refused for the time being: to be tried again, or parked after so long.

    The parked ones. What counts is since when each was refused, not how long it has waited.
    """
    given = {"words": words, "wait": wait, "give_up": give_up, "notices": list(notices)}
    rows = await (await connection.execute(_REFUSED, given)).fetchall()
    return [notice_id for notice_id, state in rows if state == "parked"]


async def alone(connection: AsyncConnection, notices: Sequence[int], words: str) -> None:
    """Refused for good together: each is tried by itself, so that none suffers for another."""
    await connection.execute(_ALONE, [words, list(notices)])


async def parked(connection: AsyncConnection, notices: Sequence[int], words: str) -> None:
    """Refused for good, for this reason; an operator may have it sent again."""
    await connection.execute(_PARKED, [words, list(notices)])


async def dropped(connection: AsyncConnection, notices: Sequence[int], words: str) -> None:
    """Not sent after all, for this reason."""
    await connection.execute(_DROPPED, [words, list(notices)])


async def _position(connection: AsyncConnection, query: LiteralString) -> int:
    row = await (await connection.execute(query)).fetchone()
    if row is None:
        raise LookupError("the notifier's position is gone from cpor.notifier_position")
    position: int = row[0]
    return position


def _waiting(
    notice_id: int,
    claim_id: UUID,
    version: int,
    recipient: str,
    kind: str,
    number: int,
    attempts: int,
    alone: bool,  # noqa: FBT001 - a column
) -> Waiting:
    return Waiting(
        notice_id, claim_id, version, Recipient(recipient), Kind(kind), number, attempts, alone
    )
