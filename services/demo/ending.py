"""Where a claim can stand when the demo ends, and how the board shows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from domain.vocabulary import (
    Assessment,
    ClockName,
    Consent,
    Dispute,
    RejectionReason,
    Sla,
    Status,
)


class Ending(NamedTuple):
    """Where a claim stands when the demo ends: what the board must show, in words and in fields."""

    title: str
    board: Mapping[str, Any]
    """Fields of the claim; `clock` is the open one's name, `reason` the last rejection reason."""

    def shown_by(self, claim: Mapping[str, Any]) -> dict[str, Any]:
        """The same fields, as the board shows them for a claim."""
        clocks, reasons = claim["clocks"], claim["rejection_reasons"]
        last = {
            "clock": clocks[0]["clock"] if clocks else None,
            "reason": reasons[-1] if reasons else None,
        }
        return {name: {**claim, **last}[name] for name in self.board}

    def __hash__(self) -> int:
        """Titles are unique."""
        return hash(self.title)


def _ending(title: str, **board: object) -> Ending:
    return Ending(title, MappingProxyType(board))


_REJECTED = {"status": Status.REJECTED, "assessment": Assessment.NOT_SENT}
_APPROVED = {"status": Status.APPROVED, "consent": Consent.ELAPSED}


DRAFT = _ending("Draft, not handed in yet", status=Status.EDITING, clock=None)
WAITING = _ending(
    "Waits for its review", status=Status.SUBMITTED, clock=ClockName.REVIEW_START, sla=Sla.OK
)
WAITING_LATE = _ending(
    "Waits for its review, target missed",
    status=Status.SUBMITTED,
    clock=ClockName.REVIEW_START,
    sla=Sla.MISSED,
)
IN_REVIEW = _ending("Under review", status=Status.UNDER_REVIEW, sla=Sla.OK)
IN_REVIEW_LATE = _ending("Under review, target missed", status=Status.UNDER_REVIEW, sla=Sla.MISSED)
ASKED = _ending("The partner must answer", status=Status.PARTNER_ACTION_REQUIRED)
CONSENT = _ending(
    "Approved, the customer may still decline",
    status=Status.APPROVED,
    consent=Consent.PENDING,
    clock=ClockName.CONSENT,
)
SENT = _ending(
    "Approved, consent given by silence",
    **_APPROVED,
    assessment=Assessment.SENT,
    dispute=Dispute.NONE,
)
ELIGIBLE = _ending("Approved, earns an incentive", **_APPROVED, assessment=Assessment.ELIGIBLE)
INELIGIBLE = _ending("Approved, earns no incentive", **_APPROVED, assessment=Assessment.INELIGIBLE)
DECLINED = _ending(
    "Declined by the customer",
    **_REJECTED,
    consent=Consent.DECLINED,
    reason=RejectionReason.CUSTOMER_DECLINED,
    clock=None,
)
UNANSWERED = _ending(
    "Rejected: no answer from the partner",
    **_REJECTED,
    reason=RejectionReason.NO_PARTNER_RESPONSE,
    dispute=Dispute.NONE,
    clock=ClockName.DISPUTE_WINDOW,
)
UNANSWERED_CLOSED = _ending(
    "Rejected: no answer, dispute window closed",
    **_REJECTED,
    reason=RejectionReason.NO_PARTNER_RESPONSE,
    dispute=Dispute.WINDOW_CLOSED,
    clock=None,
)
REJECTED = _ending(
    "Rejected, may still be disputed",
    **_REJECTED,
    dispute=Dispute.NONE,
    clock=ClockName.DISPUTE_WINDOW,
)
REJECTED_CLOSED = _ending(
    "Rejected, dispute window closed",
    **_REJECTED,
    reason=RejectionReason.INSUFFICIENT_POE,
    dispute=Dispute.WINDOW_CLOSED,
    clock=None,
)
DISPUTED = _ending(
    "Rejected and disputed",
    **_REJECTED,
    dispute=Dispute.OPEN,
    clock=ClockName.DISPUTE_RESULT,
)
UPHELD = _ending("Dispute upheld, approved after all", **_APPROVED, dispute=Dispute.UPHELD)
DISMISSED = _ending(
    "Dispute dismissed",
    **_REJECTED,
    dispute=Dispute.DISMISSED,
    reason=RejectionReason.INSUFFICIENT_POE,
)
DISPUTE_UNANSWERED = _ending(
    "Dispute dismissed: no answer from the partner",
    **_REJECTED,
    dispute=Dispute.DISMISSED,
    reason=RejectionReason.NO_PARTNER_RESPONSE,
)
WITHDRAWN = _ending(
    "Withdrawn by the partner",
    **_REJECTED,
    consent=Consent.NONE,
    reason=RejectionReason.PARTNER_REQUEST,
    clock=None,
)

ENDINGS = (
    ELIGIBLE,
    INELIGIBLE,
    SENT,
    CONSENT,
    DECLINED,
    UNANSWERED,
    UNANSWERED_CLOSED,
    REJECTED,
    REJECTED_CLOSED,
    DISPUTED,
    UPHELD,
    DISMISSED,
    DISPUTE_UNANSWERED,
    WITHDRAWN,
    DRAFT,
    WAITING,
    WAITING_LATE,
    IN_REVIEW,
    IN_REVIEW_LATE,
    ASKED,
)
"""Every ending: those approved, those rejected, those that are going on."""
