"""The outbox: notices in PostgreSQL, from the event that they tell of to the server's answer.

Notices of a batch of events are written by the transaction that moves the notifier's position past
it, and each once: by its event, who is told, and what. So no restart, replay or rebuild tells
anybody twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
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
# Of the reminders that were missed while nobody was there to send them, the last one is enough;
# and none once its clock is due.
_REMIND: Final = """
WITH reached AS (
    DELETE FROM cpor.reminders WHERE remind_at <= %(now)s RETURNING *
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
_DUE: Final = """
SELECT notice_id FROM cpor.notices WHERE state = 'waiting' AND next_at <= now()
ORDER BY next_at, notice_id LIMIT %s
"""
_NEXT: Final = """
SELECT extract(epoch FROM min(next_at) - now())::float8 FROM cpor.notices WHERE state = 'waiting'
"""
_TAKE: Final = """
SELECT notice_id, claim_id, version, recipient, kind, number, attempts, created_at
FROM cpor.notices WHERE notice_id = %s AND state = 'waiting' FOR UPDATE SKIP LOCKED
"""
_TAKE_ALL: Final = """
SELECT notice_id, claim_id, version, recipient, kind, number, attempts, created_at
FROM cpor.notices WHERE state = 'waiting' AND recipient = %s
ORDER BY notice_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_SENT: Final = """
UPDATE cpor.notices SET state = 'sent', ended_at = now(), attempts = attempts + 1,
    address_digest = %s, words = %s WHERE notice_id = ANY(%s)
"""
_LATER: Final = """
UPDATE cpor.notices SET attempts = attempts + %s, next_at = now() + %s, words = %s
WHERE notice_id = ANY(%s)
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
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(%s)"
_RECENTLY: Final = """
SELECT now() - ended_at FROM cpor.notices WHERE state = 'sent' AND address_digest = %s
ORDER BY ended_at DESC OFFSET %s LIMIT 1
"""


class Waiting(NamedTuple):
    """A notice that is to be sent."""

    notice_id: int
    claim_id: UUID
    version: int
    recipient: Recipient
    kind: Kind
    number: int
    attempts: int
    created_at: datetime

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


async def lock_position(connection: AsyncConnection) -> int:
    """How far the log was read; nobody else moves it until this transaction ends."""
    row = await (await connection.execute(_LOCK)).fetchone()
    if row is None:
        raise LookupError("the notifier's position is gone from cpor.notifier_position")
    position: int = row[0]
    return position


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

    Each gets its place in the log: after the events that are read by now, before those to come.
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


async def due(connection: AsyncConnection, limit: int) -> list[int]:
    """The ids of notices whose turn it is, the longest waiting first."""
    return [row[0] for row in await (await connection.execute(_DUE, [limit])).fetchall()]


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
    """The same for whatever waits for a recipient, at most so many."""
    cursor = await connection.execute(_TAKE_ALL, [recipient, limit])
    return [_waiting(*row) for row in await cursor.fetchall()]


async def still_waiting(connection: AsyncConnection, notices: Iterable[int]) -> set[int]:
    """Those of these notices that wait to be sent."""
    cursor = await connection.execute(_STILL_WAITING, [list(notices)])
    return {row[0] for row in await cursor.fetchall()}


async def one_at_a_time(connection: AsyncConnection, address_digest: bytes) -> None:
    """Let nobody else send to this address until this transaction ends; wait for whoever does."""
    key = int.from_bytes(address_digest[:8], "big", signed=True)
    await connection.execute(_ONE_AT_A_TIME, [key])


async def since_mail(
    connection: AsyncConnection, address_digest: bytes, number: int
) -> timedelta | None:
    """How long ago this address was sent its last mail but `number`; None when there was none."""
    row = await (await connection.execute(_RECENTLY, [address_digest, number])).fetchone()
    return row[0] if row else None


async def sent(
    connection: AsyncConnection, notices: Sequence[int], address_digest: bytes, words: str
) -> None:
    """The mail server has taken the mail, with these words."""
    await connection.execute(_SENT, [address_digest, words, list(notices)])


async def later(
    connection: AsyncConnection,
    notices: Sequence[int],
    wait: timedelta,
    words: str,
    *,
    tried: bool = True,
) -> None:
    """To be sent after a while: it was tried, and refused for the time being, or it must wait."""
    await connection.execute(_LATER, [int(tried), wait, words, list(notices)])


async def parked(connection: AsyncConnection, notices: Sequence[int], words: str) -> None:
    """Refused for good, for this reason; an operator may have it sent again."""
    await connection.execute(_PARKED, [words, list(notices)])


async def dropped(connection: AsyncConnection, notices: Sequence[int], words: str) -> None:
    """Not sent after all, for this reason."""
    await connection.execute(_DROPPED, [words, list(notices)])


def _waiting(
    notice_id: int,
    claim_id: UUID,
    version: int,
    recipient: str,
    kind: str,
    number: int,
    attempts: int,
    created_at: datetime,
) -> Waiting:
    return Waiting(
        notice_id, claim_id, version, Recipient(recipient), Kind(kind), number, attempts, created_at
    )
