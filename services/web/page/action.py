"""What people may do to a claim: which forms there are, and why one can't be sent now."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from domain.lifecycle import RULES
from domain.refusal import NotAllowed, NotPossible, Refusal, TooLate
from domain.vocabulary import Status
from services.web.page.translation import N_


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
        N_("Give the association up"),
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

_WRONG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stale_version": N_(
            "The claim has changed since you opened this page. Look at what is new, then decide"
            " again: what you filled in is still there."
        ),
        "not_possible": N_("This is not possible as the claim stands now."),
        "too_late": N_("The period for this has passed."),
        "not_allowed": N_("You may not do this."),
        "not_found": N_("There is no such claim, or none that you may know of."),
        "invalid": N_("Something is not filled in as it has to be."),
        "already_exists": N_("This is there already."),
        "too_large": N_("This is more than can be taken."),
        "command_id_reused": N_(
            "This form was sent before, with something else in it. What was sent first stands."
        ),
        "unavailable": N_(
            "A part of the system can't be reached at the moment. Nothing was recorded: try again."
        ),
        "outcome_unknown": N_(
            "It is not known whether this was recorded. Send it again: it has its effect once."
        ),
    }
)


class Offer(NamedTuple):
    """An action for somebody who looks at a claim now."""

    action: Action
    why_not: str = ""
    """Why it is not possible, to be translated."""
    rule: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether it can be done now."""
        return not self.why_not


class Attempt(NamedTuple):
    """What somebody sent, and why it was not taken: it is shown again to be mended."""

    command: str
    problem: Mapping[str, Any]
    kept: Mapping[str, Sequence[str]]

    @property
    def code(self) -> str:
        """The problem's code."""
        kind: str = self.problem["type"]
        return kind.rpartition("/")[2]

    @property
    def text(self) -> str:
        """What is wrong, to be translated."""
        return _WRONG.get(self.code, self.problem["title"])

    @property
    def is_undecided(self) -> bool:
        """Whether it may have been recorded all the same: sent again, it must be the same one."""
        return self.code == "outcome_unknown"

    def wrong(self, name: str) -> list[str]:
        """What is wrong with a field; as far as it is ours to say, to be translated."""
        details = [
            each["detail"]
            for each in self.problem.get("errors", ())
            if f"{each['pointer']}/".startswith(f"/{name}/")
        ]
        return [N_("This has to be filled in.")] if details and not self.kept.get(name) else details

    @property
    def words(self) -> list[str]:
        """What was written, lest it be lost with its form."""
        return [text for name in _WRITTEN for text in self.kept.get(name, ()) if text]


_PROOF_FIRST: Final = N_("Add at least one proof of execution first.")
_WRITTEN: Final = ("comment", "explanation", "justification", "note", "text")


def offers(refusals: Mapping[str, Refusal | None]) -> list[Offer]:
    """The actions of whoever may send these commands, with what stands against each."""
    return [
        _offer(action, refusals[action.command]) for action in ACTIONS if action.command in refusals
    ]


def primary(offered: Sequence[Offer]) -> Offer | None:
    """What stands out: the action that is waited for, or else what is needed before it."""
    by_command = {each.action.command: each for each in offered}
    waited_for = (each for each in offered if each.action.moves_on and each.is_possible)
    submit = by_command.get("submit_claim")
    needed = by_command["attach_poe"] if submit and submit.why_not == _PROOF_FIRST else None
    return next(waited_for, needed)


def _offer(action: Action, refusal: Refusal | None) -> Offer:
    rule = (refusal.rule if refusal else None) or RULES[action.command]
    match refusal:
        case None:
            return Offer(action)
        case TooLate():
            return Offer(action, N_("The period for this has passed."), rule)
        case NotAllowed(rule="R12"):
            return Offer(
                action,
                N_("A dispute is decided by another reviewer than the one who rejected."),
                rule,
            )
        case NotPossible(status=Status.EDITING) if action.command == "submit_claim":
            return Offer(action, _PROOF_FIRST, rule)
        case _:
            return Offer(action, action.where, rule)
