"""The page of one claim: how it stands, until when, and what may be done to it."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple, get_args
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from psycopg import AsyncConnection
from starlette.datastructures import FormData

from domain.access import may_know_of_mails, may_read_documents
from domain.actor import Actor
from domain.claim import ClaimEvent
from domain.command import ReviewersReason
from domain.refusal import FieldError, Invalid, NotFound
from domain.vocabulary import ActionReason, Consent
from projections.board import ClaimRow, last_approval, past
from projections.board_table import ClaimBoard
from projections.history import HistoryItem, Kind, comments, history
from projections.position import reached
from services.claim_record import contacts_of, events_of
from services.clock import real_now
from services.cloudevent import COMMAND_ID_PATTERN
from services.language.translation import N_
from services.notifier.oversight import Notice, consent_notice
from services.web.claim import readable_row
from services.web.identifier import ClaimId
from services.web.page import file
from services.web.page.action import BY_COMMAND, DONE
from services.web.page.attempt import Attempt, form_id
from services.web.page.deadline import open_deadline
from services.web.page.deed import COMMAND_ID, do, tried
from services.web.page.fact import actor_name, facts_of
from services.web.page.form import command_data, kept
from services.web.page.moment import day
from services.web.page.name import name_of
from services.web.page.offer import offers, primary
from services.web.page.route import PageRoute
from services.web.page.tongue import tongue_of
from services.web.page.trial import folded, refusals
from services.web.page.visit import Visit, Visitor
from services.web.view import ClaimView

VERSION: Final = "version"
"""The form's hidden field: the claim's version that the page showed (R14)."""
VERSION_PATTERN: Final = re.compile(r"[1-9][0-9]{0,8}")

_KINDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.COMMENT: "",
        Kind.ACTION_REQUIRED: N_("asked for action"),
        Kind.RESUBMISSION: N_("resubmitted"),
        Kind.DECISION: N_("decided"),
        Kind.DISPUTE: N_("disputed"),
        Kind.EXPLANATION: N_("explained"),
    }
)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Read(NamedTuple):
    """A claim as its reader sees it now, and how it came to it."""

    row: ClaimRow
    view: ClaimView
    events: tuple[ClaimEvent, ...]
    position: int
    """How far the board had come: what comes later is told to the open page."""
    undelivered: Notice | None = None
    """The customer's notice of the approval, when it was refused or came back."""


@router.get("/claims/{claim_id}")
async def show(visit: Visitor, claim_id: ClaimId, done: Annotated[str, Query()] = "") -> Response:
    """How the claim stands, and what whoever looks at it may do."""
    return _page(visit, await read(visit, claim_id), said=DONE.get(done, ""))


@router.post("/claims/{claim_id}/do/{command}")
async def act(visit: Visitor, request: Request, claim_id: ClaimId, command: str) -> Response:
    """Do it and lead back to the claim; else the page again, with what was filled in.

    Raises NotFound for a claim that may not be known of, and for what is no action of this page.
    """
    await read(visit, claim_id)
    action = BY_COMMAND.get(command)
    if action is None or action.leads_to:
        raise NotFound("there is no such action")
    async with request.form(max_files=0) as form:
        command_id = hidden(form, COMMAND_ID, COMMAND_ID_PATTERN)
        version = int(hidden(form, VERSION, VERSION_PATTERN)) if action.has_version else None
        data, filled_in = command_data(command, form), kept(form)
    problem = await tried(
        do(visit, claim_id, command, data, command_id=command_id, expected_version=version)
    )
    if problem is None:
        return RedirectResponse(f"/claims/{claim_id}?done={command}", HTTPStatus.SEE_OTHER)
    attempt = Attempt(command, problem, filled_in)
    return _page(visit, await read(visit, claim_id), attempt=attempt)


async def read(visit: Visit, claim_id: UUID) -> Read:
    """The claim, as fresh as the store has it. Raises NotFound as `readable_row` does."""
    async with visit.backend.pool.connection() as connection:
        position = await reached(connection, ClaimBoard.name)
        row = await readable_row(connection, claim_id, visit.actor)
        events = tuple(await events_of(connection, claim_id))
        row = past(events) or row
        contacts = await contacts_of(connection, [row])
        undelivered = await _undelivered(connection, visit.actor, events)
    view = ClaimView.of(row, contacts, reader=visit.actor, now=visit.now)
    return Read(row, view, events, position, undelivered)


async def _undelivered(
    connection: AsyncConnection, reader: Actor, events: Sequence[ClaimEvent]
) -> Notice | None:
    """The customer's notice of the approval, if it was not delivered: the customer may not know.

    For those who can do something about it: its period runs on (R15d), and silence is consent (R9).
    """
    row, approved = past(events), last_approval(events)
    if approved is None or row is None or row.consent not in {Consent.PENDING, Consent.ELAPSED}:
        return None
    if not may_know_of_mails(reader):
        return None
    notice = await consent_notice(connection, row.claim_id, approved.originator_version)
    return notice if notice is not None and notice.is_late(real_now()) else None


def _page(visit: Visit, read: Read, *, said: str = "", attempt: Attempt | None = None) -> Response:
    row, view, events, position, undelivered = read
    reader = visit.actor
    offered = offers(refusals(visit.backend, events, reader, visit.now))
    return visit.page(
        "claim.html",
        status=attempt.problem["status"] if attempt else HTTPStatus.OK,
        row=row,
        claim=view,
        position=position,
        undelivered=undelivered,
        facts=[fact for fact in facts_of(visit, view) if fact.text],
        deadline=open_deadline(folded(events), visit.now),
        offers=offered,
        primary=primary(offered),
        thread=comments(events, reader=reader),
        may_read_documents=may_read_documents(reader, org=row.org, status=row.status),
        said=said,
        attempt=attempt,
        since=_since(visit, events, attempt) if attempt else [],
        command_id=partial(form_id, attempt),
        action_reasons=tuple(ActionReason),
        rejection_reasons=get_args(ReviewersReason),
        day=partial(day, taste=visit.taste),
        file=file,
        name_of=partial(name_of, visit),
        called=partial(actor_name, visit),
        kinds=_KINDS,
    )


def _since(visit: Visit, events: Sequence[ClaimEvent], attempt: Attempt) -> list[HistoryItem]:
    """What came since the version that a stale decision was made on, as far as it counts (R14)."""
    if attempt.code != "stale_version":
        return []
    seen, changed = int(attempt.kept[VERSION][0]), attempt.problem["changed"]
    told = history(events, reader=visit.actor, tongue=tongue_of(visit))
    return [each for each in told if each.version > seen and each.event in changed]


def hidden(form: FormData, name: str, pattern: re.Pattern[str]) -> str:
    """What a form was given with the page. Raises Invalid for what no page of ours gives."""
    value = form.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Invalid([FieldError(f"/{name}", "is missing, or not as the page had it")])
    return value
