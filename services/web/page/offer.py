"""What whoever looks at a claim may do to it now, and why not the rest."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from domain.lifecycle import RULES
from domain.refusal import NotAllowed, NotPossible, Refusal, TooLate
from domain.vocabulary import Status
from services.language.translation import N_
from services.web.page.action import ACTIONS, Action

_PROOF_FIRST: Final = N_("Add at least one proof of execution first.")


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
