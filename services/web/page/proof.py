"""A claim's proof: its documents as they look, and hints at what they show."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from domain.access import SENDERS, may_read_documents
from domain.lifecycle import LIFECYCLE
from domain.refusal import NotAllowed, NotFound
from projections.board import ClaimRow
from services.inspection.finding import Inspection
from services.inspection.hint import Hint, Source, Wanted, hints
from services.web.claim import readable_row
from services.web.identifier import ClaimId, DocumentDigest
from services.web.page import file
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A document of a claim, and what was found in it."""

    document: Mapping[str, Any]
    """As the board has it, `attached_at` as an instant."""
    inspection: Inspection
    address: str
    """Of the page that shows it."""


@dataclass(frozen=True, slots=True)
class ShownHint:
    """A hint, and where its hit can be looked at."""

    hint: Hint
    filename: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a claim's documents show, and what the hints make of it."""

    exhibits: Sequence[Exhibit]
    hints: Sequence[ShownHint]

    @property
    def unread(self) -> list[str]:
        """The names of the documents in which the hints see nothing."""
        return [each.document["filename"] for each in self.exhibits if not each.inspection.has_text]

    def exhibit(self, digest: str) -> Exhibit:
        """One of the documents. Raises NotFound."""
        found = (each for each in self.exhibits if each.document["digest"] == digest)
        exhibit = next(found, None)
        if exhibit is None:
            raise NotFound("the claim has no such document")
        return exhibit


@router.get("/claims/{claim_id}/proof")
async def show(visit: Visitor, claim_id: ClaimId) -> Response:
    """All documents of a claim, and the newest of them."""
    return await _page(visit, claim_id, None)


@router.get("/claims/{claim_id}/proof/{digest}")
async def show_document(visit: Visitor, claim_id: ClaimId, digest: DocumentDigest) -> Response:
    """All documents of a claim, and this one."""
    return await _page(visit, claim_id, digest)


async def proof_of(visit: Visit, row: ClaimRow) -> Proof:
    """The proof of a claim that the visitor may read. Raises NotAllowed for operators."""
    if not may_read_documents(visit.actor, org=row.org, status=row.status):
        raise NotAllowed("operators don't read documents", rule="R25")
    inspector = visit.backend.inspector
    inspections = await asyncio.gather(
        *(inspector.inspect(each["digest"], each["media_type"]) for each in row.documents)
    )
    exhibits = [
        Exhibit(
            document | {"attached_at": datetime.fromisoformat(document["attached_at"])},
            inspection,
            f"/claims/{row.claim_id}/proof/{document['digest']}",
        )
        for document, inspection in zip(row.documents, inspections, strict=True)
    ]
    sources = [Source(each.document["digest"], each.inspection) for each in exhibits]
    found = await asyncio.to_thread(hints, _wanted(visit, row), sources)
    return Proof(exhibits, [_shown(hint, exhibits) for hint in found])


async def _page(visit: Visit, claim_id: UUID, digest: str | None) -> Response:
    async with visit.backend.pool.connection() as connection:
        row = await readable_row(connection, claim_id, visit.actor)
    proof = await proof_of(visit, row)
    newest = proof.exhibits[-1] if proof.exhibits else None
    may_add = visit.actor.role in SENDERS["attach_poe"]
    return visit.page(
        "proof.html",
        claim=row,
        proof=proof,
        file=file,
        exhibit=newest if digest is None else proof.exhibit(digest),
        can_add=may_add and "attach_poe" in LIFECYCLE[row.phase].possible,
    )


def _wanted(visit: Visit, row: ClaimRow) -> Wanted:
    find = visit.backend.catalogue.find
    return Wanted(
        products={
            code: (product.name.en, product.name.tr) if (product := find(code)) else ()
            for code in row.products
        },
        tenant_id=str(row.tenant_id),
        customer_name=row.customer_name,
        customer_domain=row.customer_domain,
        today=visit.now.date(),
    )


def _shown(hint: Hint, exhibits: Sequence[Exhibit]) -> ShownHint:
    hit = hint.hit
    if hit is None:
        return ShownHint(hint, None, None)
    exhibit = next(each for each in exhibits if each.document["digest"] == hit.digest)
    place = f"#page-{hit.digest.removeprefix('sha256:')[:12]}-{hit.page}" if hit.page else ""
    return ShownHint(hint, exhibit.document["filename"], exhibit.address + place)
