"""The open clocks: what the timer waits for (R15, R18)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from pydantic_core import to_json

from domain.claim import Claim, ClaimEvent
from domain.event import OpenedClock
from domain.vocabulary import ClockName
from projections.projection import Record, table

TABLE: Final = "open_clocks"

_TYPES: Final = {
    "claim_id": "uuid",
    "clock": "text",
    "opened_at": "timestamptz",
    "due_at": "timestamptz",
    "passed": "bool",
}


class OpenClock(NamedTuple):
    """A clock that is open and has not passed."""

    claim_id: UUID
    clock: ClockName
    opened_at: datetime
    due_at: datetime


class Change(Enum):
    """What an event does to its claim's clock, when it opens none."""

    NONE = auto()
    CLOSED = auto()
    PASSED = auto()
    """It stays open, and its target was missed."""


def change(fact: ClaimEvent) -> OpenedClock | Change:
    """What becomes of the claim's clock; the one that is opened, if any."""
    match fact:
        case (
            Claim.Submitted()
            | Claim.Resubmitted()
            | Claim.ReviewStarted()
            | Claim.ActionRequired()
            | Claim.Approved()
            | Claim.Rejected()
            | Claim.Disputed()
        ):
            return fact.clocks[0] if fact.clocks else Change.CLOSED
        case (
            Claim.DisputeDismissed()
            | Claim.PartnerResponseExpired()
            | Claim.ConsentElapsed()
            | Claim.DisputeWindowClosed()
        ):
            return Change.CLOSED
        case Claim.ReviewStartOverdue() | Claim.ReviewOverdue() | Claim.DisputeResultOverdue():
            return Change.PASSED
        case (
            Claim.Created()
            | Claim.Edited()
            | Claim.PoeAttached()
            | Claim.ReviewerAssigned()
            | Claim.ConsentDeclined()
            | Claim.RejectionRequested()
            | Claim.DisputeUpheld()
            | Claim.Commented()
            | Claim.AssessmentRecorded()
            | Claim.SentForAssessment()
        ):
            return Change.NONE
        case _:
            assert_never(fact)


class OpenClocks:
    """The open clocks in their table, or in the one that a rebuild fills beside it."""

    name = "open_clocks"
    tables: Sequence[str] = (TABLE,)

    def __init__(self, *, beside: bool = False) -> None:
        name = Identifier("cpor", table(TABLE, beside=beside))
        self._save = SQL(_SAVE).format(table=name).as_bytes()
        self.copied: Mapping[str, Mapping[str, str]] = {TABLE: _TYPES}

    def records(self, history: Iterable[ClaimEvent]) -> Iterator[tuple[str, Record]]:
        """The claim's clock, if one is open."""
        opened: OpenedClock | None = None
        passed = False
        claim_id: UUID | None = None
        for fact in history:
            claim_id = fact.originator_id
            match change(fact):
                case OpenedClock() as clock:
                    opened, passed = clock, False
                case Change.CLOSED:
                    opened = None
                case Change.PASSED:
                    passed = True
                case Change.NONE:
                    pass
        if opened is not None:
            yield TABLE, (claim_id, opened.clock, opened.opened_at, opened.due_at, passed)

    async def complete(self, connection: AsyncConnection) -> None:
        """Nothing follows from the open clocks."""

    async def take_in(self, connection: AsyncConnection, facts: Sequence[ClaimEvent]) -> None:
        """Open, close and mark the clocks of these events' claims."""
        opened: dict[UUID, tuple[OpenedClock, bool]] = {}
        closed: set[UUID] = set()
        passed: set[UUID] = set()
        for fact in facts:
            claim_id = fact.originator_id
            match change(fact):
                case OpenedClock() as clock:
                    opened[claim_id] = (clock, False)
                    passed.discard(claim_id)
                    closed.discard(claim_id)
                case Change.CLOSED:
                    opened.pop(claim_id, None)
                    passed.discard(claim_id)
                    closed.add(claim_id)
                case Change.PASSED if claim_id in opened:
                    opened[claim_id] = (opened[claim_id][0], True)
                case Change.PASSED:
                    passed.add(claim_id)
                case Change.NONE:
                    pass
        if opened or closed or passed:
            entries = [
                (str(claim_id), clock.clock, clock.opened_at, clock.due_at, has_passed)
                for claim_id, (clock, has_passed) in opened.items()
            ]
            await connection.execute(
                self._save, [list(closed), list(passed), to_json(entries).decode()]
            )

    def forget(self) -> None:
        """Nothing is kept in memory."""


async def due_clocks(
    connection: AsyncConnection, now: datetime, *, after: OpenClock | None = None, limit: int
) -> list[OpenClock]:
    """Clocks that are due and have not passed, the longest overdue first; `after` pages on."""
    if after is None:
        rows = await connection.execute(_DUE, [now, limit])
    else:
        rows = await connection.execute(_DUE_AFTER, [now, after.due_at, after.claim_id, limit])
    return [
        OpenClock(claim_id, ClockName(clock), opened_at, due_at)
        for claim_id, clock, opened_at, due_at in await rows.fetchall()
    ]


async def next_due_at(
    connection: AsyncConnection, *, after: datetime | None = None
) -> datetime | None:
    """When the next clock is due that has not passed; if given, after that instant."""
    rows = await connection.execute(_NEXT, [after])
    row = await rows.fetchone()
    return row[0] if row else None


_SAVE: Final = """
WITH closed AS (
    DELETE FROM {table} WHERE claim_id = ANY(%s)
), passed AS (
    UPDATE {table} SET passed = true WHERE claim_id = ANY(%s)
)
INSERT INTO {table} (claim_id, clock, opened_at, due_at, passed)
SELECT (entry->>0)::uuid, entry->>1, (entry->>2)::timestamptz, (entry->>3)::timestamptz,
    (entry->>4)::boolean
FROM json_array_elements(%s::json) AS entry
ON CONFLICT (claim_id) DO UPDATE SET clock = excluded.clock, opened_at = excluded.opened_at,
    due_at = excluded.due_at, passed = excluded.passed
"""
_DUE: Final = """
SELECT claim_id, clock, opened_at, due_at FROM cpor.open_clocks
WHERE NOT passed AND due_at <= %s ORDER BY due_at, claim_id LIMIT %s
"""
_DUE_AFTER: Final = """
SELECT claim_id, clock, opened_at, due_at FROM cpor.open_clocks
WHERE NOT passed AND due_at <= %s AND (due_at, claim_id) > (%s, %s)
ORDER BY due_at, claim_id LIMIT %s
"""
_NEXT: Final = """
SELECT min(due_at) FROM cpor.open_clocks
WHERE NOT passed AND due_at > coalesce(%s::timestamptz, '-infinity')
"""
