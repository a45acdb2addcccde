"""Who is told of what, and when (R26)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

from domain.actor import PARTNER_ROLES
from domain.claim import Claim, ClaimEvent
from domain.event import OpenedClock
from domain.lifecycle import Phase
from domain.policy import Policy
from domain.vocabulary import ClockName, RejectionReason


class Recipient(StrEnum):
    """Who is told: a contact of the claim, or the reviewers together."""

    PARTNER = "partner"
    CUSTOMER = "customer"
    REVIEWERS = "reviewers"


class Kind(StrEnum):
    """What somebody is told."""

    ACTION_REQUIRED = "action_required"
    APPROVED = "approved"
    REJECTED = "rejected"
    CUSTOMER_DECLINED = "customer_declined"
    CONSENT_ELAPSED = "consent_elapsed"
    DISPUTE_UPHELD = "dispute_upheld"
    DISPUTE_DISMISSED = "dispute_dismissed"
    RESPONSE_REMINDER = "response_reminder"
    DISPUTE_REMINDER = "dispute_reminder"
    CONSENT_NOTICE = "consent_notice"
    CONSENT_REMINDER = "consent_reminder"
    NEW_WORK = "new_work"
    TARGET_SOON = "target_soon"
    TARGET_MISSED = "target_missed"

    @property
    def recipient(self) -> Recipient:
        """Who is told that."""
        match self:
            case Kind.CONSENT_NOTICE | Kind.CONSENT_REMINDER:
                return Recipient.CUSTOMER
            case Kind.NEW_WORK | Kind.TARGET_SOON | Kind.TARGET_MISSED:
                return Recipient.REVIEWERS
            case (
                Kind.ACTION_REQUIRED
                | Kind.APPROVED
                | Kind.REJECTED
                | Kind.CUSTOMER_DECLINED
                | Kind.CONSENT_ELAPSED
                | Kind.DISPUTE_UPHELD
                | Kind.DISPUTE_DISMISSED
                | Kind.RESPONSE_REMINDER
                | Kind.DISPUTE_REMINDER
            ):
                return Recipient.PARTNER
            case _:
                assert_never(self)


REMINDERS: Final = frozenset(
    {Kind.RESPONSE_REMINDER, Kind.DISPUTE_REMINDER, Kind.CONSENT_REMINDER, Kind.TARGET_SOON}
)
"""What is told because of a clock that is still open."""
FLEETING: Final = REMINDERS | {Kind.CONSENT_NOTICE}
"""What is of no use, or untrue, once its clock has closed."""
OPTIONAL: Final = REMINDERS - {Kind.TARGET_SOON}
"""What a person may switch off; what is due soon, the reviewers hear together (R26)."""

_REMINDED_OF: Final[Mapping[ClockName, Kind]] = MappingProxyType(
    {
        ClockName.PARTNER_RESPONSE: Kind.RESPONSE_REMINDER,
        ClockName.DISPUTE_WINDOW: Kind.DISPUTE_REMINDER,
        ClockName.CONSENT: Kind.CONSENT_REMINDER,
    }
)
_TARGETS: Final = frozenset(
    {ClockName.REVIEW_START, ClockName.REVIEW_DECISION, ClockName.DISPUTE_RESULT}
)


class Reminder(NamedTuple):
    """What is to be told before a clock is due."""

    kind: Kind
    number: int
    """Among those of its clock, from 1 on."""
    remind_at: datetime


def told(fact: ClaimEvent, before: Phase | None) -> Iterator[Kind]:
    """What is told because of an event; `before` is where the claim was, None for a new one.

    A command that records several events is told of once: a decline and not the rejection that
    comes with it, a dispute that is upheld and not the approval, a rejection at the partner's
    request and not that its dispute ends.
    """
    match fact:
        case Claim.Submitted() | Claim.Resubmitted() | Claim.Disputed():
            yield Kind.NEW_WORK
        case Claim.ActionRequired():
            yield Kind.ACTION_REQUIRED
        case Claim.Approved():
            yield Kind.CONSENT_NOTICE
            if before is Phase.UNDER_REVIEW:
                yield Kind.APPROVED
        case Claim.Rejected() if (
            before is not Phase.EDITING and RejectionReason.CUSTOMER_DECLINED not in fact.reasons
        ):
            yield Kind.REJECTED
        case Claim.ConsentDeclined():
            yield Kind.CUSTOMER_DECLINED
        case Claim.ConsentElapsed():
            yield Kind.CONSENT_ELAPSED
        case Claim.DisputeUpheld():
            yield Kind.DISPUTE_UPHELD
        case Claim.DisputeDismissed() if fact.cause.actor.role not in PARTNER_ROLES:
            yield Kind.DISPUTE_DISMISSED
        case Claim.ReviewStartOverdue() | Claim.ReviewOverdue() | Claim.DisputeResultOverdue():
            yield Kind.TARGET_MISSED
        case (
            Claim.Created()
            | Claim.Edited()
            | Claim.PoeAttached()
            | Claim.ReviewStarted()
            | Claim.ReviewerAssigned()
            | Claim.Rejected()
            | Claim.RejectionRequested()
            | Claim.DisputeDismissed()
            | Claim.Commented()
            | Claim.AssessmentRecorded()
            | Claim.PartnerResponseExpired()
            | Claim.SentForAssessment()
            | Claim.DisputeWindowClosed()
        ):
            pass
        case _:
            assert_never(fact)


def reminders(opened: OpenedClock, policy: Policy) -> Iterator[Reminder]:
    """What is told before a clock is due, by the claim's own recorded policy and calendar (R17).

    Nothing for an instant that the clock's opening does not precede.
    """
    if opened.clock in _TARGETS:
        if opened.due_soon_at > opened.opened_at:
            yield Reminder(Kind.TARGET_SOON, 1, opened.due_soon_at)
        return
    for number, ahead in enumerate(policy.reminders.get(opened.clock, ()), start=1):
        remind_at = policy.calendar.before(opened.due_at, ahead.days, ahead.unit)
        if remind_at > opened.opened_at:
            yield Reminder(_REMINDED_OF[opened.clock], number, remind_at)
