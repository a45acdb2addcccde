"""Commands as upstream systems send them, for tests: bodies, messages, and a claim's usual life."""

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from domain.actor import Actor
from domain.vocabulary import Role
from services.claims.application import Arrival
from services.cloudevent import command_event, parse_command, parse_envelope
from services.streams import command_subject

ORG = "1234567"
NOON = datetime.fromisoformat("2021-05-17T12:00:00Z")

PARTNER = Actor(role=Role.INCENTIVES_ADMIN, org=ORG, id="ayse")
STRANGER = Actor(role=Role.INCENTIVES_ADMIN, org="7654321", id="john")
REVIEWER = Actor(role=Role.REVIEWER, id="deniz")
OTHER_REVIEWER = Actor(role=Role.REVIEWER, id="selin")
CUSTOMER = Actor(role=Role.CUSTOMER, id="contact")
TIMER = Actor(role=Role.TIMER, id="timer")

DOCUMENT = {
    "digest": f"sha256:{1:064x}",
    "filename": "statement-of-work.pdf",
    "media_type": "application/pdf",
    "size": 1234,
}

CREATE: dict[str, Any] = {
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
    "partner_contact": {"name": "Ayşe Demir", "email": "ayse@partner.example"},
}

TO_APPROVAL: tuple[tuple[str, dict[str, Any], Actor], ...] = (
    ("create_claim", CREATE, PARTNER),
    ("attach_poe", {"document": DOCUMENT}, PARTNER),
    ("submit_claim", {}, PARTNER),
    ("start_review", {}, REVIEWER),
    ("approve_claim", {}, REVIEWER),
)
"""A claim's way to approval: command, data, actor."""


def body(
    claim_id: UUID,
    command: str,
    data: dict[str, Any] | None = None,
    *,
    actor: Actor = PARTNER,
    command_id: str = "",
    expected_version: int | None = None,
) -> bytes:
    """A command's message; its id is its name, unless given."""
    return command_event(
        claim_id=claim_id,
        command=command,
        command_id=command_id or command,
        data=data or {},
        actor=actor,
        source="/upstream",
        time=NOON,
        expected_version=expected_version,
    )


def arrival(
    claim_id: UUID,
    command: str,
    data: dict[str, Any] | None = None,
    *,
    actor: Actor = PARTNER,
    command_id: str = "",
    expected_version: int | None = None,
    at: datetime = NOON,
) -> Arrival:
    """The same command, as it reaches the application."""
    message = body(
        claim_id,
        command,
        data,
        actor=actor,
        command_id=command_id,
        expected_version=expected_version,
    )
    readable = parse_envelope(command_subject(command, claim_id), message)
    return Arrival(parse_command(readable), at)


def upload(database_url: str, org: str = ORG) -> None:
    """Record the upload of the example document by an organisation."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO cpor.documents VALUES (%s, %s, %s, %s, %s, %s)",
            [
                DOCUMENT["digest"],
                org,
                DOCUMENT["filename"],
                DOCUMENT["media_type"],
                DOCUMENT["size"],
                NOON,
            ],
        )
