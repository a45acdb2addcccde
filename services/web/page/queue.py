"""The reviewers' queue: what waits, in the order in which it is due, and taking the next."""

from http import HTTPStatus
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response
from psycopg import AsyncConnection

from domain.access import require_reviewer
from domain.refusal import NotFound
from services.cloudevent import new_command_id
from services.language.translation import N_
from services.web.claim import readable_row
from services.web.page.route import PageRoute
from services.web.page.time_left import day_of, times_left
from services.web.page.visit import Visit, Visitor
from services.web.page.work import take_next, work_for
from services.web.problem import OutcomeUnknown, Unavailable

SHOWN: Final = 50
"""Free claims that are listed; the others come up as these are taken."""
DONE: Final = {
    "approve_claim": N_("You approved %(claim)s."),
    "require_action": N_("You asked the partner for more on %(claim)s."),
    "reject_claim": N_("You rejected %(claim)s."),
    "uphold_dispute": N_("You upheld the dispute about %(claim)s."),
    "dismiss_dispute": N_("You dismissed the dispute about %(claim)s."),
    "assign_reviewer": N_("You handed %(claim)s to a colleague."),
}
"""What a reviewer has done, to be told on the page that follows."""

CommandId = Annotated[str, Form(pattern=r"^[A-Za-z0-9_-]{1,56}$")]
"""Shorter than a command id may be: what follows a decision has the same one and more behind it."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Done(NamedTuple):
    """What was done before this page: a message, and the claim that it is about."""

    message: str
    claim_id: UUID
    name: str


async def _reviewer(visit: Visitor) -> Visit:
    """The visit of a reviewer. Raises NotAllowed for everybody else."""
    require_reviewer(visit.actor)
    return visit


Reviewing = Annotated[Visit, Depends(_reviewer)]


class Before(NamedTuple):
    """What the address says was done before."""

    done: str
    of: str


def _before(done: Annotated[str, Query()] = "", of: Annotated[str, Query()] = "") -> Before:
    return Before(done, of)


CameFrom = Annotated[Before, Depends(_before)]


@router.get("/queue")
async def show(visit: Reviewing, before: CameFrom) -> Response:
    """What the reviewer has in hand, and what waits."""
    async with visit.backend.pool.connection() as connection:
        work = await work_for(connection, visit)
        done = await told(connection, visit, before)
        left = await times_left(connection, [*work.mine, *work.free[:SHOWN]], visit.now)
    return visit.page(
        "queue.html",
        work=work,
        done=done,
        shown=SHOWN,
        command_id=new_command_id(),
        left=left,
        day_of=day_of,
    )


@router.post("/queue/next")
async def take(visit: Reviewing, command_id: CommandId) -> Response:
    """Take the claim that is due first, and open it; nobody else gets it."""
    return await lead_on(visit, command_id)


async def lead_on(visit: Visit, command_id: str, before: Before | None = None) -> Response:
    """Take the next claim and lead to it; to the queue when none is left."""
    try:
        claim_id = await take_next(visit, command_id)
    except (Unavailable, OutcomeUnknown):
        if before is None:
            raise
        claim_id = None  # what was decided is told all the same
    return led("/queue" if claim_id is None else f"/queue/{claim_id}", before)


def led(path: str, before: Before | None = None) -> Response:
    """To a page that tells what was done before."""
    query = f"?{urlencode(before._asdict())}" if before else ""
    return RedirectResponse(f"{path}{query}", HTTPStatus.SEE_OTHER)


async def told(connection: AsyncConnection, visit: Visit, before: Before) -> Done | None:
    """What was done before, when there is such a claim."""
    if before.done not in DONE:
        return None
    try:
        row = await readable_row(connection, UUID(before.of), visit.actor)
    except (NotFound, ValueError):
        return None
    return Done(DONE[before.done], row.claim_id, row.name)
