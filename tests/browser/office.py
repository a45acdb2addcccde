"""What happens beside the journeys: claims that others brought as far as a journey needs them."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import httpx

from domain.actor import Actor
from domain.vocabulary import Role
from services.demo.cast import AUDITOR, part
from services.demo.pdf import pdf

AYSE: Final = Actor(role=Role.INCENTIVES_ADMIN, org="1230010", id="ayse")
DENIZ: Final = Actor(role=Role.REVIEWER, id="deniz")

_EXAMPLE: Final = part(36)
DETAILS: Final = _EXAMPLE.details(supersedes=None)
"""What a claim of Ayşe's organisation is created with."""
PROOF: Final = pdf(
    "Statement of work",
    [
        f"Customer: {_EXAMPLE.customer.name}, {_EXAMPLE.customer.domain}",
        f"Tenant {_EXAMPLE.customer.tenant_id}",
        "Microsoft Intune was rolled out to all devices.",
        "Signed on 3 March 2031 by Hugo Delacroix",
    ],
)
"""A document in which most hints find something, but not all."""


class Office:
    """The same system, asked by its API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def draft(self, name: str) -> UUID:
        """A claim of Ayşe's organisation that is being edited."""
        claim_id = UUID(bytes=secrets.token_bytes(16), version=4)
        await self.done(AYSE, claim_id, "create_claim", {**DETAILS, "name": name})
        return claim_id

    async def ready(self, name: str) -> UUID:
        """A claim that can be submitted."""
        claim_id = await self.draft(name)
        response = await self._http.post(
            "/api/documents",
            files={"file": ("sow.pdf", PROOF, "application/pdf")},
            headers=_as(AYSE),
        )
        await self.done(AYSE, claim_id, "attach_poe", {"document": response.json()})
        return claim_id

    async def submitted(self, name: str) -> UUID:
        """A claim that waits for its review."""
        claim_id = await self.ready(name)
        await self.done(AYSE, claim_id, "submit_claim")
        return claim_id

    async def approved(self, name: str) -> UUID:
        """A claim whose consent is pending."""
        claim_id = await self.submitted(name)
        await self.done(DENIZ, claim_id, "start_review")
        await self.done(DENIZ, claim_id, "approve_claim")
        return claim_id

    async def rejected(self, name: str) -> UUID:
        """A claim that may be disputed."""
        claim_id = await self.submitted(name)
        await self.done(DENIZ, claim_id, "start_review")
        reasons = {"reasons": ["insufficient_poe"], "note": "It does not say what was done."}
        await self.done(DENIZ, claim_id, "reject_claim", reasons)
        return claim_id

    async def done(
        self, actor: Actor, claim_id: UUID, command: str, data: dict[str, Any] | None = None
    ) -> None:
        """Send a command that is accepted, and that the board has seen."""
        response = await self._http.post(
            f"/api/claims/{claim_id}/{command}", json=data or {}, headers=_as(actor)
        )
        assert response.status_code == HTTPStatus.OK, response.text
        await self.claim(claim_id, wait_for=response.json()["position"])

    async def claim(self, claim_id: UUID, **query: int) -> dict[str, Any]:
        """How a claim stands."""
        response = await self._http.get(
            f"/api/claims/{claim_id}", params=query, headers=_as(AUDITOR)
        )
        claim: dict[str, Any] = response.json()
        return claim


@asynccontextmanager
async def office_at(address: str) -> AsyncGenerator[Office]:
    """The system at this address."""
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        yield Office(http)


def _as(actor: Actor) -> dict[str, str]:
    return {"X-Cpor-Actor": f"{actor.role};{actor.org or ''};{actor.id}"}
