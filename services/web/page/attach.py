"""Adding proof of execution to a claim: one document a form, several with JavaScript (R21)."""

import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from domain.access import require_sender
from domain.claim import MAX_DOCUMENTS
from domain.command import MAX_DOCUMENT_BYTES, AttachPoe
from domain.lifecycle import LIFECYCLE
from domain.refusal import AlreadyExists, Invalid, TooLarge, UnsupportedMediaType
from projections.board import ClaimRow
from services.media_type import SUFFIXES
from services.web.claim import readable_row
from services.web.document import only_file, read_upload, take
from services.web.identifier import ClaimId
from services.web.page.deed import do, tried
from services.web.page.file import size
from services.web.page.form import command_data
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor
from services.web.page.wording import told
from services.web.problem import body

PLACES: Final = re.compile(r"/claims/[^/]+/proof/add")
"""Where documents are sent to: bodies are larger there than elsewhere."""

_NOTE: Final = "note"
_WRONG_FILE = (Invalid, TooLarge, UnsupportedMediaType)
_ATTACHED_BEFORE: Final = frozenset({"already_exists", "command_id_reused"})

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/claims/{claim_id}/proof/add")
async def ask(
    visit: Visitor,
    claim_id: ClaimId,
    created: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query has no positions
    added: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query has no positions
) -> Response:
    """Ask for a document, and show those that are there."""
    row = await _own_claim(visit, claim_id)
    return _page(visit, row, created=created, added=added)


@router.post("/claims/{claim_id}/proof/add")
async def add(visit: Visitor, claim_id: ClaimId) -> Response:
    """Keep a document and attach it to the claim; to a script the answer is one fragment."""
    row = await _own_claim(visit, claim_id)
    filename = note = ""
    try:
        form = await read_upload(visit.request)
        try:
            note = str(form.get(_NOTE, ""))
            wrong, filename = await _attach(visit, row, form)
        finally:
            await form.close()
    except _WRONG_FILE as refusal:
        wrong = body(refusal)
    is_script = visit.request.headers.get("HX-Request") == "true"
    if wrong is None and not is_script:
        return RedirectResponse(f"{visit.request.url.path}?added=1", HTTPStatus.SEE_OTHER)
    row = await _own_claim(visit, claim_id)
    return _page(
        visit,
        row,
        block="answer" if is_script else None,
        status=wrong["status"] if wrong else HTTPStatus.OK,
        wrong=told(visit, wrong) if wrong else "",
        filename=filename,
        note=note,
    )


async def _attach(
    visit: Visit, row: ClaimRow, form: FormData
) -> tuple[Mapping[str, Any] | None, str]:
    """Take the form's file in, and send the command: its problem if any, and the file's name."""
    file = only_file(form, beside={_NOTE})
    uploaded = await take(file, row.org, visit.backend)
    data = command_data(AttachPoe.NAME, form) | {"document": uploaded.model_dump()}
    # The same document is attached to a claim once: sent again, the answer is that of the first
    # time.
    command_id = f"attach-{uploaded.digest[-32:]}"
    problem = await tried(do(visit, row.claim_id, AttachPoe.NAME, data, command_id=command_id))
    if problem is not None and problem["type"].rpartition("/")[2] in _ATTACHED_BEFORE:
        problem = dict(
            body(AlreadyExists(f"{uploaded.filename} is already attached to this claim"))
        )
    return problem, uploaded.filename


def _page(visit: Visit, row: ClaimRow, *, block: str | None = None, **context: Any) -> Response:  # noqa: ANN401 - what a template shows
    said: dict[str, Any] = {
        "created": False,
        "added": False,
        "wrong": "",
        "filename": "",
        "note": "",
    }
    return visit.page(
        "attach.html",
        block=block,
        is_answer=block is not None,
        claim=row,
        is_possible=AttachPoe.NAME in LIFECYCLE[row.phase].possible,
        room=MAX_DOCUMENTS - len(row.documents),
        most_documents=MAX_DOCUMENTS,
        most_bytes=MAX_DOCUMENT_BYTES,
        size=partial(size, taste=visit.taste),
        suffixes=[suffix for suffixes in SUFFIXES.values() for suffix in suffixes],
        **(said | context),
    )


async def _own_claim(visit: Visit, claim_id: ClaimId) -> ClaimRow:
    """A claim that the visitor may add proof to. Raises NotFound, and NotAllowed (R25)."""
    async with visit.backend.pool.connection() as connection:
        row = await readable_row(connection, claim_id, visit.actor)
    require_sender(AttachPoe.NAME, visit.actor)
    return row
