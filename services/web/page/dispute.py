"""Disputing a rejection on a page of its own: a justification, new proof, or both (R11).

Documents are taken in one at a time, before the dispute is opened: the form names those that are to
go with it. What is filled in is kept for its author, as drafts of new claims are.
"""

import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from domain.access import require_sender
from domain.claim import MAX_DOCUMENTS
from domain.command import MAX_DOCUMENT_BYTES, DocumentData, OpenDispute
from domain.refusal import FieldError, Invalid, Refusal, TooLarge, UnsupportedMediaType
from projections.history import Kind, comments
from services.cloudevent import COMMAND_ID_PATTERN, new_command_id
from services.media_type import SUFFIXES
from services.web.document import only_file, read_upload, take
from services.web.identifier import ClaimId
from services.web.page import draft
from services.web.page.claim import VERSION, VERSION_PATTERN, Read, hidden, read
from services.web.page.deed import COMMAND_ID, do, tried
from services.web.page.draft import Draft
from services.web.page.fact import facts_of
from services.web.page.file import size
from services.web.page.form import Sent
from services.web.page.offer import Offer, offers
from services.web.page.route import PageRoute
from services.web.page.trial import refusal
from services.web.page.visit import Visit, Visitor
from services.web.page.wording import told
from services.web.problem import body

PLACES: Final = re.compile(r"/claims/[^/]+/dispute")
"""Where documents are sent to: bodies are larger there than elsewhere."""

_OPEN: Final = "open"
"""The button that opens the dispute; without it a document is only added to the form."""
_JUSTIFICATION: Final = "justification"
_DOCUMENTS: Final = "documents"
_FIELDS: Final = frozenset({COMMAND_ID, VERSION, _JUSTIFICATION, _DOCUMENTS, "go"})
_WRONG_FILE = (Invalid, TooLarge, UnsupportedMediaType)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Filled(NamedTuple):
    """The form, as it is filled in."""

    command_id: str
    version: int
    justification: str = ""
    documents: tuple[DocumentData, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """The command's data."""
        return {
            _JUSTIFICATION: self.justification,
            _DOCUMENTS: [document.model_dump() for document in self.documents],
        }


class WrongFile(NamedTuple):
    """A document that can't be taken, by its name as far as that is known."""

    problem: Mapping[str, Any]
    filename: str = ""


@router.get("/claims/{claim_id}/dispute")
async def ask(visit: Visitor, claim_id: ClaimId) -> Response:
    """Show the form, as far as its author has filled it in."""
    claim = await _own_claim(visit, claim_id)
    return _page(visit, claim, await _kept(visit, claim))


@router.post("/claims/{claim_id}/dispute")
async def go_on(visit: Visitor, claim_id: ClaimId) -> Response:
    """Take a document in and show the form again, or open the dispute and lead to the claim.

    To a script that brings a document the answer is one fragment.
    """
    claim = await _own_claim(visit, claim_id)
    try:
        form = await read_upload(visit.request)
    except _WRONG_FILE as refused:
        return _page(visit, claim, await _kept(visit, claim), wrong=WrongFile(body(refused)))
    try:
        filled, wrong = await _with_file(visit, claim, _filled(form), form)
        is_opened = form.get("go") == _OPEN and wrong is None
    finally:
        await form.close()
    problem: Mapping[str, Any] | None = None
    if is_opened:
        problem = await tried(
            do(
                visit,
                claim_id,
                OpenDispute.NAME,
                filled.data,
                command_id=filled.command_id,
                expected_version=filled.version,
            )
        )
    if is_opened and problem is None:
        async with visit.backend.pool.connection() as connection:
            draft_id = draft.dispute_of(claim_id, visit.actor)
            await draft.throw_away(connection, draft_id, visit.actor)
        return RedirectResponse(f"/claims/{claim_id}?done={OpenDispute.NAME}", HTTPStatus.SEE_OTHER)
    await _keep(visit, claim, filled)
    if problem is not None:
        claim = await _own_claim(visit, claim_id)
        filled = filled._replace(version=claim.row.version)
    return _page(visit, claim, filled, wrong=wrong, problem=problem)


@router.post("/claims/{claim_id}/dispute/keep")
async def keep(visit: Visitor, claim_id: ClaimId, sent: Sent) -> Response:
    """Keep the form while it is filled in."""
    await _keep(visit, await _own_claim(visit, claim_id), _filled(sent))
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _own_claim(visit: Visit, claim_id: UUID) -> Read:
    """A claim of the visitor's organisation. Raises NotFound, and NotAllowed (R25)."""
    claim = await read(visit, claim_id)
    require_sender(OpenDispute.NAME, visit.actor)
    return claim


def _filled(form: FormData) -> Filled:
    """The form that was sent. Raises Invalid for what no page of ours sends."""
    texts = [text for text in form.getlist(_DOCUMENTS) if isinstance(text, str)]
    try:
        documents = {each.digest: each for each in map(DocumentData.model_validate_json, texts)}
    except ValidationError:
        wrong = FieldError(f"/{_DOCUMENTS}", "is missing, or not as the page had it")
        raise Invalid([wrong]) from None
    return Filled(
        command_id=hidden(form, COMMAND_ID, COMMAND_ID_PATTERN),
        version=int(hidden(form, VERSION, VERSION_PATTERN)),
        justification=str(form.get(_JUSTIFICATION, "")).replace("\r\n", "\n"),
        documents=tuple(documents.values()),
    )


async def _with_file(
    visit: Visit, claim: Read, filled: Filled, form: FormData
) -> tuple[Filled, WrongFile | None]:
    """The form with its file among the documents; as it was, and why, when that can't be.

    Opening a dispute needs no file. Whether the claim would take the documents is asked of the
    claim: there may be no room for them, or one of them is attached to it (R21).
    """
    file = form.get("file")
    filename = (file.filename or "") if isinstance(file, UploadFile) else ""
    if form.get("go") == _OPEN and not filename:
        return filled, None
    try:
        uploaded = await take(only_file(form, beside=_FIELDS), claim.row.org, visit.backend)
    except _WRONG_FILE as refused:
        return filled, WrongFile(body(refused), filename)
    others = [each for each in filled.documents if each.digest != uploaded.digest]
    documents = (*others, DocumentData(**uploaded.model_dump()))
    if (against := _refusal(visit, claim, documents)) is not None:
        return filled, WrongFile(body(against), uploaded.filename)
    return filled._replace(documents=documents), None


def _refusal(visit: Visit, claim: Read, documents: tuple[DocumentData, ...] = ()) -> Refusal | None:
    """Why no dispute can be opened with these documents now; None if one can."""
    command = OpenDispute(justification="-", documents=documents)
    return refusal(command, visit.backend, claim.events, visit.actor, visit.now)


async def _kept(visit: Visit, claim: Read) -> Filled:
    """The form as its author left it; an empty one when nothing is kept."""
    row = claim.row
    async with visit.backend.pool.connection() as connection:
        draft_id = draft.dispute_of(row.claim_id, visit.actor)
        found = await draft.find(connection, draft_id, visit.actor, visit.now)
    if found is None:
        return Filled(new_command_id(), row.version)
    return Filled(
        found.command_id,
        row.version,
        found.form[_JUSTIFICATION][0],
        tuple(map(DocumentData.model_validate_json, found.form[_DOCUMENTS])),
    )


async def _keep(visit: Visit, claim: Read, filled: Filled) -> None:
    """Keep the form, while the claim can be disputed, and unless no command can be made of it."""
    try:
        OpenDispute.model_validate(filled.data)
    except ValidationError:
        return
    if _refusal(visit, claim) is not None:
        return
    form = {
        _JUSTIFICATION: [filled.justification],
        _DOCUMENTS: [document.model_dump_json() for document in filled.documents],
    }
    draft_id = draft.dispute_of(claim.row.claim_id, visit.actor)
    kept = Draft(draft_id, filled.command_id, form, visit.now)
    async with visit.backend.pool.connection() as connection:
        await draft.keep_dispute(connection, visit.actor, kept)


def _page(
    visit: Visit,
    claim: Read,
    filled: Filled,
    *,
    wrong: WrongFile | None = None,
    problem: Mapping[str, Any] | None = None,
) -> Response:
    is_script = visit.request.headers.get("HX-Request") == "true"
    offer: Offer = offers({OpenDispute.NAME: _refusal(visit, claim)})[0]
    failure = wrong.problem if wrong else problem
    thread = comments(claim.events, reader=visit.actor)
    return visit.page(
        "dispute.html",
        block="answer" if is_script else None,
        is_answer=is_script,
        status=failure["status"] if failure else HTTPStatus.OK,
        claim=claim.row,
        reasons=[
            fact for fact in facts_of(visit, claim.view) if fact.group == "reason" and fact.text
        ],
        notes=[each.text for each in thread if each.kind is Kind.DECISION],
        offer=offer,
        filled=filled,
        wrong=told(visit, wrong.problem) if wrong else "",
        filename=wrong.filename if wrong else "",
        problem=problem,
        room=MAX_DOCUMENTS - len(claim.row.documents) - len(filled.documents),
        most_documents=MAX_DOCUMENTS,
        most_bytes=MAX_DOCUMENT_BYTES,
        days=draft.LIFETIME.days,
        size=partial(size, taste=visit.taste),
        suffixes=[suffix for suffixes in SUFFIXES.values() for suffix in suffixes],
    )
