"""What people may do to a claim on its page."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from services.language.translation import N_


class Action(NamedTuple):
    """A command as people are offered it."""

    command: str
    title: str
    icon: str
    where: str
    """Where in a claim's life it is possible."""
    moves_on: bool = False
    """Whether it is what is waited for, wherever it is possible."""
    consequence: str = ""
    """What can't be undone: such an action takes a second, explicit step."""
    has_version: bool = True
    """Whether it is decided on what the page showed (R14)."""
    leads_to: str = ""
    """The page on which it is done, beneath the claim's, if not here."""


ACTIONS: Final = (
    Action(
        "submit_claim",
        N_("Submit for review"),
        "send",
        N_("A claim is submitted once, while it is being edited."),
        moves_on=True,
    ),
    Action(
        "resubmit_claim",
        N_("Resubmit"),
        "send",
        N_("Possible once reviewers have required action."),
        moves_on=True,
    ),
    Action(
        "open_dispute",
        N_("Dispute the rejection"),
        "flag",
        N_("Possible once after a rejection by reviewers or for want of a response."),
        moves_on=True,
        leads_to="dispute",
    ),
    Action(
        "start_review",
        N_("Start the review"),
        "play-fill",
        N_("Possible while a claim waits for its review."),
        has_version=False,
        moves_on=True,
    ),
    Action(
        "approve_claim",
        N_("Approve"),
        "check-circle",
        N_("Possible while a claim is under review."),
        moves_on=True,
    ),
    Action(
        "uphold_dispute",
        N_("Uphold the dispute"),
        "hand-thumbs-up",
        N_("Possible while a dispute is open."),
        moves_on=True,
    ),
    Action(
        "require_action",
        N_("Require partner action"),
        "reply",
        N_("Possible while a claim is under review, or its dispute is open."),
    ),
    Action(
        "edit_claim",
        N_("Edit the claim"),
        "pencil",
        N_("Possible before submission, and later where the policy allows it; never in review."),
        leads_to="edit",
    ),
    Action(
        "attach_poe",
        N_("Add proof"),
        "upload",
        N_("Possible until the review starts, when action is required, and after approval."),
        leads_to="proof",
    ),
    Action(
        "reject_claim",
        N_("Reject"),
        "x-circle",
        N_("Possible while a claim is under review."),
        consequence=N_(
            "The claim will be rejected. The partner may dispute it for as long as the dispute"
            " window is open."
        ),
    ),
    Action(
        "dismiss_dispute",
        N_("Dismiss the dispute"),
        "hand-thumbs-down",
        N_("Possible while a dispute is open."),
        consequence=N_("The rejection stays, and is final: only a new claim is possible then."),
    ),
    Action(
        "assign_reviewer",
        N_("Assign another reviewer"),
        "person-check",
        N_("Possible while a claim is under review, or its dispute is open."),
        has_version=False,
    ),
    Action(
        "request_rejection",
        N_("Give up the association"),
        "x-octagon",
        N_("Possible until the claim is rejected."),
        consequence=N_(
            "The claim will be rejected at once, and this can't be disputed: only a new claim is"
            " possible then."
        ),
    ),
    Action(
        "post_comment",
        N_("Comment"),
        "chat-left-text",
        N_("Possible once the claim has been submitted."),
        has_version=False,
    ),
)
"""In the order in which they are offered: what moves the claim on stands first."""

BY_COMMAND: Final[Mapping[str, Action]] = MappingProxyType(
    {action.command: action for action in ACTIONS}
)

DONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "create_claim": N_("The claim was created."),
        "edit_claim": N_("Your changes were saved."),
        "attach_poe": N_("The proof was added."),
        "submit_claim": N_("The claim was submitted. A reviewer looks at it next."),
        "resubmit_claim": N_("The claim was resubmitted. A reviewer looks at it next."),
        "open_dispute": N_("The rejection is disputed. Another reviewer decides."),
        "start_review": N_("The review has started, and it is yours."),
        "approve_claim": N_("The claim was approved. The customer may decline now."),
        "uphold_dispute": N_("The dispute was upheld. The customer may decline now."),
        "require_action": N_("The partner was asked for more."),
        "reject_claim": N_("The claim was rejected. The partner may dispute it now."),
        "dismiss_dispute": N_("The dispute was dismissed. The rejection is final."),
        "assign_reviewer": N_("The review was assigned."),
        "request_rejection": N_("The association was given up."),
        "post_comment": N_("Your comment was added."),
    }
)
"""What is said once it is done."""
