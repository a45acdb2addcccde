"""One claim before its reviewer: the proof beside the checklist, and the decision."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response
from psycopg import AsyncConnection

from domain.access import may_read
from domain.claim import ClaimEvent
from domain.command import StartReview
from domain.lifecycle import Phase
from domain.refusal import NotFound
from projections.board import ClaimRow, past
from projections.history import Kind, comments
from services.claim_record import contacts_of, events_of
from services.language.translation import N_
from services.web.identifier import ClaimId
from services.web.page import file
from services.web.page.attempt import Attempt, form_id
from services.web.page.deed import do, tried
from services.web.page.form import command_data, kept
from services.web.page.proof import proof_of
from services.web.page.queue import (
    Before,
    CameFrom,
    CommandId,
    Reviewing,
    lead_on,
    led,
    told,
)
from services.web.page.route import PageRoute
from services.web.page.time_left import day_of, times_left
from services.web.page.visit import Visit
from services.web.page.work import rejecters, standing, taking
from services.web.view import ClaimView

Deed = Literal[
    "start_review",
    "assign_reviewer",
    "post_comment",
    "approve_claim",
    "require_action",
    "reject_claim",
    "uphold_dispute",
    "dismiss_dispute",
]
DECISIONS: Final[Mapping[Phase, Sequence[str]]] = {
    Phase.UNDER_REVIEW: ("approve_claim", "require_action", "reject_claim"),
    Phase.DISPUTED: ("uphold_dispute", "require_action", "dismiss_dispute"),
}
"""What a reviewer may decide; each ends the reviewers' turn."""
CHANGES: Final = {
    "edited": N_("The partner edited the claim"),
    "poe_attached": N_("The partner added a document"),
    "submitted": N_("The partner submitted the claim"),
    "resubmitted": N_("The partner resubmitted the claim"),
    "review_started": N_("A review was started"),
    "action_required": N_("A reviewer asked the partner for more"),
    "approved": N_("The claim was approved"),
    "rejected": N_("The claim was rejected"),
    "consent_declined": N_("The customer declined"),
    "disputed": N_("The partner disputed the rejection"),
    "dispute_upheld": N_("The dispute was upheld"),
    "dispute_dismissed": N_("The dispute was dismissed"),
    "partner_response_expired": N_("The partner's time to respond passed"),
    "dispute_window_closed": N_("The dispute window closed"),
}
"""What makes a decision stale when it comes after what its reviewer saw (R14)."""
KINDS: Final[Mapping[Kind, str]] = {
    Kind.COMMENT: N_("Comment"),
    Kind.ACTION_REQUIRED: N_("Asked for more"),
    Kind.RESUBMISSION: N_("Resubmitted"),
    Kind.DECISION: N_("Decision"),
    Kind.DISPUTE: N_("Dispute"),
    Kind.EXPLANATION: N_("Explanation"),
}
"""What words in the thread are about."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/queue/{claim_id}")
async def show(visit: Reviewing, claim_id: ClaimId, before: CameFrom) -> Response:
    """The claim as it stands, its proof, and what can be decided."""
    return await _page(visit, claim_id, before=before)


@router.post("/queue/{claim_id}/{command}")
async def act(
    visit: Reviewing,
    claim_id: ClaimId,
    command: Deed,
    command_id: CommandId,
    version: Annotated[int, Form(ge=1)],
    then: Annotated[str, Form()] = "",
) -> Response:
    """Do it; after a decision lead to the next claim, or to the queue.

    A decision is about the version that was shown (R14): when something came since, the page shows
    what, with everything that was filled in.
    """
    form = await visit.request.form()
    data = command_data(command, form)
    is_decision = any(command in each for each in DECISIONS.values())
    problem = await tried(
        do(
            visit,
            claim_id,
            command,
            data,
            command_id=command_id,
            expected_version=version if is_decision else None,
        )
    )
    if problem is not None:
        return await _page(visit, claim_id, Attempt(command, problem, kept(form)))
    before = Before(command, str(claim_id))
    if is_decision:
        return await lead_on(visit, f"{command_id}-next", before) if then else led("/queue", before)
    if command == "assign_reviewer" and data.get("reviewer") != visit.actor.id:
        return led("/queue", before)
    return led(f"/queue/{claim_id}{'#thread' if command == 'post_comment' else ''}")


async def _page(
    visit: Visit,
    claim_id: UUID,
    attempt: Attempt | None = None,
    before: Before | None = None,
) -> Response:
    async with visit.backend.pool.connection() as connection:
        events = await events_of(connection, claim_id)
        row = _readable(events, visit)
        contacts = await contacts_of(connection, [row])
        rejected_by = (await rejecters(connection, [claim_id])).get(claim_id)
        colleagues = await _colleagues(connection, {visit.actor.id, rejected_by})
        done = await told(connection, visit, before) if before else None
        left = await times_left(connection, [row], visit.now)
    return visit.page(
        "review.html",
        status=attempt.problem["status"] if attempt else 200,
        row=row,
        proof=await proof_of(visit, row),
        file=file,
        claim=ClaimView.of(row, contacts, reader=visit.actor, now=visit.now),
        thread=comments(events, reader=visit.actor),
        standing=standing(row, rejected_by, visit.actor.id),
        taking=taking(row, visit.actor.id, form_id(attempt, StartReview.NAME)),
        decisions=DECISIONS.get(row.phase, ()),
        kinds=KINDS,
        changes=CHANGES,
        colleagues=colleagues,
        attempt=attempt,
        changed=list(dict.fromkeys(attempt.problem.get("changed", ()))) if attempt else [],
        done=done,
        command_id=partial(form_id, attempt),
        left=left,
        day_of=day_of,
    )


def _readable(events: Sequence[ClaimEvent], visit: Visit) -> ClaimRow:
    """The claim as its events have it, which is never behind. Raises NotFound."""
    row = past(events)
    if row is None or not may_read(visit.actor, org=row.org, status=row.status):
        raise NotFound("there is no such claim")
    return row


async def _colleagues(connection: AsyncConnection, without: set[str | None]) -> Mapping[str, str]:
    """Reviewers who are signed in, by their ids: who a claim could be handed to."""
    rows = await connection.execute(
        "SELECT DISTINCT actor_id, name FROM cpor.sessions"
        " WHERE role = 'reviewer' AND expires_at > now() ORDER BY name"
    )
    return {actor_id: name for actor_id, name in await rows.fetchall() if actor_id not in without}
