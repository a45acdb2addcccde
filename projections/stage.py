"""The stages of a claim's life: when it entered and left each, and how far it has come by now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

from domain.claim import Claim, ClaimEvent
from domain.lifecycle import Phase
from projections.board import NotNext


class Step(IntEnum):
    """How far a claim has come on the way to an association; each step implies those before it."""

    CREATED = 0
    SUBMITTED = 1
    REVIEW_STARTED = 2
    DECIDED = 3
    """Approved, or rejected after its review had started."""
    APPROVED = 4
    CONSENT_ELAPSED = 5


@dataclass(slots=True)
class Standing:
    """The stage that a claim is in, and how far it has come."""

    claim_id: UUID
    version: int
    """Of the last event that changed any of this."""
    org: str
    created_at: datetime
    step: int
    stage: Phase
    entered_at: datetime
    missed: bool
    """Whether the stage's clock has passed."""


class EndedStage(NamedTuple):
    """A stage that a claim has left."""

    claim_id: UUID
    version: int
    """Of the event that ended it."""
    org: str
    stage: Phase
    entered_at: datetime
    left_at: datetime
    minutes: int
    """How long it took: whole minutes."""
    missed: bool
    reasons: Sequence[str] | None
    """Why the claim was rejected, when that ended the stage."""


_MINUTE: Final = timedelta(minutes=1)

MOVING: Final = (
    Claim.Created,
    Claim.Submitted,
    Claim.Resubmitted,
    Claim.ReviewStarted,
    Claim.ActionRequired,
    Claim.Approved,
    Claim.Rejected,
    Claim.Disputed,
    Claim.DisputeDismissed,
    Claim.ConsentElapsed,
    Claim.DisputeWindowClosed,
    Claim.ReviewStartOverdue,
    Claim.ReviewOverdue,
    Claim.DisputeResultOverdue,
    Claim.PartnerResponseExpired,
)
"""The events that change a claim's standing; all others leave it as it is."""


def follow(
    standing: Standing | None, fact: ClaimEvent
) -> tuple[Standing | None, EndedStage | None]:
    """The standing after an event, and the stage that the event ended, if any.

    The standing is changed in place; an event that it has seen changes nothing. Raises NotNext
    when there is no claim yet that it could be about.
    """
    if isinstance(fact, Claim.Created):
        return standing or _begun(fact), None
    if not isinstance(fact, MOVING):
        return standing, None
    if standing is None:
        raise NotNext(fact, 0)
    if fact.originator_version <= standing.version:
        return standing, None
    stage = _entered(standing.stage, fact)
    standing.version = fact.originator_version
    if stage is None:
        standing.missed = True
        return standing, None
    reasons: Sequence[str] | None = None
    if isinstance(fact, Claim.Rejected):
        reasons = [reason.value for reason in fact.reasons]
    ended = EndedStage(
        standing.claim_id,
        standing.version,
        standing.org,
        standing.stage,
        standing.entered_at,
        fact.timestamp,
        (fact.timestamp - standing.entered_at) // _MINUTE,
        standing.missed,
        reasons,
    )
    standing.stage, standing.entered_at, standing.missed = stage, fact.timestamp, False
    standing.step = _step(standing.step, fact)
    return standing, ended


def _begun(fact: Claim.Created) -> Standing:
    return Standing(
        claim_id=fact.originator_id,
        version=fact.originator_version,
        org=fact.org,
        created_at=fact.timestamp,
        step=Step.CREATED.value,
        stage=Phase.EDITING,
        entered_at=fact.timestamp,
        missed=False,
    )


def _entered(stage: Phase, fact: ClaimEvent) -> Phase | None:
    """The stage that an event of MOVING leads to from this one; None when a clock passed in it."""
    match fact:
        case Claim.Submitted():
            return Phase.SUBMITTED
        case Claim.Resubmitted():
            in_dispute = stage is Phase.ACTION_REQUIRED_IN_DISPUTE
            return Phase.DISPUTED if in_dispute else Phase.SUBMITTED
        case Claim.ReviewStarted():
            return Phase.UNDER_REVIEW
        case Claim.ActionRequired():
            in_dispute = stage is Phase.DISPUTED
            return Phase.ACTION_REQUIRED_IN_DISPUTE if in_dispute else Phase.ACTION_REQUIRED
        case Claim.Approved():
            return Phase.CONSENT_PENDING
        case Claim.Rejected():
            return Phase.DISPUTABLE if fact.clocks else Phase.FINAL
        case Claim.Disputed():
            return Phase.DISPUTED
        case Claim.DisputeDismissed() | Claim.DisputeWindowClosed():
            return Phase.FINAL
        case Claim.ConsentElapsed():
            return Phase.CONSENT_ELAPSED
        case _:
            return None


def _step(step: int, fact: ClaimEvent) -> int:
    match fact:
        case Claim.Submitted():
            return max(step, Step.SUBMITTED.value)
        case Claim.ReviewStarted():
            return max(step, Step.REVIEW_STARTED.value)
        case Claim.Rejected() if step == Step.REVIEW_STARTED:
            return Step.DECIDED.value
        case Claim.Approved():
            return max(step, Step.APPROVED.value)
        case Claim.ConsentElapsed():
            return max(step, Step.CONSENT_ELAPSED.value)
        case _:
            return step
