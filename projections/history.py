"""A claim's history and thread, told from its own events when somebody reads them (R23, R24).

What a reader may not know is left out here, once: internal comments, and which reviewer it was.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final

from domain.access import may_know_reviewers, may_read_internal_notes
from domain.actor import Actor
from domain.claim import Claim, ClaimEvent
from domain.vocabulary import Role, Side
from projections.board import ClaimRow, project
from projections.sentence import ENGLISH, Tongue, sentence

SOME_REVIEWER: Final = "Reviewer"
"""What a reviewer is called before those who may not know which one (R25)."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who did something, as far as the reader may know."""

    role: Role
    org: str | None
    id: str


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One event, as a person reads it."""

    version: int
    event: str
    time: datetime
    actor: Who
    side: Side
    text: str
    """One sentence or two."""
    data: dict[str, Any]
    """What the event says, as it was published; contacts by reference only."""


class Kind(StrEnum):
    """What somebody's words in the thread are about."""

    COMMENT = "comment"
    ACTION_REQUIRED = "action_required"
    RESUBMISSION = "resubmission"
    DECISION = "decision"
    DISPUTE = "dispute"
    EXPLANATION = "explanation"
    """Why the partner or the customer gave the association up."""


@dataclass(frozen=True, slots=True)
class ThreadItem:
    """Somebody's words about the claim."""

    version: int
    time: datetime
    actor: Who
    side: Side
    kind: Kind
    text: str
    internal: bool
    """Whether only reviewers and auditors see it."""


def history(
    events: Iterable[ClaimEvent], *, reader: Actor, tongue: Tongue = ENGLISH
) -> list[HistoryItem]:
    """Every change, comment and action that the reader may see, in order, from the first event."""
    return list(_history(events, reader, tongue))


def comments(events: Iterable[ClaimEvent], *, reader: Actor) -> list[ThreadItem]:
    """The thread: all that was said to each other, in order."""
    return [
        ThreadItem(
            version=seen.originator_version,
            time=seen.timestamp,
            actor=_who(seen.cause.actor),
            side=seen.cause.actor.side,
            kind=words[0],
            text=words[1],
            internal=_is_internal(seen),
        )
        for fact in events
        if (seen := shown(fact, reader)) and (words := _words(seen)) and words[1]
    ]


def shown(fact: ClaimEvent, reader: Actor) -> ClaimEvent | None:
    """The event as far as the reader may know of it; None when there is nothing to know."""
    if _is_internal(fact) and not may_read_internal_notes(reader):
        return None
    if may_know_reviewers(reader):
        return fact
    hidden: dict[str, object] = {}
    actor = fact.cause.actor
    if actor.role is Role.REVIEWER:
        some = actor.model_copy(update={"id": SOME_REVIEWER})
        hidden["cause"] = fact.cause.model_copy(update={"actor": some})
    if "reviewer" in type(fact).model_fields:
        hidden["reviewer"] = SOME_REVIEWER
    return fact.model_copy(update=hidden) if hidden else fact


def _history(events: Iterable[ClaimEvent], reader: Actor, tongue: Tongue) -> Iterator[HistoryItem]:
    row: ClaimRow | None = None
    for fact in events:
        text = sentence(fact, row, tongue, partial(_called, reader=reader, tongue=tongue))
        row = project(row, fact)
        if seen := shown(fact, reader):
            yield HistoryItem(
                version=seen.originator_version,
                event=seen.event_name(),
                time=seen.timestamp,
                actor=_who(seen.cause.actor),
                side=seen.cause.actor.side,
                text=text,
                data=seen.model_dump(
                    mode="json", exclude={"timestamp", "cause"}, exclude_none=True
                ),
            )


def _is_internal(fact: ClaimEvent) -> bool:
    return isinstance(fact, Claim.Commented) and fact.internal


def _who(actor: Actor) -> Who:
    return Who(actor.role, actor.org, actor.id)


def _called(reviewer: str, reader: Actor, tongue: Tongue) -> str:
    return reviewer if may_know_reviewers(reader) else tongue.say(SOME_REVIEWER)


def _words(fact: ClaimEvent) -> tuple[Kind, str] | None:
    """What somebody said by this event, if it is of a kind that belongs in the thread."""
    match fact:
        case Claim.Commented():
            return Kind.COMMENT, fact.text
        case Claim.ActionRequired():
            return Kind.ACTION_REQUIRED, fact.comment
        case Claim.Resubmitted():
            return Kind.RESUBMISSION, fact.comment
        case Claim.Approved() | Claim.Rejected() | Claim.DisputeUpheld() | Claim.DisputeDismissed():
            return Kind.DECISION, fact.note
        case Claim.Disputed():
            return Kind.DISPUTE, fact.justification
        case Claim.RejectionRequested():
            return Kind.EXPLANATION, fact.explanation
        case Claim.ConsentDeclined():
            return Kind.EXPLANATION, fact.reason
        case _:
            return None
