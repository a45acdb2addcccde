"""The work that everything here is measured with: a claim's life of six commands."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.actor import Actor
from domain.vocabulary import Role

ORG = "1234567"
PARTNER = Actor(role=Role.INCENTIVES_ADMIN, org=ORG, id="ayse")
REVIEWER = Actor(role=Role.REVIEWER, id="deniz")

DOCUMENT: dict[str, Any] = {
    "digest": f"sha256:{1:064x}",
    "filename": "statement-of-work.pdf",
    "media_type": "application/pdf",
    "size": 48_211,
}
CLAIM: dict[str, Any] = {
    "name": "Teams rollout",
    "mpn_id": "4567890",
    "customer": {
        "name": "Contoso",
        "domain": "contoso.example",
        "tenant_id": "11111111-2222-4333-8444-555555555555",
    },
    "solution_area": "microsoft_365",
    "activities": ["usage"],
    "products": ["teams", "exchange"],
    "subscription_ids": [],
    "customer_contact": {"name": "Zeynep Ak", "title": "CIO", "email": "zeynep@contoso.example"},
    "partner_contact": {"name": "Ayse Demir", "email": "ayse@partner.example"},
}


class Step(NamedTuple):
    """One command of a life."""

    command: str
    data: dict[str, Any]
    actor: Actor


LIFE = (
    Step("create_claim", CLAIM, PARTNER),
    Step("attach_poe", {"document": DOCUMENT}, PARTNER),
    Step("submit_claim", {}, PARTNER),
    Step("start_review", {}, REVIEWER),
    Step(
        "require_action",
        {"reasons": ["missing_or_old_dates"], "comment": "The statement is not dated."},
        REVIEWER,
    ),
    Step("resubmit_claim", {"comment": "Dated, see page 2."}, PARTNER),
)
"""Six durable changes, one event each."""

_NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def claim_ids(run: str, count: int) -> Iterator[UUID]:
    """Ids that no other run has used."""
    return (uuid5(_NAMESPACE, f"{run}/{number}") for number in range(count))
