"""Whether a command would be accepted: the claim itself decides, on a copy that nobody keeps."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from domain.access import SENDERS
from domain.actor import Actor
from domain.claim import Claim, ClaimEvent
from domain.command import (
    AnyCommand,
    ApproveClaim,
    AssignReviewer,
    AttachPoe,
    DismissDispute,
    DocumentData,
    EditClaim,
    OpenDispute,
    PostComment,
    RejectClaim,
    RequestRejection,
    RequireAction,
    ResubmitClaim,
    StartReview,
    SubmitClaim,
    UpholdDispute,
)
from domain.event import Cause
from domain.refusal import Refusal
from domain.vocabulary import ActionReason, RejectionReason
from services.claims.router import Terms, decide
from services.web.backend import Backend

_NEW: Final = DocumentData(
    digest=f"sha256:{0:064x}", filename="new", media_type="text/plain", size=0
)
_TRIALS: Final[Mapping[str, AnyCommand]] = MappingProxyType(
    {
        each.NAME: each
        for each in (
            EditClaim(mpn_id="0"),
            AttachPoe(document=_NEW),
            SubmitClaim(),
            ResubmitClaim(),
            RequestRejection(explanation="-"),
            OpenDispute(justification="-"),
            PostComment(text="-"),
            StartReview(),
            AssignReviewer(reviewer="0"),
            RequireAction(reasons=(ActionReason.MISSING_ALL_POE,), comment="-"),
            ApproveClaim(),
            RejectClaim(reasons=(RejectionReason.INSUFFICIENT_POE,), note="-"),
            UpholdDispute(note="-"),
            DismissDispute(note="-"),
        )
    }
)
"""What people may ask of a claim on pages, each filled in well."""


def folded(events: Iterable[ClaimEvent]) -> Claim:
    """The claim that has come to be by these events, of which there is one at least."""
    claim: Any = None
    for fact in events:
        claim = fact.mutate(claim)
    whole: Claim = claim
    return whole


def refusals(
    backend: Backend, events: Iterable[ClaimEvent], actor: Actor, now: datetime
) -> dict[str, Refusal | None]:
    """Each command that the actor's role may send, and what it would be refused for now."""
    facts = list(events)
    return {
        name: refusal(command, backend, facts, actor, now)
        for name, command in _TRIALS.items()
        if actor.role in SENDERS[name]
    }


def refusal(
    command: AnyCommand,
    backend: Backend,
    events: Iterable[ClaimEvent],
    actor: Actor,
    now: datetime,
) -> Refusal | None:
    """What the claim would refuse this command of the actor's for now; None if for nothing."""
    claim = folded(events)
    terms = Terms(backend.policy, backend.catalogue, b"")
    cause = Cause(actor=actor, command_id="trial")
    try:
        decide(command, claim, claim_id=claim.id, others={}, terms=terms, cause=cause, now=now)
    except Refusal as refused:
        return refused
    return None
