"""Example facts, as tests tell them: `given(created(), poe_attached(), submitted())` is a claim.

A fact that no claim has taken in yet has the version 0; `given` and `stated` see to the versions.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

import pytest

from domain.actor import Actor
from domain.catalogue import Catalogue
from domain.claim import Claim, ClaimEvent, Details
from domain.event import Cause, ContactRef, Customer, Document, DomainEvent, OpenedClock
from domain.lifecycle import Phase
from domain.policy import Policy
from domain.refusal import Refusal
from domain.vocabulary import (
    ActionReason,
    Activity,
    AssessmentResult,
    ClockName,
    Programme,
    RejectionReason,
    Role,
    SolutionArea,
)

POLICIES = Path(__file__).parents[2] / "policies"
SEED = Policy.from_toml((POLICIES / "seed-2021.toml").read_text("utf-8"))
PARTNER_CENTER = Policy.from_toml((POLICIES / "partner-center-2023.toml").read_text("utf-8"))
CATALOGUE = Catalogue.from_toml((POLICIES / "catalogue.toml").read_text("utf-8"))
CALENDAR_VERSION = "calendar of the examples"

UNPLACED = 0
CLAIM_ID = UUID("c1a10000-0000-4000-8000-000000000001")
ORG = "1234567"


def instant(text: str) -> datetime:
    """An instant as tests write it: 2021-05-18T00:00Z."""
    return datetime.fromisoformat(text)


# May 2021, in UTC: the 3rd is a Monday.
CREATED_AT = instant("2021-05-03T09:00Z")
ATTACHED_AT = instant("2021-05-03T10:00Z")
SUBMITTED_AT = instant("2021-05-04T09:00Z")
REVIEW_STARTED_AT = instant("2021-05-06T09:00Z")
DECIDED_AT = instant("2021-05-10T09:00Z")
RESUBMITTED_AT = instant("2021-05-12T09:00Z")
DISPUTED_AT = instant("2021-05-20T09:00Z")
DISPUTE_DECIDED_AT = instant("2021-05-24T09:00Z")

# Due instants of the clocks that those facts open, counted by hand (R16).
REVIEW_START_DUE = instant("2021-05-12T00:00Z")
REVIEW_DECISION_DUE = instant("2021-05-14T00:00Z")
PARTNER_RESPONSE_DUE = instant("2021-05-18T00:00Z")
CONSENT_DUE = instant("2021-05-18T00:00Z")
DISPUTE_WINDOW_DUE = instant("2021-06-10T00:00Z")
DISPUTE_RESULT_DUE = instant("2021-05-28T00:00Z")
DECISION_TARGET = instant("2021-05-19T00:00Z")


def by(role: Role, actor_id: str, *, org: str | None = None, command_id: str = "command") -> Cause:
    """A command of an actor in this role."""
    return Cause(actor=Actor(role=role, org=org, id=actor_id), command_id=command_id)


def by_partner(actor_id: str = "ayse", *, org: str = ORG, command_id: str = "command") -> Cause:
    """A command of an incentives admin of the claim's organisation."""
    return by(Role.INCENTIVES_ADMIN, actor_id, org=org, command_id=command_id)


def by_reviewer(actor_id: str = "deniz", *, command_id: str = "command") -> Cause:
    """A command of a reviewer."""
    return by(Role.REVIEWER, actor_id, command_id=command_id)


def by_customer(*, command_id: str = "command") -> Cause:
    """A command of the customer's contact."""
    return by(Role.CUSTOMER, "contact", command_id=command_id)


def by_assessor(*, command_id: str = "command") -> Cause:
    """A command of the assessor."""
    return by(Role.ASSESSOR, "assessor", command_id=command_id)


def by_timer(*, command_id: str = "command") -> Cause:
    """A command of the timer."""
    return by(Role.TIMER, "timer", command_id=command_id)


PARTNER = by_partner()
REVIEWER = by_reviewer()
OTHER_REVIEWER = by_reviewer("selin")
CUSTOMER = by_customer()
ASSESSOR = by_assessor()
TIMER = by_timer()


def document(number: int = 1) -> Document:
    """One of many documents, each with content of its own."""
    return Document(
        digest=f"sha256:{number:064x}",
        filename=f"statement-of-work-{number}.pdf",
        media_type="application/pdf",
        size=1_000 + number,
    )


CONTOSO = Customer(
    name="Contoso",
    domain="contoso.example",
    tenant_id=UUID("7e4a0000-0000-4000-8000-000000000001"),
)
CUSTOMER_CONTACT = ContactRef(
    id=UUID("c0a7ac70-0000-4000-8000-000000000001"), digest="digest of the customer contact"
)
PARTNER_CONTACT = ContactRef(
    id=UUID("c0a7ac70-0000-4000-8000-000000000002"), digest="digest of the partner contact"
)


def opened(
    clock: ClockName, at: datetime, due: datetime | None = None, *, policy: Policy = SEED
) -> tuple[OpenedClock]:
    """A clock, due as the policy has it or at the given instant."""
    computed = policy.due(clock, at)
    return (
        OpenedClock(
            clock=clock,
            opened_at=at,
            due_at=due or computed.due_at,
            due_soon_at=min(due or computed.due_soon_at, computed.due_soon_at),
            skipped=computed.skipped,
        ),
    )


_Event = TypeVar("_Event", bound=DomainEvent)


def _fact(event: type[_Event], at: datetime, cause: Cause, **fields: object) -> _Event:
    return event(
        originator_id=CLAIM_ID,
        originator_version=UNPLACED,
        timestamp=at,
        cause=cause,
        **fields,
    )


def created(
    *,
    at: datetime = CREATED_AT,
    cause: Cause = PARTNER,
    org: str = ORG,
    solution_area: SolutionArea = SolutionArea.MICROSOFT_365,
    activities: Sequence[Activity] = (Activity.USAGE,),
    products: Sequence[str] = ("teams", "exchange"),
    subscription_ids: Sequence[str] = (),
    supersedes: UUID | None = None,
) -> Claim.Created:
    """A partner began a claim for Teams and Exchange."""
    return _fact(
        Claim.Created,
        at,
        cause,
        org=org,
        name="Contoso collaboration",
        mpn_id="7654321",
        customer=CONTOSO,
        solution_area=solution_area,
        activities=tuple(activities),
        products=tuple(products),
        subscription_ids=tuple(subscription_ids),
        customer_contact=CUSTOMER_CONTACT,
        partner_contact=PARTNER_CONTACT,
        supersedes=supersedes,
    )


def edited(changes: Details, *, at: datetime = ATTACHED_AT, cause: Cause = PARTNER) -> Claim.Edited:
    """The partner changed details."""
    return _fact(Claim.Edited, at, cause, changes=changes)


def poe_attached(
    number: int = 1, *, note: str = "", at: datetime = ATTACHED_AT, cause: Cause = PARTNER
) -> Claim.PoeAttached:
    """The partner attached one of the example documents."""
    return _fact(Claim.PoeAttached, at, cause, document=document(number), note=note)


def submitted(
    *,
    at: datetime = SUBMITTED_AT,
    cause: Cause = PARTNER,
    policy: Policy = SEED,
    review_start_due: datetime | None = None,
    decision_target_at: datetime | None = None,
) -> Claim.Submitted:
    """The partner handed the claim in, under the given policy."""
    return _fact(
        Claim.Submitted,
        at,
        cause,
        policy=policy,
        calendar_version=CALENDAR_VERSION,
        clocks=opened(ClockName.REVIEW_START, at, review_start_due, policy=policy),
        decision_target_at=decision_target_at or policy.decision_target_at(at, paused_days=0),
    )


def review_started(
    *,
    at: datetime = REVIEW_STARTED_AT,
    cause: Cause = REVIEWER,
    review_decision_due: datetime | None = None,
) -> Claim.ReviewStarted:
    """A reviewer began with the claim."""
    return _fact(
        Claim.ReviewStarted,
        at,
        cause,
        reviewer=cause.actor.id,
        clocks=opened(ClockName.REVIEW_DECISION, at, review_decision_due),
    )


def reviewer_assigned(
    reviewer: str = "selin", *, at: datetime = REVIEW_STARTED_AT, cause: Cause = REVIEWER
) -> Claim.ReviewerAssigned:
    """The review was handed to another reviewer."""
    return _fact(Claim.ReviewerAssigned, at, cause, reviewer=reviewer)


def action_required(
    *,
    reasons: Sequence[ActionReason] = (ActionReason.MISSING_OR_OLD_DATES,),
    products: Sequence[str] = (),
    comment: str = "Please add the dates.",
    at: datetime = DECIDED_AT,
    cause: Cause = REVIEWER,
    partner_response_due: datetime | None = None,
) -> Claim.ActionRequired:
    """A reviewer asked the partner for more."""
    return _fact(
        Claim.ActionRequired,
        at,
        cause,
        reasons=tuple(reasons),
        products=tuple(products),
        comment=comment,
        clocks=opened(ClockName.PARTNER_RESPONSE, at, partner_response_due),
    )


def resubmitted(
    *,
    comment: str = "",
    clock: ClockName = ClockName.REVIEW_START,
    paused_days: int = 2,
    submitted_at: datetime = SUBMITTED_AT,
    at: datetime = RESUBMITTED_AT,
    cause: Cause = PARTNER,
    due: datetime | None = None,
) -> Claim.Resubmitted:
    """The partner handed the claim in again, two business days after it was asked for more."""
    return _fact(
        Claim.Resubmitted,
        at,
        cause,
        comment=comment,
        clocks=opened(clock, at, due),
        decision_target_at=SEED.decision_target_at(submitted_at, paused_days=paused_days),
        paused_days=paused_days,
    )


def approved(
    *,
    note: str = "",
    at: datetime = DECIDED_AT,
    cause: Cause = REVIEWER,
    consent_due: datetime | None = None,
) -> Claim.Approved:
    """A reviewer approved the claim; the customer may opt out."""
    return _fact(
        Claim.Approved, at, cause, note=note, clocks=opened(ClockName.CONSENT, at, consent_due)
    )


def rejected(
    *,
    reasons: Sequence[RejectionReason] = (RejectionReason.INSUFFICIENT_POE,),
    note: str = "The proof says nothing about usage.",
    at: datetime = DECIDED_AT,
    cause: Cause = REVIEWER,
    dispute_window_due: datetime | None = None,
) -> Claim.Rejected:
    """A reviewer rejected the claim; the partner may dispute it."""
    return _fact(
        Claim.Rejected,
        at,
        cause,
        reasons=tuple(reasons),
        note=note,
        clocks=opened(ClockName.DISPUTE_WINDOW, at, dispute_window_due),
    )


def rejected_for_good(
    reason: RejectionReason, *, at: datetime = DECIDED_AT, cause: Cause = PARTNER
) -> Claim.Rejected:
    """The claim was rejected without a dispute window."""
    return _fact(Claim.Rejected, at, cause, reasons=(reason,))


def consent_declined(
    *, reason: str = "", at: datetime = RESUBMITTED_AT, cause: Cause = CUSTOMER
) -> Claim.ConsentDeclined:
    """The customer opted out."""
    return _fact(Claim.ConsentDeclined, at, cause, reason=reason)


def rejection_requested(
    *,
    explanation: str = "We no longer work with this customer.",
    at: datetime = DECIDED_AT,
    cause: Cause = PARTNER,
) -> Claim.RejectionRequested:
    """The partner gave its own association up."""
    return _fact(Claim.RejectionRequested, at, cause, explanation=explanation)


def disputed(
    *,
    justification: str = "The usage stands on page 3.",
    at: datetime = DISPUTED_AT,
    cause: Cause = PARTNER,
    dispute_result_due: datetime | None = None,
) -> Claim.Disputed:
    """The partner contested the rejection."""
    return _fact(
        Claim.Disputed,
        at,
        cause,
        justification=justification,
        clocks=opened(ClockName.DISPUTE_RESULT, at, dispute_result_due),
    )


def dispute_upheld(
    *,
    note: str = "Page 3 proves it.",
    at: datetime = DISPUTE_DECIDED_AT,
    cause: Cause = OTHER_REVIEWER,
) -> Claim.DisputeUpheld:
    """Another reviewer found for the partner."""
    return _fact(Claim.DisputeUpheld, at, cause, note=note)


def dispute_dismissed(
    *,
    note: str = "Page 3 is blank.",
    reasons: Sequence[RejectionReason] = (RejectionReason.INSUFFICIENT_POE,),
    at: datetime = DISPUTE_DECIDED_AT,
    cause: Cause = OTHER_REVIEWER,
) -> Claim.DisputeDismissed:
    """Another reviewer let the rejection stand."""
    return _fact(Claim.DisputeDismissed, at, cause, note=note, reasons=tuple(reasons))


def commented(
    text: str = "Which seats do you mean?",
    *,
    internal: bool = False,
    at: datetime = DECIDED_AT,
    cause: Cause = REVIEWER,
) -> Claim.Commented:
    """Somebody added to the thread."""
    return _fact(Claim.Commented, at, cause, text=text, internal=internal)


def assessment_recorded(
    programme: Programme = Programme.OSU,
    result: AssessmentResult = AssessmentResult.ELIGIBLE,
    *,
    note: str = "",
    at: datetime = DISPUTED_AT,
    cause: Cause = ASSESSOR,
) -> Claim.AssessmentRecorded:
    """The assessor recorded a result."""
    return _fact(Claim.AssessmentRecorded, at, cause, programme=programme, result=result, note=note)


def review_start_overdue(
    due_at: datetime = REVIEW_START_DUE, *, at: datetime | None = None, cause: Cause = TIMER
) -> Claim.ReviewStartOverdue:
    """No reviewer began in time."""
    return _fact(Claim.ReviewStartOverdue, at or due_at, cause, due_at=due_at)


def review_overdue(
    due_at: datetime = REVIEW_DECISION_DUE, *, at: datetime | None = None, cause: Cause = TIMER
) -> Claim.ReviewOverdue:
    """No reviewer decided in time."""
    return _fact(Claim.ReviewOverdue, at or due_at, cause, due_at=due_at)


def dispute_result_overdue(
    due_at: datetime = DISPUTE_RESULT_DUE, *, at: datetime | None = None, cause: Cause = TIMER
) -> Claim.DisputeResultOverdue:
    """No reviewer decided the dispute in time."""
    return _fact(Claim.DisputeResultOverdue, at or due_at, cause, due_at=due_at)


def partner_response_expired(
    due_at: datetime = PARTNER_RESPONSE_DUE, *, at: datetime | None = None, cause: Cause = TIMER
) -> Claim.PartnerResponseExpired:
    """The partner did not resubmit in time."""
    return _fact(Claim.PartnerResponseExpired, at or due_at, cause, due_at=due_at)


def consent_elapsed(
    due_at: datetime = CONSENT_DUE, *, at: datetime | None = None, cause: Cause = TIMER
) -> Claim.ConsentElapsed:
    """The customer said nothing: silence is consent."""
    return _fact(Claim.ConsentElapsed, at or due_at, cause, due_at=due_at)


def sent_for_assessment(
    *, at: datetime = CONSENT_DUE, cause: Cause = TIMER
) -> Claim.SentForAssessment:
    """The claim was handed to the assessor."""
    return _fact(Claim.SentForAssessment, at, cause)


def dispute_window_closed(
    due_at: datetime = DISPUTE_WINDOW_DUE, *, at: datetime | None = None, cause: Cause = TIMER
) -> Claim.DisputeWindowClosed:
    """The partner let the dispute window pass."""
    return _fact(Claim.DisputeWindowClosed, at or due_at, cause, due_at=due_at)


EDITING: tuple[ClaimEvent, ...] = (created(), poe_attached())
SUBMITTED = (*EDITING, submitted())
UNDER_REVIEW = (*SUBMITTED, review_started())
ACTION_REQUIRED = (*UNDER_REVIEW, action_required())
CONSENT_PENDING = (*UNDER_REVIEW, approved())
CONSENT_ELAPSED = (*CONSENT_PENDING, consent_elapsed(), sent_for_assessment())
DISPUTABLE = (*UNDER_REVIEW, rejected())
DISPUTED = (*DISPUTABLE, disputed())
ACTION_REQUIRED_IN_DISPUTE = (
    *DISPUTED,
    action_required(at=DISPUTE_DECIDED_AT, cause=OTHER_REVIEWER),
)
UPHELD = (*DISPUTED, dispute_upheld(), approved(at=DISPUTE_DECIDED_AT, cause=OTHER_REVIEWER))
DISMISSED = (*DISPUTED, dispute_dismissed())
WINDOW_CLOSED = (*DISPUTABLE, dispute_window_closed())
DECLINED = (
    *CONSENT_PENDING,
    consent_declined(),
    rejected_for_good(RejectionReason.CUSTOMER_DECLINED, at=RESUBMITTED_AT, cause=CUSTOMER),
)
WITHDRAWN = (
    *UNDER_REVIEW,
    rejection_requested(),
    rejected_for_good(RejectionReason.PARTNER_REQUEST),
)

HISTORIES: Mapping[Phase, tuple[ClaimEvent, ...]] = MappingProxyType(
    {
        Phase.EDITING: EDITING,
        Phase.SUBMITTED: SUBMITTED,
        Phase.UNDER_REVIEW: UNDER_REVIEW,
        Phase.ACTION_REQUIRED: ACTION_REQUIRED,
        Phase.ACTION_REQUIRED_IN_DISPUTE: ACTION_REQUIRED_IN_DISPUTE,
        Phase.CONSENT_PENDING: CONSENT_PENDING,
        Phase.CONSENT_ELAPSED: CONSENT_ELAPSED,
        Phase.DISPUTABLE: DISPUTABLE,
        Phase.DISPUTED: DISPUTED,
        Phase.FINAL: WITHDRAWN,
    }
)
"""One way into each phase."""


def given(*facts: ClaimEvent) -> Claim:
    """The claim to which this has happened."""
    claim: Any = None
    for version, fact in enumerate(facts, start=1):
        claim = fact.model_copy(update={"originator_version": version}).mutate(claim)
    if not isinstance(claim, Claim):
        raise TypeError("nothing has happened yet, so there is no claim")
    return claim


def stated(claim: Claim) -> list[DomainEvent]:
    """What the claim has stated since it was given or last asked, its versions without gap."""
    events = [event for event in claim.collect_events() if isinstance(event, DomainEvent)]
    first = claim.version - len(events) + 1
    assert [e.originator_version for e in events] == list(range(first, claim.version + 1))
    return [event.model_copy(update={"originator_version": UNPLACED}) for event in events]


@contextmanager
def refused(claim: Claim, expected: Refusal) -> Generator[None]:
    """What stands in the block is refused exactly so, and changes nothing about the claim."""
    before = deepcopy(claim)
    with pytest.raises(type(expected)) as caught:
        yield
    found = caught.value
    assert (type(found), vars(found)) == (type(expected), vars(expected)), vars(found)
    assert claim == before, "a refusal has changed the claim"
