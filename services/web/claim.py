"""Reading claims: the board, one claim as it stands or stood, and how it came to it."""

from asyncio import sleep
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import AsyncConnection

from domain.access import may_read
from domain.actor import Actor
from domain.claim import ClaimEvent
from domain.command import Instant
from domain.refusal import FieldError, Invalid, NotFound
from projections import position
from projections.board import ClaimRow, past
from projections.board_table import ClaimBoard
from projections.history import comments, history
from projections.query import ClaimQuery, list_claims, summarize
from services.backoff import Backoff
from services.claim_record import contacts_of, events_of
from services.web.backend import Backend, Served
from services.web.caller import Caller
from services.web.identifier import ClaimId
from services.web.schema import header, problems
from services.web.view import ClaimList, ClaimView, History, SummaryView, Thread

LONGEST_WAIT: Final = 5.0
"""Seconds that a reader waits for the board, at most."""
POSITION_HEADER: Final = "Cpor-Position"
"""How far the board had come, for who waited for it."""

_BOARD = ClaimBoard()

router = APIRouter(prefix="/api", tags=["claims"])


async def readable_row(connection: AsyncConnection, claim_id: UUID, reader: Actor) -> ClaimRow:
    """A claim on the board. Raises NotFound for one that is not there, or not for this reader."""
    row = (await _BOARD.load(connection, [claim_id])).get(claim_id)
    if row is None or not may_read(reader, org=row.org, status=row.status):
        raise NotFound("there is no such claim")
    return row


@router.get(
    "/claims",
    summary="The claim board",
    operation_id="list_claims",
    responses=problems(401, 422, 503),
)
async def read_list(
    caller: Caller, backend: Served, query: Annotated[ClaimQuery, Query()]
) -> ClaimList:
    """The claims that the caller may see and asks for, a page at a time.

    * `status`, `whose_turn` and `clock`, the one that is open, may be given several times: any of
      them.
    * `product`, `tenant_id`, `subscription_id`, `org`: exactly this one.
    * `sla`: how the open clock stands; `due_before`: due before this instant.
    * `q`: words, or beginnings of words, in name, customer, domain or MPN id, all of them. Case
      and accents don't matter, Turkish letters included. Signs alone are found nowhere.
    * `sort`: with `-` before it descending. Without an open clock comes after all that are due.
    * `after`: the `next` of the page before, in the same order.
    """
    now = await backend.now()
    async with backend.pool.connection() as connection:
        page = await list_claims(connection, query, reader=caller, now=now)
        contacts = await contacts_of(connection, page.rows)
    items = [ClaimView.of(row, contacts, reader=caller, now=now) for row in page.rows]
    return ClaimList(items=items, next=page.next)


@router.get(
    "/summary",
    summary="How many claims there are",
    operation_id="read_summary",
    responses=problems(401, 503),
)
async def read_summary(caller: Caller, backend: Served) -> SummaryView:
    """Counts of the claims that the caller may see, by `status`, `whose_turn` and `sla`."""
    now = await backend.now()
    async with backend.pool.connection() as connection:
        return SummaryView.model_validate(await summarize(connection, reader=caller, now=now))


@router.get(
    "/claims/{claim_id}/history",
    summary="What happened to a claim",
    operation_id="read_history",
    responses=problems(401, 404, 422, 503),
)
async def read_history(caller: Caller, backend: Served, claim_id: ClaimId) -> History:
    """Every change, comment and action that the caller may see, from the first on (R24)."""
    return History.of(history(await readable_events(backend, claim_id, caller), reader=caller))


@router.get(
    "/claims/{claim_id}/comments",
    summary="What was said about a claim",
    operation_id="read_comments",
    responses=problems(401, 404, 422, 503),
)
async def read_comments(caller: Caller, backend: Served, claim_id: ClaimId) -> Thread:
    """The thread: comments, requests for action, resubmissions, decision notes (R23)."""
    return Thread.of(comments(await readable_events(backend, claim_id, caller), reader=caller))


@router.get(
    "/claims/{claim_id}",
    summary="One claim",
    operation_id="read_claim",
    responses={
        200: {
            "headers": {
                "ETag": header('`"<version>"`: the version that is shown.'),
                POSITION_HEADER: header("With `wait_for`: how far the board had come."),
            }
        },
        **problems(401, 404, 422, 503),
    },
)
async def read(
    caller: Caller,
    backend: Served,
    claim_id: ClaimId,
    response: Response,
    wait_for: Annotated[
        int | None,
        Query(ge=0, description="Wait, 5 s at most, until the board has seen this position."),
    ] = None,
    version: Annotated[int | None, Query(ge=1, description="As it was at this version.")] = None,
    as_of: Annotated[Instant | None, Query(description="As it was at this instant.")] = None,
) -> ClaimView:
    """As it stands, or as it stood at a version or an instant.

    When the board had not come to `wait_for` in time, the answer is what was there: the header
    `Cpor-Position` tells how far it had come.
    """
    if version is not None and as_of is not None:
        raise Invalid([FieldError("/as_of", "can't be together with version")])
    if wait_for is not None:
        response.headers[POSITION_HEADER] = str(await wait_until_seen(backend, wait_for))
    now = await backend.now()
    async with backend.pool.connection() as connection:
        row = await readable_row(connection, claim_id, caller)
        if version is not None or as_of is not None:
            row, now = await _as_it_was(connection, claim_id, version, as_of)
        contacts = await contacts_of(connection, [row])
    response.headers["ETag"] = f'"{row.version}"'
    return ClaimView.of(row, contacts, reader=caller, now=now)


async def readable_events(backend: Backend, claim_id: UUID, reader: Actor) -> Sequence[ClaimEvent]:
    """A claim's own events. Raises NotFound for one that is not there, or not for this reader."""
    async with backend.pool.connection() as connection:
        await readable_row(connection, claim_id, reader)
        return await events_of(connection, claim_id)


async def wait_until_seen(backend: Backend, wanted: int) -> int:
    """Wait until the board has come to this position, or too long: how far it has come."""
    give_up_at = monotonic() + LONGEST_WAIT
    backoff = Backoff(0.005, 0.1)
    while True:
        seen = await _seen(backend)
        if seen >= wanted or monotonic() >= give_up_at:
            return seen
        await sleep(backoff.next())


async def _seen(backend: Backend) -> int:
    async with backend.pool.connection() as connection:
        return await position.reached(connection, _BOARD.name)


async def _as_it_was(
    connection: AsyncConnection, claim_id: UUID, version: int | None, as_of: datetime | None
) -> tuple[ClaimRow, datetime]:
    """The claim then, and when that was. Raises NotFound for a time at which it was not there."""
    row = past(await events_of(connection, claim_id), version=version, as_of=as_of)
    if row is None:
        raise NotFound("there was no such claim then")
    if version is not None and row.version < version:
        raise NotFound(f"the claim has come to version {row.version} only")
    return row, as_of or row.updated_at
