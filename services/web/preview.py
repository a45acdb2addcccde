"""Pages of documents as pictures: what a page shows of a proof, never the file itself."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from domain.refusal import FieldError, Invalid, NotFound
from services.inspection.finding import MAX_PAGES, WIDTHS, NotShown, Problem
from services.web.backend import Served
from services.web.caller import Caller
from services.web.document import readable_document
from services.web.identifier import ClaimId, DocumentDigest
from services.web.problem import Unavailable

_PASSING: Final = frozenset({Problem.BUSY, Problem.TOO_SLOW, Problem.MISSING})

router = APIRouter(include_in_schema=False)


@router.get("/claims/{claim_id}/proof/{digest}/page/{number}.png")
async def draw(
    caller: Caller,
    backend: Served,
    claim_id: ClaimId,
    digest: DocumentDigest,
    number: Annotated[int, Path(ge=1, le=MAX_PAGES)],
    width: Annotated[int, Query()] = WIDTHS[0],
) -> Response:
    """A page of a document, for whom the document is readable."""
    if width not in WIDTHS:
        raise Invalid([FieldError("/width", f"must be one of {', '.join(map(str, WIDTHS))}")])
    document = await readable_document(backend, claim_id, digest, caller)
    try:
        drawn = await backend.inspector.draw(digest, document["media_type"], number, width)
    except NotShown as refusal:
        if refusal.problem in _PASSING:
            raise Unavailable("the page can't be drawn at the moment") from refusal
        raise NotFound(f"the page can't be drawn: {refusal.problem}") from refusal
    return Response(drawn, media_type="image/png")
