"""A claim: its events, its decisions, and how it evolves (R1 to R24)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Self, assert_never, get_args
from uuid import UUID

from eventsourcing.domain import BaseAggregate
from pydantic import AwareDatetime

from domain.catalogue import Catalogue
from domain.event import (
    Cause,
    ContactRef,
    Customer,
    Document,
    DomainEvent,
    Fact,
    OpenedClock,
)
from domain.lifecycle import LIFECYCLE, RULES, Phase, phase_of
from domain.policy import Policy
from domain.refusal import (
    AlreadyExists,
    FieldError,
    Invalid,
    NotAllowed,
    NotPossible,
    NotYetDue,
    StaleVersion,
    TooLate,
)
from domain.vocabulary import (
    ActionReason,
    Activity,
    Assessment,
    AssessmentResult,
    ClockName,
    Consent,
    Dispute,
    Programme,
    RejectionReason,
    Role,
    SolutionArea,
    Status,
)

MAX_DOCUMENTS = 20
"""How many documents a claim may have."""


class Remembered(NamedTuple):
    """An accepted command: its content's digest, its first and last event's versions, and when."""

    digest: str
    first: int
    last: int
    at: datetime


class Details(Fact):
    """What a partner states in creating a claim (R1); in an edit, the fields that change."""

    name: str | None = None
    mpn_id: str | None = None
    customer: Customer | None = None
    solution_area: SolutionArea | None = None
    activities: tuple[Activity, ...] | None = None
    products: tuple[str, ...] | None = None
    subscription_ids: tuple[str, ...] | None = None
    customer_contact: ContactRef | None = None
    partner_contact: ContactRef | None = None


EDITABLE_AFTER_SUBMISSION = frozenset({"mpn_id", "products", "customer_contact", "partner_contact"})
"""The only fields that may change once a claim has been submitted (R21)."""


SUPERSEDES_NONE = FieldError("/supersedes", "names no rejected claim of this organisation")


class Claim(BaseAggregate[UUID]):
    """One partner's request to be associated with one customer for a set of products."""

    TOPIC = "claim"
    Event = DomainEvent

    # Events. Topics and field names are the storage format: add, never rename.

    class Created(DomainEvent):
        TOPIC = "claim.created"
        org: str
        name: str
        mpn_id: str
        customer: Customer
        solution_area: SolutionArea
        activities: tuple[Activity, ...]
        products: tuple[str, ...]
        subscription_ids: tuple[str, ...]
        customer_contact: ContactRef
        partner_contact: ContactRef
        supersedes: UUID | None = None

        def mutate(self, aggregate: Any) -> Any:  # noqa: ANN401 - as the library has it
            """Begin the claim: there is none before its first event."""
            if aggregate is not None:
                msg = f"claim {self.originator_id} was created twice"
                raise ValueError(msg)
            claim = Claim.__new__(Claim)
            claim.__base_init__(self.originator_id, self.originator_version, self.timestamp)
            Claim.__init__(claim)
            claim.evolve(self)
            return claim

    class Edited(DomainEvent):
        TOPIC = "claim.edited"
        changes: Details

    class PoeAttached(DomainEvent):
        TOPIC = "claim.poe_attached"
        document: Document
        note: str = ""

    class Submitted(DomainEvent):
        TOPIC = "claim.submitted"
        policy: Policy
        calendar_version: str
        clocks: tuple[OpenedClock, ...]
        decision_target_at: AwareDatetime

    class Resubmitted(DomainEvent):
        TOPIC = "claim.resubmitted"
        comment: str = ""
        clocks: tuple[OpenedClock, ...]
        decision_target_at: AwareDatetime
        paused_days: int
        """Business days that the partner has held the claim so far (R15g)."""

    class ReviewStarted(DomainEvent):
        TOPIC = "claim.review_started"
        reviewer: str
        clocks: tuple[OpenedClock, ...]

    class ReviewerAssigned(DomainEvent):
        TOPIC = "claim.reviewer_assigned"
        reviewer: str

    class ActionRequired(DomainEvent):
        TOPIC = "claim.action_required"
        reasons: tuple[ActionReason, ...]
        products: tuple[str, ...] = ()
        comment: str
        clocks: tuple[OpenedClock, ...]

    class Approved(DomainEvent):
        TOPIC = "claim.approved"
        note: str = ""
        clocks: tuple[OpenedClock, ...]

    class Rejected(DomainEvent):
        TOPIC = "claim.rejected"
        reasons: tuple[RejectionReason, ...]
        note: str = ""
        clocks: tuple[OpenedClock, ...] = ()

    class ConsentDeclined(DomainEvent):
        TOPIC = "claim.consent_declined"
        reason: str = ""

    class RejectionRequested(DomainEvent):
        TOPIC = "claim.rejection_requested"
        explanation: str

    class Disputed(DomainEvent):
        TOPIC = "claim.disputed"
        justification: str = ""
        clocks: tuple[OpenedClock, ...]

    class DisputeUpheld(DomainEvent):
        TOPIC = "claim.dispute_upheld"
        note: str

    class DisputeDismissed(DomainEvent):
        TOPIC = "claim.dispute_dismissed"
        note: str = ""
        reasons: tuple[RejectionReason, ...]

    class Commented(DomainEvent):
        TOPIC = "claim.commented"
        text: str
        internal: bool = False

    class AssessmentRecorded(DomainEvent):
        TOPIC = "claim.assessment_recorded"
        programme: Programme
        result: AssessmentResult
        note: str = ""

    class ReviewStartOverdue(DomainEvent):
        TOPIC = "claim.review_start_overdue"
        due_at: AwareDatetime

    class ReviewOverdue(DomainEvent):
        TOPIC = "claim.review_overdue"
        due_at: AwareDatetime

    class DisputeResultOverdue(DomainEvent):
        TOPIC = "claim.dispute_result_overdue"
        due_at: AwareDatetime

    class PartnerResponseExpired(DomainEvent):
        TOPIC = "claim.partner_response_expired"
        due_at: AwareDatetime

    class ConsentElapsed(DomainEvent):
        TOPIC = "claim.consent_elapsed"
        due_at: AwareDatetime

    class SentForAssessment(DomainEvent):
        TOPIC = "claim.sent_for_assessment"

    class DisputeWindowClosed(DomainEvent):
        TOPIC = "claim.dispute_window_closed"
        due_at: AwareDatetime

    # Decisions: check the rules, then state the facts.

    @classmethod
    def create(  # noqa: PLR0913 - a claim has that many required details (R1)
        cls,
        claim_id: UUID,
        *,
        org: str,
        name: str,
        mpn_id: str,
        customer: Customer,
        solution_area: SolutionArea,
        activities: Sequence[Activity],
        products: Sequence[str],
        subscription_ids: Sequence[str],
        customer_contact: ContactRef,
        partner_contact: ContactRef,
        supersedes: "Claim | None" = None,
        catalogue: Catalogue,
        cause: Cause,
        now: datetime,
    ) -> Self:
        """Begin a claim (R1); it may supersede a rejected one of the same organisation (R13)."""
        if supersedes is not None and (
            supersedes.org != org or supersedes.status is not Status.REJECTED
        ):
            raise Invalid([SUPERSEDES_NONE], rule="R13")
        _require_offered(
            catalogue,
            solution_area,
            activities,
            products,
            subscription_ids,
            now,
            rule="R1",
        )
        created = cls.Created(
            originator_id=claim_id,
            originator_version=1,
            timestamp=now,
            cause=cause,
            org=org,
            name=name,
            mpn_id=mpn_id,
            customer=customer,
            solution_area=solution_area,
            activities=tuple(activities),
            products=tuple(products),
            subscription_ids=tuple(subscription_ids),
            customer_contact=customer_contact,
            partner_contact=partner_contact,
            supersedes=supersedes.id if supersedes else None,
        )
        claim: Self = created.mutate(None)
        claim.pending_events.append(created)
        return claim

    def edit(self, *, changes: Details, catalogue: Catalogue, cause: Cause, now: datetime) -> None:
        """Change details; after submission only some, and only where the policy allows it (R21)."""
        self._require_possible("edit_claim")
        if self.policy is not None:
            if self.status not in self.policy.editable_after_submission:
                raise self._not_possible("edit_claim")
            locked = changes.model_fields_set - EDITABLE_AFTER_SUBMISSION
            if locked:
                raise Invalid(
                    [FieldError(f"/{f}", "cannot change after submission") for f in sorted(locked)],
                    rule="R21",
                )
        if changes.model_fields_set & {
            "solution_area",
            "activities",
            "products",
            "subscription_ids",
        }:
            _require_offered(
                catalogue,
                changes.solution_area or self.solution_area,
                self.activities if changes.activities is None else changes.activities,
                self.products if changes.products is None else changes.products,
                self.subscription_ids
                if changes.subscription_ids is None
                else changes.subscription_ids,
                now,
                rule="R21",
                kept=self.products,
            )
        self._state(self.Edited, changes=changes, cause=cause, now=now)

    def attach(self, *, document: Document, note: str = "", cause: Cause, now: datetime) -> None:
        """Add a proof of execution; it is never deleted (R21)."""
        self._require_possible("attach_poe")
        self._require_room_for([document], "/document")
        self._state(self.PoeAttached, document=document, note=note, cause=cause, now=now)

    def submit(self, *, policy: Policy, calendar_version: str, cause: Cause, now: datetime) -> None:
        """Hand the claim in; from now on it lives by this policy, recorded whole (R2, R17)."""
        self._require_possible("submit_claim")
        policy = policy.recorded(now)
        if not self.documents:
            raise NotPossible(
                "a claim needs at least one proof of execution before it can be submitted",
                rule="R2",
                status=self.status,
            )
        self._state(
            self.Submitted,
            policy=policy,
            calendar_version=calendar_version,
            clocks=(_opened(policy, ClockName.REVIEW_START, now),),
            decision_target_at=policy.decision_target_at(now, paused_days=0),
            cause=cause,
            now=now,
        )

    def start_review(self, *, cause: Cause, now: datetime) -> None:
        """Begin validating the proof; the reviewer who does so is assigned (R3)."""
        self._require_possible("start_review")
        self._state(
            self.ReviewStarted,
            reviewer=cause.actor.id,
            clocks=self._clocks(ClockName.REVIEW_DECISION, now),
            cause=cause,
            now=now,
        )

    def assign_reviewer(self, *, reviewer: str, cause: Cause, now: datetime) -> None:
        """Hand the review to another reviewer (R3)."""
        self._require_possible("assign_reviewer")
        self._state(self.ReviewerAssigned, reviewer=reviewer, cause=cause, now=now)

    def require_action(
        self,
        *,
        reasons: Sequence[ActionReason],
        products: Sequence[str] = (),
        comment: str,
        cause: Cause,
        now: datetime,
    ) -> None:
        """Ask the partner for more, for reasons of R19 that may name products (R4, R22)."""
        self._require_possible("require_action")
        self._require_other_reviewer_in_dispute(cause)
        unknown = [
            FieldError(f"/products/{i}", f"{code} is not claimed")
            for i, code in enumerate(products)
            if code not in self.products
        ]
        if unknown:
            raise Invalid(unknown, rule="R4")
        self._state(
            self.ActionRequired,
            reasons=tuple(reasons),
            products=tuple(products),
            comment=comment,
            clocks=self._clocks(ClockName.PARTNER_RESPONSE, now),
            cause=cause,
            now=now,
        )

    def resubmit(self, *, comment: str = "", cause: Cause, now: datetime) -> None:
        """Hand the claim in again: for review, or in a dispute for its result (R5, R12)."""
        self._require_possible("resubmit_claim")
        self._require_in_time(now, "the partner's time to respond", rule="R15c")
        clock = ClockName.DISPUTE_RESULT if self.dispute is Dispute.OPEN else ClockName.REVIEW_START
        paused_days = self.paused_days + self._terms.calendar.business_days_after(
            self.action_required_at, now
        )
        self._state(
            self.Resubmitted,
            comment=comment,
            clocks=self._clocks(clock, now),
            decision_target_at=self._terms.decision_target_at(
                self.submitted_at, paused_days=paused_days
            ),
            paused_days=paused_days,
            cause=cause,
            now=now,
        )

    def approve(self, *, note: str = "", cause: Cause, now: datetime) -> None:
        """Accept the proof; the customer may now opt out (R6)."""
        self._require_possible("approve_claim")
        self._approve(note=note, cause=cause, now=now)

    def reject(
        self, *, reasons: Sequence[RejectionReason], note: str, cause: Cause, now: datetime
    ) -> None:
        """Turn the claim down (R7); the partner may dispute it (R11)."""
        self._require_possible("reject_claim")
        self._reject(reasons, note=note, clock=ClockName.DISPUTE_WINDOW, cause=cause, now=now)

    def decline_consent(self, *, reason: str = "", cause: Cause, now: datetime) -> None:
        """The customer opts out; the claim is never sent for assessment (R8)."""
        if self.consent is Consent.ELAPSED:
            raise TooLate("the consent period has passed", rule="R8")
        self._require_possible("decline_consent")
        self._require_in_time(now, "the consent period", rule="R8")
        self._state(self.ConsentDeclined, reason=reason, cause=cause, now=now)
        self._reject([RejectionReason.CUSTOMER_DECLINED], cause=cause, now=now)

    def request_rejection(self, *, explanation: str, cause: Cause, now: datetime) -> None:
        """The partner gives its own association up, at once (R10)."""
        self._require_possible("request_rejection")
        self._state(self.RejectionRequested, explanation=explanation, cause=cause, now=now)
        if self.dispute is Dispute.OPEN:
            self._state(self.DisputeDismissed, reasons=self.rejection_reasons, cause=cause, now=now)
        self._reject([RejectionReason.PARTNER_REQUEST], cause=cause, now=now)

    def open_dispute(
        self,
        *,
        justification: str = "",
        documents: Sequence[Document] = (),
        cause: Cause,
        now: datetime,
    ) -> None:
        """Contest a rejection, with a justification or new proof or both (R11)."""
        if self.dispute is Dispute.WINDOW_CLOSED:
            raise TooLate("the dispute window has closed", rule="R11")
        self._require_possible("open_dispute")
        self._require_in_time(now, "the dispute window", rule="R11")
        if not justification and not documents:
            raise Invalid(
                [FieldError("/justification", "a justification or a new document is needed")],
                rule="R11",
            )
        self._require_room_for(documents, "/documents")
        for document in documents:
            self._state(self.PoeAttached, document=document, cause=cause, now=now)
        self._state(
            self.Disputed,
            justification=justification,
            clocks=self._clocks(ClockName.DISPUTE_RESULT, now),
            cause=cause,
            now=now,
        )

    def uphold_dispute(self, *, note: str, cause: Cause, now: datetime) -> None:
        """Find for the partner: approved, with a new and full consent period (R12)."""
        self._require_possible("uphold_dispute")
        self._require_other_reviewer_in_dispute(cause)
        self._state(self.DisputeUpheld, note=note, cause=cause, now=now)
        self._approve(cause=cause, now=now)

    def dismiss_dispute(self, *, note: str, cause: Cause, now: datetime) -> None:
        """Let the rejection stand, finally (R12)."""
        self._require_possible("dismiss_dispute")
        self._require_other_reviewer_in_dispute(cause)
        self._state(
            self.DisputeDismissed, note=note, reasons=self.rejection_reasons, cause=cause, now=now
        )

    def comment(self, *, text: str, internal: bool = False, cause: Cause, now: datetime) -> None:
        """Add to the thread (R23); internal comments are reviewers' own (R24)."""
        self._require_possible("post_comment")
        if internal and cause.actor.role is not Role.REVIEWER:
            raise NotAllowed("only reviewers write internal comments", rule="R24")
        self._state(self.Commented, text=text, internal=internal, cause=cause, now=now)

    def record_assessment(
        self,
        *,
        programme: Programme,
        result: AssessmentResult,
        note: str = "",
        cause: Cause,
        now: datetime,
    ) -> None:
        """Record a programme's result; a later one replaces it (R29)."""
        self._require_possible("record_assessment")
        self._state(
            self.AssessmentRecorded,
            programme=programme,
            result=result,
            note=note,
            cause=cause,
            now=now,
        )

    def pass_deadline(
        self, *, clock: ClockName, due_at: datetime, cause: Cause, now: datetime
    ) -> None:
        """Let that very clock pass, while it is open, due and not already passed (R18)."""
        running = self.clock
        if running is None or running.clock is not clock or running.due_at != due_at:
            raise NotPossible(
                f"no clock {clock} that is due at this instant is open",
                rule="R18",
                status=self.status,
            )
        if self.clock_passed:
            raise NotPossible(
                f"the clock {clock} has already passed", rule="R18", status=self.status
            )
        if now < due_at:
            raise NotYetDue(
                f"the clock {clock} is not due before {due_at.isoformat()}",
                due_at=due_at,
                status=self.status,
            )
        match clock:
            case ClockName.REVIEW_START:
                self._state(self.ReviewStartOverdue, due_at=due_at, cause=cause, now=now)
            case ClockName.REVIEW_DECISION:
                self._state(self.ReviewOverdue, due_at=due_at, cause=cause, now=now)
            case ClockName.DISPUTE_RESULT:
                self._state(self.DisputeResultOverdue, due_at=due_at, cause=cause, now=now)
            case ClockName.PARTNER_RESPONSE:
                self._expire_partner_response(due_at, cause=cause, now=now)
            case ClockName.CONSENT:
                self._state(self.ConsentElapsed, due_at=due_at, cause=cause, now=now)
                self._state(self.SentForAssessment, cause=cause, now=now)
            case ClockName.DISPUTE_WINDOW:
                self._state(self.DisputeWindowClosed, due_at=due_at, cause=cause, now=now)
            case _:
                assert_never(clock)

    def require_version(self, seen: int) -> None:
        """Refuse when something that counts came since the version that the actor saw (R14)."""
        changed = [name for version, name in self.changes if version > seen]
        if changed or seen > self.version:
            raise StaleVersion(
                f"the claim is at version {self.version}, the decision was made on version {seen}",
                current_version=self.version,
                changed=changed,
            )

    @property
    def phase(self) -> Phase:
        """Where in its life the claim is."""
        return phase_of(
            self.status, self.consent, self.dispute, self.clock.clock if self.clock else None
        )

    def _expire_partner_response(self, due_at: datetime, *, cause: Cause, now: datetime) -> None:
        in_dispute = self.dispute is Dispute.OPEN
        self._state(self.PartnerResponseExpired, due_at=due_at, cause=cause, now=now)
        if in_dispute:
            reasons = (*self.rejection_reasons, RejectionReason.NO_PARTNER_RESPONSE)
            self._state(
                self.DisputeDismissed,
                reasons=tuple(dict.fromkeys(reasons)),
                cause=cause,
                now=now,
            )
        else:
            self._reject(
                [RejectionReason.NO_PARTNER_RESPONSE],
                clock=ClockName.DISPUTE_WINDOW,
                cause=cause,
                now=now,
            )

    def _approve(self, *, note: str = "", cause: Cause, now: datetime) -> None:
        self._state(
            self.Approved,
            note=note,
            clocks=self._clocks(ClockName.CONSENT, now),
            cause=cause,
            now=now,
        )

    def _reject(
        self,
        reasons: Sequence[RejectionReason],
        *,
        note: str = "",
        clock: ClockName | None = None,
        cause: Cause,
        now: datetime,
    ) -> None:
        self._state(
            self.Rejected,
            reasons=tuple(reasons),
            note=note,
            clocks=self._clocks(clock, now) if clock else (),
            cause=cause,
            now=now,
        )

    def _state(
        self, fact: type[DomainEvent], *, cause: Cause, now: datetime, **fields: object
    ) -> None:
        self.trigger_event(fact, timestamp=now, cause=cause, **fields)

    def _clocks(self, clock: ClockName, now: datetime) -> tuple[OpenedClock, ...]:
        return (_opened(self._terms, clock, now),)

    @property
    def _terms(self) -> Policy:
        """The policy frozen at the first submission."""
        if self.policy is None:
            msg = f"claim {self.id} has a clock before its first submission"
            raise AssertionError(msg)
        return self.policy

    def _not_possible(self, command: str) -> NotPossible:
        return NotPossible(
            f"{command} is not possible in the state {self.phase}",
            rule=RULES[command],
            status=self.status,
        )

    def _require_possible(self, command: str) -> None:
        if command not in LIFECYCLE[self.phase].possible:
            raise self._not_possible(command)

    def _require_in_time(self, now: datetime, period: str, *, rule: str) -> None:
        if self.clock is not None and now >= self.clock.due_at:
            raise TooLate(f"{period} has passed", rule=rule)

    def _require_other_reviewer_in_dispute(self, cause: Cause) -> None:
        if self.dispute is Dispute.OPEN and cause.actor.id == self.rejected_by:
            raise NotAllowed(
                "a dispute is decided by another reviewer than the one who rejected", rule="R12"
            )

    def _require_room_for(self, documents: Sequence[Document], pointer: str) -> None:
        attached = {document.digest for document in self.documents}
        for document in documents:
            if document.digest in attached:
                raise AlreadyExists(f"{document.filename} is already attached to this claim")
            attached.add(document.digest)
        if len(attached) > MAX_DOCUMENTS:
            raise Invalid(
                [FieldError(pointer, f"a claim has at most {MAX_DOCUMENTS} documents")], rule="R21"
            )

    # Evolution: assign state, decide nothing.

    def __init__(self) -> None:
        self.org = ""
        self.solution_area = SolutionArea.MICROSOFT_365
        self.activities: tuple[Activity, ...] = ()
        self.products: tuple[str, ...] = ()
        self.subscription_ids: tuple[str, ...] = ()
        self.documents: tuple[Document, ...] = ()
        self.status = Status.EDITING
        self.consent = Consent.NONE
        self.dispute = Dispute.NONE
        self.assessment = Assessment.NOT_SENT
        self.results: dict[Programme, AssessmentResult] = {}
        self.reviewer: str | None = None
        self.rejected_by: str | None = None
        self.rejection_reasons: tuple[RejectionReason, ...] = ()
        self.policy: Policy | None = None
        self.clock: OpenedClock | None = None
        self.clock_passed = False
        self.submitted_at = self.created_on
        self.action_required_at = self.created_on
        self.paused_days = 0
        self.changes: list[tuple[int, str]] = []
        self.commands: dict[str, Remembered] = {}

    def evolve(self, fact: "ClaimEvent") -> None:
        """Take in what has happened."""
        self._remember(fact)
        match fact:
            case Claim.Created():
                self.org = fact.org
                self.solution_area = fact.solution_area
                self.activities = fact.activities
                self.products = fact.products
                self.subscription_ids = fact.subscription_ids
            case Claim.Edited():
                self._take_over(fact.changes)
            case Claim.PoeAttached():
                self.documents = (*self.documents, fact.document)
            case Claim.Submitted():
                self.status = Status.SUBMITTED
                self.policy = fact.policy
                self.submitted_at = fact.timestamp
                self._run(fact.clocks)
            case Claim.Resubmitted():
                self.status = Status.REJECTED if self.dispute is Dispute.OPEN else Status.SUBMITTED
                self.paused_days = fact.paused_days
                self._run(fact.clocks)
            case Claim.ReviewStarted():
                self.status = Status.UNDER_REVIEW
                self.reviewer = fact.reviewer
                self._run(fact.clocks)
            case Claim.ReviewerAssigned():
                self.reviewer = fact.reviewer
            case Claim.ActionRequired():
                self.status = Status.PARTNER_ACTION_REQUIRED
                self.action_required_at = fact.timestamp
                self._run(fact.clocks)
            case Claim.Approved():
                self.status = Status.APPROVED
                self.consent = Consent.PENDING
                self.rejection_reasons = ()
                self._run(fact.clocks)
            case Claim.Rejected():
                self.status = Status.REJECTED
                self.rejection_reasons = fact.reasons
                self.rejected_by = (
                    fact.cause.actor.id if fact.cause.actor.role is Role.REVIEWER else None
                )
                if self.consent is Consent.PENDING:
                    self.consent = Consent.NONE
                self._run(fact.clocks)
            case Claim.ConsentDeclined():
                self.consent = Consent.DECLINED
            case Claim.RejectionRequested():
                pass
            case Claim.Disputed():
                self.dispute = Dispute.OPEN
                self._run(fact.clocks)
            case Claim.DisputeUpheld():
                self.dispute = Dispute.UPHELD
            case Claim.DisputeDismissed():
                self.status = Status.REJECTED
                self.dispute = Dispute.DISMISSED
                self.rejection_reasons = fact.reasons
                self._run(())
            case Claim.Commented():
                pass
            case Claim.AssessmentRecorded():
                self.results[fact.programme] = fact.result
                self.assessment = (
                    Assessment.ELIGIBLE
                    if AssessmentResult.ELIGIBLE in self.results.values()
                    else Assessment.INELIGIBLE
                )
            case Claim.ReviewStartOverdue() | Claim.ReviewOverdue() | Claim.DisputeResultOverdue():
                self.clock_passed = True
            case Claim.PartnerResponseExpired():
                self._run(())
            case Claim.ConsentElapsed():
                self.consent = Consent.ELAPSED
                self._run(())
            case Claim.SentForAssessment():
                self.assessment = Assessment.SENT
            case Claim.DisputeWindowClosed():
                self.dispute = Dispute.WINDOW_CLOSED
                self._run(())
            case _:
                assert_never(fact)

    def _take_over(self, changes: Details) -> None:
        if changes.solution_area is not None:
            self.solution_area = changes.solution_area
        if changes.activities is not None:
            self.activities = changes.activities
        if changes.products is not None:
            self.products = changes.products
        if changes.subscription_ids is not None:
            self.subscription_ids = changes.subscription_ids

    def _run(self, clocks: tuple[OpenedClock, ...]) -> None:
        """Close the clock that ran, and start the one that this event opens, if any."""
        self.clock = clocks[0] if clocks else None
        self.clock_passed = False

    def _remember(self, fact: "ClaimEvent") -> None:
        version = fact.originator_version
        known = self.commands.get(fact.cause.command_id)
        self.commands[fact.cause.command_id] = Remembered(
            fact.cause.digest, known.first if known else version, version, fact.timestamp
        )
        if type(fact) not in WITHOUT_WEIGHT:
            self.changes.append((version, fact.event_name()))


ClaimEvent = (
    Claim.Created
    | Claim.Edited
    | Claim.PoeAttached
    | Claim.Submitted
    | Claim.Resubmitted
    | Claim.ReviewStarted
    | Claim.ReviewerAssigned
    | Claim.ActionRequired
    | Claim.Approved
    | Claim.Rejected
    | Claim.ConsentDeclined
    | Claim.RejectionRequested
    | Claim.Disputed
    | Claim.DisputeUpheld
    | Claim.DisputeDismissed
    | Claim.Commented
    | Claim.AssessmentRecorded
    | Claim.ReviewStartOverdue
    | Claim.ReviewOverdue
    | Claim.DisputeResultOverdue
    | Claim.PartnerResponseExpired
    | Claim.ConsentElapsed
    | Claim.SentForAssessment
    | Claim.DisputeWindowClosed
)
"""Everything that can happen to a claim."""

EVENTS: Mapping[str, type[ClaimEvent]] = MappingProxyType(
    {event.event_name(): event for event in get_args(ClaimEvent)}
)
"""Every event by its name on the wire."""

WITHOUT_WEIGHT = frozenset(
    {
        Claim.Commented,
        Claim.ReviewerAssigned,
        Claim.RejectionRequested,
        Claim.ConsentElapsed,
        Claim.SentForAssessment,
        Claim.AssessmentRecorded,
        Claim.ReviewStartOverdue,
        Claim.ReviewOverdue,
        Claim.DisputeResultOverdue,
    }
)
"""Events that make no seen version stale (R14)."""


def _opened(policy: Policy, clock: ClockName, now: datetime) -> OpenedClock:
    due = policy.due(clock, now)
    return OpenedClock(
        clock=clock,
        opened_at=now,
        due_at=due.due_at,
        due_soon_at=due.due_soon_at,
        skipped=due.skipped,
    )


def _require_offered(
    catalogue: Catalogue,
    solution_area: SolutionArea,
    activities: Sequence[Activity],
    products: Sequence[str],
    subscription_ids: Sequence[str],
    now: datetime,
    *,
    rule: str,
    kept: Sequence[str] = (),
) -> None:
    problems = catalogue.problems(
        solution_area, activities, products, subscription_ids, now.date(), kept=kept
    )
    if problems:
        raise Invalid(problems, rule=rule)
