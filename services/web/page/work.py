"""What waits for a reviewer, and taking the next of it: no two reviewers get the same claim."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.access import TAKERS_ID
from domain.command import AssignReviewer, StartReview
from domain.lifecycle import Phase
from domain.vocabulary import Role, Sla, Turn
from projections.board import ClaimRow, past
from projections.query import MAX_LIMIT, ClaimQuery, Sort, list_claims
from services.claim_record import events_of
from services.web.page.deed import do
from services.web.page.visit import Visit

_REJECTERS: Final = (
    "SELECT DISTINCT ON (originator_id) originator_id,"
    " convert_from(state, 'utf8')::json->'cause'->'actor'"
    " FROM cpor.stored_events WHERE originator_id = ANY(%s) AND topic = 'claim.rejected'"
    " ORDER BY originator_id, originator_version DESC"
)
_STARTED: Final = (
    "SELECT originator_id FROM cpor.stored_events"
    " WHERE originator_id = ANY(%s) AND topic = 'claim.review_started'"
    " AND convert_from(state, 'utf8')::json->'cause'->>'command_id' = %s"
)


class Standing(StrEnum):
    """Whose work a claim is, as a reviewer sees it."""

    MINE = "mine"
    FREE = "free"
    """Whoever takes it first has it."""
    COLLEAGUES = "colleagues"
    BARRED = "barred"
    """A dispute about this reviewer's own rejection: another one decides it (R12)."""
    NOBODYS = "nobodys"
    """It is not the reviewers' turn."""


class Taking(NamedTuple):
    """How a claim that is free is taken."""

    command: str
    data: Mapping[str, Any]
    command_id: str


@dataclass(frozen=True, slots=True)
class Work:
    """What waits for the reviewers, in the order in which it is due."""

    mine: Sequence[ClaimRow]
    free: Sequence[ClaimRow]
    with_colleagues: int
    is_all: bool
    """Whether nothing was left out: only the most urgent claims are looked at."""

    def overdue(self, now: datetime) -> int:
        """How many of those that this reviewer could work on missed their target."""
        return sum(row.sla(now) is Sla.MISSED for row in (*self.mine, *self.free))


async def work_for(connection: AsyncConnection, visit: Visit) -> Work:
    """What the visiting reviewer has in hand, and could take."""
    wanted = ClaimQuery(whose_turn=(Turn.REVIEWER,), sort=Sort.DUE_AT, limit=MAX_LIMIT)
    page = await list_claims(connection, wanted, reader=visit.actor, now=visit.now)
    disputed = [row.claim_id for row in page.rows if row.phase is Phase.DISPUTED]
    rejected_by = await rejecters(connection, disputed)
    rows: dict[Standing, list[ClaimRow]] = {each: [] for each in Standing}
    for row in page.rows:
        rows[standing(row, rejected_by.get(row.claim_id), visit.actor.id)].append(row)
    return Work(
        mine=rows[Standing.MINE],
        free=rows[Standing.FREE],
        with_colleagues=len(rows[Standing.COLLEAGUES]) + len(rows[Standing.BARRED]),
        is_all=page.next is None,
    )


async def rejecters(connection: AsyncConnection, claim_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The reviewers who rejected these claims last; a rejection by the timer has none (R12)."""
    rows = await connection.execute(_REJECTERS, [list(claim_ids)])
    return {
        claim_id: actor["id"]
        for claim_id, actor in await rows.fetchall()
        if actor["role"] == Role.REVIEWER
    }


def standing(row: ClaimRow, rejected_by: str | None, reviewer: str) -> Standing:
    """Whose work the claim is for this reviewer."""
    match row.phase:
        case Phase.SUBMITTED:
            return Standing.FREE
        case Phase.UNDER_REVIEW:
            return Standing.MINE if row.reviewer == reviewer else Standing.COLLEAGUES
        case Phase.DISPUTED if reviewer == rejected_by:
            return Standing.BARRED
        case Phase.DISPUTED if row.reviewer in {None, rejected_by}:
            return Standing.FREE
        case Phase.DISPUTED:
            return Standing.MINE if row.reviewer == reviewer else Standing.COLLEAGUES
        case _:
            return Standing.NOBODYS


def taking(row: ClaimRow, reviewer: str, command_id: str) -> Taking:
    """How this reviewer takes a free claim: of several who try, one is accepted.

    A review starts once (R3). A dispute is assigned, which could be done again and again: but all
    who take it use one command id, and an id stands for the command that came first.
    """
    if row.phase is Phase.SUBMITTED or row.clock_opened_at is None:
        return Taking(StartReview.NAME, {}, command_id)
    job = int(row.clock_opened_at.timestamp() * 1_000_000)
    return Taking(AssignReviewer.NAME, {"reviewer": reviewer}, f"{TAKERS_ID}{job}")


async def take_next(visit: Visit, command_id: str) -> UUID | None:
    """Take what is due first of all that is free; None when nothing is left.

    A form that is sent again, with the same command id, leads to the review that it started.
    """
    async with visit.backend.pool.connection() as connection:
        work = await work_for(connection, visit)
        taken = await connection.execute(
            _STARTED, [[row.claim_id for row in work.mine], command_id]
        )
        known = await taken.fetchone()
    if known is not None:
        claim_id: UUID = known[0]
        return claim_id
    for row in work.free:
        way = taking(row, visit.actor.id, command_id)
        refused = await do(visit, row.claim_id, way.command, way.data, command_id=way.command_id)
        if refused is None and await _has(visit, row.claim_id):
            return row.claim_id
    return None


async def _has(visit: Visit, claim_id: UUID) -> bool:
    """Whether the visitor has the claim now.

    Who takes a dispute by the id that others use, too, may have got the answer to theirs.
    """
    async with visit.backend.pool.connection() as connection:
        row = past(await events_of(connection, claim_id))
    return row is not None and row.reviewer == visit.actor.id
