"""What is possible where: the lifecycle of a claim on one page.

A phase is a row of the domain's table: the public status, told apart by what stands beside it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, assert_never

from domain.vocabulary import ClockName, Consent, Dispute, Status, Turn


class Phase(StrEnum):
    """Where in its life a claim is; decides which commands are possible."""

    EDITING = "editing"
    SUBMITTED = "submitted"
    UNDER_REVIEW = "under_review"
    ACTION_REQUIRED = "partner_action_required"
    ACTION_REQUIRED_IN_DISPUTE = "partner_action_required_in_dispute"
    CONSENT_PENDING = "approved_consent_pending"
    CONSENT_ELAPSED = "approved_consent_elapsed"
    DISPUTABLE = "rejected_dispute_window_open"
    DISPUTED = "rejected_dispute_open"
    FINAL = "rejected_final"


class Row(NamedTuple):
    """What holds in a phase: the possible commands, whose move it is, and the clock that runs."""

    possible: frozenset[str]
    turn: Turn
    clock: ClockName | None


def _row(possible: str, turn: Turn, clock: ClockName | None = None) -> Row:
    return Row(frozenset(possible.split()), turn, clock)


LIFECYCLE: Mapping[Phase, Row] = MappingProxyType(
    {
        Phase.EDITING: _row("edit_claim attach_poe submit_claim request_rejection", Turn.PARTNER),
        Phase.SUBMITTED: _row(
            "edit_claim attach_poe post_comment request_rejection start_review",
            Turn.REVIEWER,
            ClockName.REVIEW_START,
        ),
        Phase.UNDER_REVIEW: _row(
            "post_comment request_rejection"
            " require_action approve_claim reject_claim assign_reviewer",
            Turn.REVIEWER,
            ClockName.REVIEW_DECISION,
        ),
        Phase.ACTION_REQUIRED: _row(
            "edit_claim attach_poe resubmit_claim post_comment request_rejection",
            Turn.PARTNER,
            ClockName.PARTNER_RESPONSE,
        ),
        Phase.ACTION_REQUIRED_IN_DISPUTE: _row(
            "edit_claim attach_poe resubmit_claim post_comment request_rejection",
            Turn.PARTNER,
            ClockName.PARTNER_RESPONSE,
        ),
        Phase.CONSENT_PENDING: _row(
            "attach_poe post_comment request_rejection decline_consent",
            Turn.CUSTOMER,
            ClockName.CONSENT,
        ),
        Phase.CONSENT_ELAPSED: _row(
            "attach_poe post_comment request_rejection record_assessment", Turn.NOBODY
        ),
        Phase.DISPUTABLE: _row("open_dispute post_comment", Turn.NOBODY, ClockName.DISPUTE_WINDOW),
        Phase.DISPUTED: _row(
            "post_comment uphold_dispute dismiss_dispute require_action assign_reviewer",
            Turn.REVIEWER,
            ClockName.DISPUTE_RESULT,
        ),
        Phase.FINAL: _row("post_comment", Turn.NOBODY),
    }
)

RULES: Mapping[str, str] = MappingProxyType(
    {
        "create_claim": "R1",
        "submit_claim": "R2",
        "start_review": "R3",
        "assign_reviewer": "R3",
        "require_action": "R4",
        "resubmit_claim": "R5",
        "approve_claim": "R6",
        "reject_claim": "R7",
        "decline_consent": "R8",
        "request_rejection": "R10",
        "open_dispute": "R11",
        "uphold_dispute": "R12",
        "dismiss_dispute": "R12",
        "pass_deadline": "R18",
        "edit_claim": "R21",
        "attach_poe": "R21",
        "post_comment": "R23",
        "record_assessment": "R29",
    }
)
"""The rule that says where a command is possible."""


def phase_of(status: Status, consent: Consent, dispute: Dispute, clock: ClockName | None) -> Phase:
    """The phase of a claim with this status, what stands beside it, and its open clock."""
    match status:
        case Status.EDITING:
            return Phase.EDITING
        case Status.SUBMITTED:
            return Phase.SUBMITTED
        case Status.UNDER_REVIEW:
            return Phase.UNDER_REVIEW
        case Status.PARTNER_ACTION_REQUIRED:
            in_dispute = dispute is Dispute.OPEN
            return Phase.ACTION_REQUIRED_IN_DISPUTE if in_dispute else Phase.ACTION_REQUIRED
        case Status.APPROVED:
            return Phase.CONSENT_PENDING if consent is Consent.PENDING else Phase.CONSENT_ELAPSED
        case Status.REJECTED if dispute is Dispute.OPEN:
            return Phase.DISPUTED
        case Status.REJECTED if clock is ClockName.DISPUTE_WINDOW:
            return Phase.DISPUTABLE
        case Status.REJECTED:
            return Phase.FINAL
        case _:
            assert_never(status)
