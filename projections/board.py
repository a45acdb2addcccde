"""The claim board: every claim as it stands, one row each (R28)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from domain.claim import Claim, ClaimEvent, Details
from domain.event import Document, OpenedClock
from domain.lifecycle import LIFECYCLE, Phase, phase_of
from domain.policy import Policy
from domain.vocabulary import (
    Assessment,
    AssessmentResult,
    ClockName,
    Consent,
    Dispute,
    Sla,
    Status,
    Turn,
)


class NotNext(ValueError):  # noqa: N818 - named by what is wrong with the event
    """An event is not the next one of its claim: something is missing in between."""

    def __init__(self, fact: ClaimEvent, version: int) -> None:
        super().__init__(
            f"claim {fact.originator_id}: version {fact.originator_version} ({fact.event_name()}) "
            f"follows version {version}"
        )
        self.fact = fact


@dataclass(slots=True)
class ClaimRow:
    """A claim as it stands; `version` tells how far it has been read."""

    claim_id: UUID
    version: int
    name: str
    org: str
    mpn_id: str
    customer_name: str
    customer_domain: str
    tenant_id: UUID
    solution_area: str
    activities: tuple[str, ...]
    products: tuple[str, ...]
    subscription_ids: tuple[str, ...]
    customer_contact: UUID
    """Id of the contact, who is kept apart (R30); so is `partner_contact`."""
    partner_contact: UUID
    supersedes: UUID | None
    created_at: datetime
    updated_at: datetime
    """When the last event of any kind happened."""
    documents: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    status: Status = Status.EDITING
    consent: Consent = Consent.NONE
    dispute: Dispute = Dispute.NONE
    assessment: Assessment = Assessment.NOT_SENT
    assessments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """One for each programme (R29)."""
    whose_turn: Turn = Turn.PARTNER
    clock: ClockName | None = None
    """The open clock, if any; the next four belong to it."""
    clock_opened_at: datetime | None = None
    due_at: datetime | None = None
    due_soon_at: datetime | None = None
    passed: bool = False
    """Whether it is recorded that the open clock has passed: the target was missed."""
    decision_target_at: datetime | None = None
    """R15g; none while the partner holds the claim."""
    reviewer: str | None = None
    rejection_reasons: tuple[str, ...] = ()
    action_reasons: tuple[str, ...] = ()
    """Why action is required; none after resubmission."""
    policy: str | None = None
    submitted_at: datetime | None = None
    """When it was first submitted."""
    decided_at: datetime | None = None
    """When it was last approved or rejected, or its dispute dismissed."""

    @property
    def phase(self) -> Phase:
        """Where in its life the claim is."""
        return phase_of(self.status, self.consent, self.dispute, self.clock)

    def sla(self, now: datetime) -> Sla:
        """How the open clock stands at that time (R16); without one all is well."""
        if self.due_at is None or self.due_soon_at is None:
            return Sla.OK
        if self.passed or self.due_at <= now:
            return Sla.MISSED
        return Sla.DUE_SOON if self.due_soon_at <= now else Sla.OK

    def run(self, clocks: Sequence[OpenedClock]) -> None:
        """Close the clock that ran, and start the one that an event opens, if any."""
        self.passed = False
        if clocks:
            opened = clocks[0]
            self.clock = opened.clock
            self.clock_opened_at = opened.opened_at
            self.due_at = opened.due_at
            self.due_soon_at = opened.due_soon_at
        else:
            self.clock = self.clock_opened_at = self.due_at = self.due_soon_at = None


def project(row: ClaimRow | None, fact: ClaimEvent) -> ClaimRow:
    """The row after this event; the row is changed in place.

    An event that the row has already seen changes nothing. Raises NotNext for one that comes too
    early.
    """
    version = fact.originator_version
    if row is None:
        if isinstance(fact, Claim.Created) and version == 1:
            return _begun(fact)
        raise NotNext(fact, 0)
    if version <= row.version:
        return row
    if version != row.version + 1:
        raise NotNext(fact, row.version)
    row.version = version
    row.updated_at = fact.timestamp
    match fact:
        case Claim.Created():
            raise NotNext(fact, row.version - 1)
        case Claim.Edited():
            _edit(row, fact.changes)
        case Claim.PoeAttached():
            row.documents.append(_attached(fact.document, fact.note, fact.timestamp))
        case Claim.Submitted():
            row.status = Status.SUBMITTED
            row.policy = fact.policy.name
            row.submitted_at = fact.timestamp
            row.decision_target_at = fact.decision_target_at
            row.run(fact.clocks)
        case Claim.Resubmitted():
            row.status = Status.REJECTED if row.dispute is Dispute.OPEN else Status.SUBMITTED
            row.decision_target_at = fact.decision_target_at
            row.action_reasons = ()
            row.run(fact.clocks)
        case Claim.ReviewStarted():
            row.status = Status.UNDER_REVIEW
            row.reviewer = fact.reviewer
            row.run(fact.clocks)
        case Claim.ReviewerAssigned():
            row.reviewer = fact.reviewer
        case Claim.ActionRequired():
            row.status = Status.PARTNER_ACTION_REQUIRED
            row.action_reasons = fact.reasons
            row.decision_target_at = None
            row.run(fact.clocks)
        case Claim.Approved():
            row.status = Status.APPROVED
            row.consent = Consent.PENDING
            row.rejection_reasons = ()
            row.decided_at = fact.timestamp
            row.run(fact.clocks)
        case Claim.Rejected():
            row.status = Status.REJECTED
            row.rejection_reasons = fact.reasons
            row.decided_at = fact.timestamp
            if row.consent is Consent.PENDING:
                row.consent = Consent.NONE
            row.run(fact.clocks)
        case Claim.ConsentDeclined():
            row.consent = Consent.DECLINED
        case Claim.RejectionRequested() | Claim.Commented():
            pass
        case Claim.Disputed():
            row.dispute = Dispute.OPEN
            row.run(fact.clocks)
        case Claim.DisputeUpheld():
            row.dispute = Dispute.UPHELD
        case Claim.DisputeDismissed():
            row.status = Status.REJECTED
            row.dispute = Dispute.DISMISSED
            row.rejection_reasons = fact.reasons
            row.decided_at = fact.timestamp
            row.run(())
        case Claim.AssessmentRecorded():
            _assess(row, fact)
        case Claim.ReviewStartOverdue() | Claim.ReviewOverdue() | Claim.DisputeResultOverdue():
            row.passed = True
        case Claim.PartnerResponseExpired():
            row.run(())
        case Claim.ConsentElapsed():
            row.consent = Consent.ELAPSED
            row.run(())
        case Claim.SentForAssessment():
            row.assessment = Assessment.SENT
        case Claim.DisputeWindowClosed():
            row.dispute = Dispute.WINDOW_CLOSED
            row.run(())
        case _:
            assert_never(fact)
    row.whose_turn = LIFECYCLE[row.phase].turn
    return row


def past(
    events: Iterable[ClaimEvent], *, version: int | None = None, as_of: datetime | None = None
) -> ClaimRow | None:
    """A claim as it stood at a version or an instant, by its own events; None before the first."""
    row = None
    for fact in events:
        if version is not None and fact.originator_version > version:
            break
        if as_of is not None and fact.timestamp > as_of:
            break
        row = project(row, fact)
    return row


def recorded_policy(events: Iterable[ClaimEvent]) -> Policy:
    """The policy that a claim recorded when it was submitted, by its own events."""
    return next(each.policy for each in events if isinstance(each, Claim.Submitted))


def last_approval(events: Sequence[ClaimEvent]) -> Claim.Approved | None:
    """A claim's last approval, the one that opened its consent period, by its own events."""
    return next((each for each in reversed(events) if isinstance(each, Claim.Approved)), None)


def _begun(fact: Claim.Created) -> ClaimRow:
    return ClaimRow(
        claim_id=fact.originator_id,
        version=fact.originator_version,
        name=fact.name,
        org=fact.org,
        mpn_id=fact.mpn_id,
        customer_name=fact.customer.name,
        customer_domain=fact.customer.domain,
        tenant_id=fact.customer.tenant_id,
        solution_area=fact.solution_area,
        activities=fact.activities,
        products=fact.products,
        subscription_ids=fact.subscription_ids,
        customer_contact=fact.customer_contact.id,
        partner_contact=fact.partner_contact.id,
        supersedes=fact.supersedes,
        created_at=fact.timestamp,
        updated_at=fact.timestamp,
    )


def _edit(row: ClaimRow, changes: Details) -> None:
    if changes.name is not None:
        row.name = changes.name
    if changes.mpn_id is not None:
        row.mpn_id = changes.mpn_id
    if changes.customer is not None:
        row.customer_name = changes.customer.name
        row.customer_domain = changes.customer.domain
        row.tenant_id = changes.customer.tenant_id
    if changes.solution_area is not None:
        row.solution_area = changes.solution_area
    if changes.activities is not None:
        row.activities = changes.activities
    if changes.products is not None:
        row.products = changes.products
    if changes.subscription_ids is not None:
        row.subscription_ids = changes.subscription_ids
    if changes.customer_contact is not None:
        row.customer_contact = changes.customer_contact.id
    if changes.partner_contact is not None:
        row.partner_contact = changes.partner_contact.id


def _attached(document: Document, note: str, at: datetime) -> dict[str, Any]:
    return {
        "digest": document.digest,
        "filename": document.filename,
        "media_type": document.media_type,
        "size": document.size,
        "note": note,
        "attached_at": instant(at),
    }


def _assess(row: ClaimRow, fact: Claim.AssessmentRecorded) -> None:
    """A programme's later result replaces its earlier one; one eligible programme is enough."""
    recorded: dict[str, Any] = {
        "programme": fact.programme.value,
        "result": fact.result.value,
        "note": fact.note,
        "recorded_at": instant(fact.timestamp),
    }
    others = [each for each in row.assessments if each["programme"] != fact.programme]
    row.assessments = [*others, recorded]
    eligible = any(each["result"] == AssessmentResult.ELIGIBLE for each in row.assessments)
    row.assessment = Assessment.ELIGIBLE if eligible else Assessment.INELIGIBLE


def instant(at: datetime) -> str:
    """An instant as it stands on the wire: RFC 3339, UTC."""
    return at.isoformat().replace("+00:00", "Z")
