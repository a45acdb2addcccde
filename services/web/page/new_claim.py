"""A new claim, step by step (R1): what is filled in is kept, and becomes a claim in the end."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from domain.access import require_sender
from domain.catalogue import TOGETHER
from domain.command import CreateClaim
from domain.refusal import FieldError, NotFound
from domain.vocabulary import Status
from projections.query import ClaimQuery, list_claims
from services.web.claim import readable_row
from services.web.identifier import ClaimId
from services.web.page import claim_form, draft
from services.web.page.claim_form import FIELDS, STEPS, Step, Wrong
from services.web.page.deed import do, tried
from services.web.page.draft import Draft, Filled
from services.web.page.form import Sent, kept
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor
from services.web.page.wording import refusal_in_words

_REJECTED_SHOWN: Final = 100
"""Rejected claims to choose from, those that changed last."""
_MADE_BEFORE: Final = frozenset({"already_exists", "command_id_reused"})
"""How a claim that is there already is refused."""


async def _partner(visit: Visitor) -> Visit:
    """The visit of somebody who may create claims. Raises NotAllowed (R25)."""
    require_sender(CreateClaim.NAME, visit.actor)
    return visit


PartnerVisit = Annotated[Visit, Depends(_partner)]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/claims/new")
async def start(visit: PartnerVisit) -> Response:
    """Say what is needed, and offer to go on with what was begun."""
    return await _start(visit)


@router.post("/claims/new")
async def begin(visit: PartnerVisit) -> Response:
    """Begin a draft, and lead to its first step."""
    form = {"partner_contact.name": [visit.person.name]}
    async with visit.backend.pool.connection() as connection:
        draft_id = await draft.begin(connection, visit.actor, form, visit.now)
    if draft_id is None:
        return await _start(visit, status=HTTPStatus.CONFLICT)
    return _to(draft_id, STEPS[0].name)


@router.get("/claims/new/{draft_id}/review")
async def review(visit: PartnerVisit, draft_id: ClaimId) -> Response:
    """Show all that is filled in, and what is still missing."""
    async with visit.backend.pool.connection() as connection:
        found = await draft.own(connection, draft_id, visit.actor, visit.now)
    return await _review(visit, found)


@router.post("/claims/new/{draft_id}/create")
async def create(visit: PartnerVisit, draft_id: ClaimId) -> Response:
    """Create the claim, once, and lead to it; the draft is gone then."""
    async with visit.backend.pool.connection() as connection:
        found = await draft.find(connection, draft_id, visit.actor, visit.now)
    if found is None:
        return await _to_claim_of(visit, draft_id)
    data = claim_form.data_of(found.form)
    problem = await tried(do(visit, draft_id, CreateClaim.NAME, data, command_id=found.command_id))
    if problem is not None and problem["type"].rpartition("/")[2] not in _MADE_BEFORE:
        return await _review(visit, found, problem)
    response = await _to_claim_of(visit, draft_id)
    async with visit.backend.pool.connection() as connection:
        await draft.throw_away(connection, draft_id, visit.actor)
    return response


@router.post("/claims/new/{draft_id}/throw-away")
async def throw_away(visit: PartnerVisit, draft_id: ClaimId) -> Response:
    """Delete a draft."""
    async with visit.backend.pool.connection() as connection:
        await draft.throw_away(connection, draft_id, visit.actor)
    return _to_start()


@router.get("/claims/new/{draft_id}/{step_name}")
async def fill_in(visit: PartnerVisit, draft_id: ClaimId, step_name: str) -> Response:
    """Show one step, as it is filled in so far."""
    step = _step(step_name)
    async with visit.backend.pool.connection() as connection:
        found = await draft.own(connection, draft_id, visit.actor, visit.now)
    return await _step_page(visit, found, step)


@router.post("/claims/new/{draft_id}/{step_name}")
async def go_on(
    visit: PartnerVisit,
    draft_id: ClaimId,
    step_name: str,
    sent: Sent,
    go: Annotated[str, Form()] = "next",
) -> Response:
    """Keep a step, and lead to the next one when it is right; to the one before as it is."""
    step = _step(step_name)
    found = await _save(visit, draft_id, step, sent)
    place = STEPS.index(step)
    if go == "back":
        return _to(draft_id, STEPS[place - 1].name) if place else _to_start()
    if step.of(_wrong(visit, found)):
        return await _step_page(visit, found, step, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    is_last = place == len(STEPS) - 1
    return _to(draft_id, "review" if is_last or go == "review" else STEPS[place + 1].name)


@router.post("/claims/new/{draft_id}/{step_name}/check")
async def check(
    visit: PartnerVisit,
    draft_id: ClaimId,
    step_name: str,
    sent: Sent,
    field: Annotated[str, Query()],
) -> Response:
    """Keep a step while it is filled in; what is wrong with one of its fields, as a fragment."""
    step = _step(step_name)
    if field not in step.fields:
        raise NotFound("there is no such field")
    found = await _save(visit, draft_id, step, sent)
    return visit.page(
        "new_check.html",
        name=field,
        wrong=_wrong(visit, found),
        has_hint=step is STEPS[0],
        is_foreign=claim_form.is_foreign_address(found.form),
    )


async def _start(visit: Visit, status: int = HTTPStatus.OK) -> Response:
    async with visit.backend.pool.connection() as connection:
        drafts = await draft.drafts_of(connection, visit.actor, visit.now)
    return visit.page(
        "new_start.html",
        status=status,
        drafts=drafts,
        may_begin=len(drafts) < draft.MOST,
        days=draft.LIFETIME.days,
        value_of=claim_form.value_of,
    )


async def _step_page(
    visit: Visit, found: Draft, step: Step, status: int = HTTPStatus.OK
) -> Response:
    """A step; what is wrong with it is shown once it was sent."""
    missing = _wrong(visit, found)
    return visit.page(
        "new_step.html",
        status=status,
        step=step,
        place=STEPS.index(step),
        wrong={} if status == HTTPStatus.OK else step.of(missing),
        check=f"/claims/new/{found.draft_id}/{step.name}/check",
        is_foreign=claim_form.is_foreign_address(found.form),
        groups=claim_form.claimable(visit.backend.catalogue, found.form, visit.now.date()),
        rejected=await _rejected(visit) if "supersedes" in step.fields else (),
        together=TOGETHER,
        days=draft.LIFETIME.days,
        **_shared(found, missing),
    )


async def _review(visit: Visit, found: Draft, problem: dict[str, Any] | None = None) -> Response:
    missing = dict(_wrong(visit, found))
    if problem:
        errors = [FieldError(**error) for error in problem.get("errors", ())]
        missing |= claim_form.told(visit, errors, claim_form.data_of(found.form))
    return visit.page(
        "new_review.html",
        status=problem["status"] if problem else HTTPStatus.OK,
        place=len(STEPS),
        refusal=refusal_in_words(visit, problem) if problem else "",
        missing=missing,
        is_foreign=claim_form.is_foreign_address(found.form),
        rejected=await _rejected(visit) if found.form.get("supersedes") else (),
        **_shared(found, missing),
    )


def _shared(found: Draft, missing: Wrong) -> dict[str, Any]:
    """What every page of a draft shows."""
    return {
        "draft": found,
        "filled": found.form,
        "steps": STEPS,
        "done": {step.name for step in STEPS if not step.of(missing)},
        "fields": FIELDS,
        "value_of": claim_form.value_of,
    }


def _wrong(visit: Visit, found: Draft) -> Wrong:
    """What is wrong with a draft, or still missing."""
    data = claim_form.data_of(found.form)
    errors = claim_form.wrong_with(data, visit.backend.catalogue, visit.now.date())
    return claim_form.told(visit, errors, data)


async def _save(visit: Visit, draft_id: UUID, step: Step, sent: FormData) -> Draft:
    values = kept(sent)
    fields: Filled = {name: values.get(name, []) for name in step.fields}
    async with visit.backend.pool.connection() as connection:
        return await draft.save(connection, draft_id, visit.actor, fields, visit.now)


async def _rejected(visit: Visit) -> list[tuple[str, str]]:
    """The organisation's rejected claims, to be superseded (R13): each id, and how to know it."""
    query = ClaimQuery(status=(Status.REJECTED,), limit=_REJECTED_SHOWN)
    async with visit.backend.pool.connection() as connection:
        page = await list_claims(connection, query, reader=visit.actor, now=visit.now)
    return [(str(row.claim_id), f"{row.customer_name} · {row.name}") for row in page.rows]


def _step(name: str) -> Step:
    step = next((each for each in STEPS if each.name == name), None)
    if step is None:
        raise NotFound("there is no such step")
    return step


async def _to_claim_of(visit: Visit, draft_id: UUID) -> Response:
    """To the claim that a draft became, and its proof. Raises NotFound when it became none."""
    async with visit.backend.pool.connection() as connection:
        try:
            await readable_row(connection, draft_id, visit.actor)
        except NotFound:
            raise draft.no_such_draft() from None
    return RedirectResponse(f"/claims/{draft_id}/proof/add?created=1", HTTPStatus.SEE_OTHER)


def _to_start() -> Response:
    return RedirectResponse("/claims/new", HTTPStatus.SEE_OTHER)


def _to(draft_id: UUID, step_name: str) -> Response:
    return RedirectResponse(f"/claims/new/{draft_id}/{step_name}", HTTPStatus.SEE_OTHER)
