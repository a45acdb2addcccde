"""The work that everything here is measured with: a claim's life of six commands."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from benchmarks.wire import frame
from domain.actor import Actor
from services.clock import real_now
from services.cloudevent import command_event
from services.streams import command_subject, outcome_subject
from tests.claims.orders import CREATE, DOCUMENT, PARTNER, REVIEWER


class Step(NamedTuple):
    """One command of a life."""

    command: str
    data: dict[str, Any]
    actor: Actor


LIFE = (
    Step("create_claim", CREATE, PARTNER),
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


class Order(NamedTuple):
    """A command that is ready to go out, and the subject on which its outcome comes."""

    frame: bytes
    outcome: bytes


def orders(claim_id: UUID) -> list[Order]:
    """A claim's life as messages, each to be sent when the one before it was answered."""
    made: list[Order] = []
    for number, step in enumerate(LIFE):
        name = f"step-{number}"
        subject = command_subject(step.command, claim_id)
        outcome = outcome_subject(claim_id, name)
        made.append(Order(frame(subject, body(claim_id, step, name)), outcome.encode()))
    return made


def body(claim_id: UUID, step: Step, command_id: str) -> bytes:
    """A step's command as its sender writes it."""
    return command_event(
        claim_id=claim_id,
        command=step.command,
        command_id=command_id,
        data=step.data,
        actor=step.actor,
        source="/benchmarks",
        time=real_now(),
    )
