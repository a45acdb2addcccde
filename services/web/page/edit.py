"""Changing what a claim states: all of it in `editing`, a little later (R21)."""

import json
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple, cast

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response

from domain.access import require_sender
from domain.catalogue import TOGETHER
from domain.claim import EDITABLE_AFTER_SUBMISSION
from domain.command import EditClaim
from domain.lifecycle import LIFECYCLE
from domain.refusal import FieldError, Invalid, NotFound
from domain.vocabulary import Status
from projections.board import ClaimRow, recorded_policy
from services.claim_record import contacts_of
from services.cloudevent import COMMAND_ID_PATTERN, new_command_id
from services.web.claim import readable_events, readable_row
from services.web.identifier import ClaimId
from services.web.page import claim_form
from services.web.page.claim_form import FIELDS, STEPS, Wrong
from services.web.page.deed import COMMAND_ID, do, tried
from services.web.page.draft import Filled
from services.web.page.form import Sent, kept
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor
from services.web.page.wording import refusal_in_words

_MOST_VERSIONS: Final = 2**31 - 1

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Stated(NamedTuple):
    """What a claim states now, and what of it may be changed."""

    row: ClaimRow
    filled: Filled
    editable: Collection[str]
    """Fields' names in forms."""


class Shown(NamedTuple):
    """What the form is filled in with, and from which state of the claim on that is a change."""

    filled: Filled
    was: Filled
    """What its fields held at first: no others were in the form."""
    version: int
    command_id: str


@router.get("/claims/{claim_id}/edit")
async def ask(visit: Visitor, claim_id: ClaimId) -> Response:
    """Show what the claim states: as a form what may be changed, as text what may not."""
    stated = await _stated(visit, claim_id)
    return _page(visit, stated, _afresh(stated))


@router.post("/claims/{claim_id}/edit")
async def change(
    visit: Visitor,
    claim_id: ClaimId,
    sent: Sent,
    command_id: Annotated[str, Form(alias=COMMAND_ID, pattern=f"^{COMMAND_ID_PATTERN.pattern}$")],
    version: Annotated[int, Form(ge=1, le=_MOST_VERSIONS)],
    was: Annotated[str, Form()],
) -> Response:
    """Change what is filled in otherwise than it was, and lead to the claim."""
    stated = await _stated(visit, claim_id)
    stated_then = _parsed(was)
    shown = Shown(_only(kept(sent), stated_then), stated_then, version, command_id)
    changes = _changes(shown)
    if not changes:
        return RedirectResponse(f"/claims/{claim_id}", HTTPStatus.SEE_OTHER)
    errors = claim_form.wrong_with_changes(changes)
    if errors:
        wrong = claim_form.told(visit, errors, changes)
        return _page(visit, stated, shown, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    problem = await tried(
        do(
            visit,
            claim_id,
            EditClaim.NAME,
            changes,
            command_id=command_id,
            expected_version=version,
        )
    )
    if problem is None:
        return RedirectResponse(f"/claims/{claim_id}", HTTPStatus.SEE_OTHER)
    stated = await _stated(visit, claim_id)
    if problem["type"].endswith("/stale_version"):
        shown = _brought_up(shown, stated, changes)
    errors = [FieldError(**error) for error in problem.get("errors", ())]
    wrong = claim_form.told(visit, errors, changes)
    return _page(visit, stated, shown, wrong, problem["status"], refusal_in_words(visit, problem))


@router.post("/claims/{claim_id}/edit/check")
async def check(
    visit: Visitor, claim_id: ClaimId, sent: Sent, field: Annotated[str, Query()]
) -> Response:
    """What is wrong with one field while it is filled in, as a fragment; nothing is kept."""
    stated = await _stated(visit, claim_id)
    if field not in stated.editable:
        raise NotFound("there is no such field")
    filled = {**stated.filled, **_only(kept(sent), stated.editable)}
    data = claim_form.data_of(filled)
    top = field.partition(".")[0]
    errors = claim_form.wrong_with_changes({top: data.get(top, [])})
    return visit.page(
        "new_check.html",
        name=field,
        wrong=claim_form.told(visit, errors, data),
        has_hint=field in STEPS[0].fields,
        is_foreign=claim_form.is_foreign_address(filled),
    )


async def _stated(visit: Visit, claim_id: ClaimId) -> Stated:
    """A claim of the visitor's organisation. Raises NotFound, and NotAllowed (R25)."""
    async with visit.backend.pool.connection() as connection:
        row = await readable_row(connection, claim_id, visit.actor)
        require_sender(EditClaim.NAME, visit.actor)
        contacts = await contacts_of(connection, [row])
    nobody: Mapping[str, Any] = {"name": "", "title": "", "email": ""}
    customer_contact = contacts.get(row.customer_contact, nobody)
    partner_contact = contacts.get(row.partner_contact, nobody)
    filled: Filled = {
        "customer.name": [row.customer_name],
        "customer.domain": [row.customer_domain],
        "customer.tenant_id": [str(row.tenant_id)],
        **{f"customer_contact.{part}": [customer_contact[part] or ""] for part in nobody},
        "solution_area": [row.solution_area],
        "activities": row.activities,
        "products": row.products,
        "subscription_ids": row.subscription_ids,
        "name": [row.name],
        "mpn_id": [row.mpn_id],
        **{f"partner_contact.{part}": [partner_contact[part] or ""] for part in ("name", "email")},
        "supersedes": [str(row.supersedes)] if row.supersedes else [],
    }
    return Stated(row, filled, await _editable(visit, row))


async def _editable(visit: Visit, row: ClaimRow) -> Collection[str]:
    """The fields that may be changed, by the policy that the claim was submitted under (R21)."""
    if EditClaim.NAME not in LIFECYCLE[row.phase].possible:
        return ()
    parts: Collection[str] = EditClaim.model_fields.keys()
    if row.status is not Status.EDITING:
        events = await readable_events(visit.backend, row.claim_id, visit.actor)
        is_open = row.status in recorded_policy(events).editable_after_submission
        parts = EDITABLE_AFTER_SUBMISSION if is_open else ()
    return [name for name in FIELDS if name.partition(".")[0] in parts]


def _only(values: Filled, names: Collection[str]) -> Filled:
    return {name: values.get(name, []) for name in names}


def _changes(shown: Shown) -> dict[str, Any]:
    """What of the command's data is other than it was; the order of several values says nothing."""
    new, old = claim_form.data_of(shown.filled), claim_form.data_of(shown.was)
    parts = dict.fromkeys(name.partition(".")[0] for name in shown.was)
    return {
        part: new.get(part, [])
        for part in parts
        if _comparable(new.get(part, [])) != _comparable(old.get(part, []))
    }


def _comparable(value: Any) -> Any:  # noqa: ANN401 - a command's data may be anything
    return sorted(cast("list[str]", value)) if isinstance(value, list) else value


def _afresh(stated: Stated) -> Shown:
    """The form, filled in with what the claim states now."""
    filled = _only(stated.filled, stated.editable)
    return Shown(filled, filled, stated.row.version, new_command_id())


def _brought_up(shown: Shown, stated: Stated, changes: Collection[str]) -> Shown:
    """The same changes, from the claim's present state on."""
    changed = {
        name: shown.filled[name] for name in shown.filled if name.partition(".")[0] in changes
    }
    fresh = _afresh(stated)
    return fresh._replace(filled={**fresh.filled, **changed})


def _parsed(was: str) -> Filled:
    """What the form said the claim stated. Raises Invalid for what no form of ours says."""
    try:
        stated = json.loads(was)
        return {name: [str(value) for value in stated[name]] for name in stated if name in FIELDS}
    except (ValueError, TypeError, RecursionError):
        raise Invalid([FieldError("/was", "is not what the form said")]) from None


def _page(
    visit: Visit,
    stated: Stated,
    shown: Shown,
    wrong: Wrong | None = None,
    status: int = HTTPStatus.OK,
    refusal: str = "",
) -> Response:
    filled = {
        name: shown.filled.get(name, now) if name in stated.editable else now
        for name, now in stated.filled.items()
    }
    kept_products = stated.row.products
    areas: Filled = {"solution_area": [stated.row.solution_area]}
    catalogue, today = visit.backend.catalogue, visit.now.date()
    may_change_area = "solution_area" in stated.editable
    return visit.page(
        "edit.html",
        status=status,
        claim=stated.row,
        editable=stated.editable,
        stated=stated.filled,
        locked=[
            name for name in FIELDS if name not in stated.editable and any(stated.filled[name])
        ],
        filled=filled,
        typed={name: shown.filled[name] for name in shown.filled if name not in stated.editable},
        was=json.dumps({name: shown.was[name] for name in shown.was if name in stated.editable}),
        version=shown.version,
        command_id=shown.command_id,
        wrong=wrong or {},
        refusal=refusal,
        steps=STEPS,
        fields=FIELDS,
        together=TOGETHER,
        groups=claim_form.claimable(
            catalogue, {} if may_change_area else areas, today, kept_products
        ),
        check=f"/claims/{stated.row.claim_id}/edit/check",
        is_foreign=claim_form.is_foreign_address(filled),
    )
