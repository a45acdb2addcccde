"""A claim's history and thread, told from its own events when somebody reads them (R23, R24).

What a reader may not know is left out here, once: internal comments, and which reviewer it was.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from domain.access import may_know_reviewers, may_read_internal_notes
from domain.actor import Actor
from domain.claim import Claim, ClaimEvent, Details
from domain.event import OpenedClock
from domain.vocabulary import Role, Side
from projections.board import ClaimRow, project

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
    """One English sentence or two."""
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


def history(events: Iterable[ClaimEvent], *, reader: Actor) -> list[HistoryItem]:
    """Every change, comment and action that the reader may see, in order, from the first event."""
    return list(_history(events, reader))


def comments(events: Iterable[ClaimEvent], *, reader: Actor) -> list[ThreadItem]:
    """The thread: all that was said to each other, in order."""
    return [
        ThreadItem(
            version=fact.originator_version,
            time=fact.timestamp,
            actor=_who(fact.cause.actor, reader),
            side=fact.cause.actor.side,
            kind=words[0],
            text=words[1],
            internal=_is_internal(fact),
        )
        for fact in events
        if _may_see(fact, reader) and (words := _words(fact)) and words[1]
    ]


def _history(events: Iterable[ClaimEvent], reader: Actor) -> Iterator[HistoryItem]:
    row: ClaimRow | None = None
    for fact in events:
        text = _sentence(fact, row, reader)
        row = project(row, fact)
        if _may_see(fact, reader):
            yield HistoryItem(
                version=fact.originator_version,
                event=fact.event_name(),
                time=fact.timestamp,
                actor=_who(fact.cause.actor, reader),
                side=fact.cause.actor.side,
                text=text,
                data=_data(fact, reader),
            )


def _may_see(fact: ClaimEvent, reader: Actor) -> bool:
    return not _is_internal(fact) or may_read_internal_notes(reader)


def _is_internal(fact: ClaimEvent) -> bool:
    return isinstance(fact, Claim.Commented) and fact.internal


def _who(actor: Actor, reader: Actor) -> Who:
    known = actor.role is not Role.REVIEWER or may_know_reviewers(reader)
    return Who(actor.role, actor.org, actor.id if known else SOME_REVIEWER)


def _data(fact: ClaimEvent, reader: Actor) -> dict[str, Any]:
    data = fact.model_dump(mode="json", exclude={"timestamp", "cause"}, exclude_none=True)
    if "reviewer" in data:
        data["reviewer"] = _reviewer(data["reviewer"], reader)
    return data


def _reviewer(reviewer: str, reader: Actor) -> str:
    return reviewer if may_know_reviewers(reader) else SOME_REVIEWER


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


def _sentence(fact: ClaimEvent, row: ClaimRow | None, reader: Actor) -> str:
    """What happened; `row` is the claim before it."""
    match fact:
        case Claim.Created():
            return (
                f"Created the claim “{fact.name}” for {fact.customer.name} "
                f"({fact.customer.domain}): {_listed(fact.products)}."
            )
        case Claim.Edited():
            return f"Changed {_joined(_changes(row, fact.changes))}." if row else "Changed."
        case Claim.PoeAttached():
            return _with(f"Attached the proof of execution {fact.document.filename}.", fact.note)
        case Claim.Submitted():
            return f"Submitted for review under the policy {fact.policy.name}.{_due(fact.clocks)}"
        case Claim.Resubmitted():
            return _with(f"Resubmitted.{_due(fact.clocks)}", fact.comment)
        case Claim.ReviewStarted():
            return f"{_reviewer(fact.reviewer, reader)} started the review.{_due(fact.clocks)}"
        case Claim.ReviewerAssigned():
            return f"Assigned the review to {_reviewer(fact.reviewer, reader)}."
        case Claim.ActionRequired():
            about = f" (about {_listed(fact.products)})" if fact.products else ""
            asked = f"Required partner action{about}: {_listed(fact.reasons)}.{_due(fact.clocks)}"
            return _with(asked, fact.comment)
        case Claim.Approved():
            return _with(f"Approved.{_due(fact.clocks)}", fact.note)
        case Claim.Rejected():
            return _with(f"Rejected: {_listed(fact.reasons)}.{_due(fact.clocks)}", fact.note)
        case Claim.ConsentDeclined():
            return _with("The customer declined the association.", fact.reason)
        case Claim.RejectionRequested():
            return _with("The partner asked to have the claim rejected.", fact.explanation)
        case Claim.Disputed():
            return _with(f"Disputed the rejection.{_due(fact.clocks)}", fact.justification)
        case Claim.DisputeUpheld():
            return _with("Upheld the dispute.", fact.note)
        case Claim.DisputeDismissed():
            return _with(f"The dispute was dismissed: {_listed(fact.reasons)}.", fact.note)
        case Claim.Commented():
            return f"{'Noted internally' if fact.internal else 'Commented'}: {fact.text}"
        case Claim.AssessmentRecorded():
            assessed = f"Assessed for {_readable(fact.programme)}: {fact.result}."
            return _with(assessed, fact.note)
        case Claim.ReviewStartOverdue():
            return f"The review was to start before {_time(fact.due_at)}: target missed."
        case Claim.ReviewOverdue():
            return f"The review was to be decided before {_time(fact.due_at)}: target missed."
        case Claim.DisputeResultOverdue():
            return f"The dispute was to be decided before {_time(fact.due_at)}: target missed."
        case Claim.PartnerResponseExpired():
            return f"The partner did not respond before {_time(fact.due_at)}."
        case Claim.ConsentElapsed():
            return f"The customer did not decline before {_time(fact.due_at)}: that is consent."
        case Claim.SentForAssessment():
            return "Sent to be assessed for incentives."
        case Claim.DisputeWindowClosed():
            return f"Nobody disputed the rejection before {_time(fact.due_at)}: it is final."
        case _:
            assert_never(fact)


def _changes(row: ClaimRow, changes: Details) -> Iterator[str]:
    """Each field that an edit changes: what it was, and what it is."""
    if changes.name is not None:
        yield f"the name from “{row.name}” to “{changes.name}”"
    if changes.mpn_id is not None:
        yield f"the MPN id from {row.mpn_id} to {changes.mpn_id}"
    if changes.customer is not None:
        before = f"{row.customer_name} ({row.customer_domain}, {row.tenant_id})"
        customer = changes.customer
        yield (
            f"the customer from {before} to {customer.name} ({customer.domain}, "
            f"{customer.tenant_id})"
        )
    if changes.solution_area is not None:
        area = _readable(changes.solution_area)
        yield f"the solution area from {_readable(row.solution_area)} to {area}"
    if changes.activities is not None:
        yield _moved("the activities", row.activities, changes.activities)
    if changes.products is not None:
        yield _moved("the products", row.products, changes.products)
    if changes.subscription_ids is not None:
        yield _moved("the subscription ids", row.subscription_ids, changes.subscription_ids)
    if changes.customer_contact is not None:
        yield "the customer contact"
    if changes.partner_contact is not None:
        yield "the partner contact"


def _moved(what: str, before: Sequence[str], after: Sequence[str]) -> str:
    return f"{what} from {', '.join(before) or 'none'} to {', '.join(after) or 'none'}"


_NEXT: Final = {
    "review_start": "The review is to start",
    "review_decision": "A decision is due",
    "partner_response": "The partner is to respond",
    "consent": "The customer may decline",
    "dispute_window": "The partner may dispute it",
    "dispute_result": "A decision on the dispute is due",
}


def _due(clocks: Sequence[OpenedClock]) -> str:
    """What is to happen next, and until when."""
    return "".join(f" {_NEXT[each.clock]} before {_time(each.due_at)}." for each in clocks)


def _time(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _with(sentence: str, words: str) -> str:
    return f"{sentence} {words}" if words else sentence


def _listed(codes: Sequence[str]) -> str:
    return ", ".join(map(_readable, codes))


def _readable(code: str) -> str:
    return code.replace("_", " ")


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts)
