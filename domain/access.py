"""Who may do and see what (R25): the one place that decides it."""

from collections.abc import Mapping
from types import MappingProxyType

from domain.actor import PARTNER_ROLES, Actor
from domain.refusal import NotAllowed, NotFound
from domain.vocabulary import Role, Status

_REVIEWERS = frozenset({Role.REVIEWER})

SENDERS: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "create_claim": PARTNER_ROLES,
        "edit_claim": PARTNER_ROLES,
        "attach_poe": PARTNER_ROLES,
        "submit_claim": PARTNER_ROLES,
        "resubmit_claim": PARTNER_ROLES,
        "request_rejection": PARTNER_ROLES,
        "open_dispute": PARTNER_ROLES,
        "post_comment": PARTNER_ROLES | _REVIEWERS,
        "start_review": _REVIEWERS,
        "assign_reviewer": _REVIEWERS,
        "require_action": _REVIEWERS,
        "approve_claim": _REVIEWERS,
        "reject_claim": _REVIEWERS,
        "uphold_dispute": _REVIEWERS,
        "dismiss_dispute": _REVIEWERS,
        "decline_consent": frozenset({Role.CUSTOMER}),
        "record_assessment": frozenset({Role.ASSESSOR}),
        "pass_deadline": frozenset({Role.TIMER}),
    }
)
"""The roles that may send each command."""

TIMERS_ID, CUSTOMERS_ID, TAKERS_ID = "timer-", "consent-link-", "take-"
"""How ids of commands begin that follow from what the command is about, and can be guessed."""

_ID_OWNERS: Mapping[str, Role] = MappingProxyType(
    {TIMERS_ID: Role.TIMER, CUSTOMERS_ID: Role.CUSTOMER, TAKERS_ID: Role.REVIEWER}
)


def require_sender(command: str, actor: Actor) -> None:
    """Refuse a command from a role that may not send it."""
    if actor.role not in SENDERS[command]:
        raise NotAllowed(f"{actor.role} may not send {command}", rule="R25")


def require_own_id(command_id: str, actor: Actor) -> None:
    """Refuse an id that another role's command will have.

    An id stands for the command that came first: with a comment under such an id somebody could
    keep a deadline from passing, or a customer from declining.
    """
    for beginning, owner in _ID_OWNERS.items():
        if command_id.startswith(beginning) and actor.role is not owner:
            raise NotAllowed(f"ids that begin with {beginning} are the {owner}'s", rule="R25")


def require_member(org: str, actor: Actor) -> None:
    """Refuse a partner's hand on another organisation's claim, as if there were no such claim."""
    if actor.is_partner and actor.org != org:
        raise NotFound("there is no such claim")


def require_operator(actor: Actor) -> None:
    """Refuse everybody but operators: they alone run the system."""
    if actor.role is not Role.OPERATOR:
        raise NotAllowed("only operators run the system", rule="R25")


def require_reviewer(actor: Actor) -> None:
    """Refuse everybody but reviewers: what waits for them is theirs to take."""
    if actor.role is not Role.REVIEWER:
        raise NotAllowed("the queue is the reviewers'", rule="R25")


def require_counter(actor: Actor) -> None:
    """Refuse who may see no figures about claims: all but their readers, and assessors."""
    if not actor.is_partner and actor.role not in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}:
        raise NotAllowed("figures are for partners, reviewers, auditors and operators", rule="R25")


def may_read(actor: Actor, *, org: str, status: Status) -> bool:
    """Whether the actor may see a claim of this organisation in this status."""
    if actor.is_partner:
        return actor.org == org
    match actor.role:
        case Role.REVIEWER:
            return status is not Status.EDITING
        case Role.ASSESSOR:
            return status is Status.APPROVED
        case Role.AUDITOR | Role.OPERATOR:
            return True
        case _:
            return False


def may_follow(actor: Actor, *, org: str) -> bool:
    """Whether the actor may hear of all that happens to this organisation's claims, ever."""
    return all(may_read(actor, org=org, status=status) for status in Status)


def may_read_documents(actor: Actor, *, org: str, status: Status) -> bool:
    """Whether the actor may read what a claim's documents say: all readers but operators."""
    return actor.role is not Role.OPERATOR and may_read(actor, org=org, status=status)


def may_read_internal_notes(actor: Actor) -> bool:
    """Whether the actor may see reviewers' internal notes (R24)."""
    return actor.role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}


def may_know_reviewers(actor: Actor) -> bool:
    """Whether the actor sees reviewers by their own id; others read "Reviewer"."""
    return actor.role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}


def may_read_commands(actor: Actor) -> bool:
    """Whether the actor sees by which command, sent by whom, an event was caused."""
    return actor.role in {Role.AUDITOR, Role.OPERATOR}


def may_know_of_mails(actor: Actor) -> bool:
    """Whether the actor sees what became of a mail to somebody else (R26)."""
    return actor.role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}


def may_know_targets(actor: Actor) -> bool:
    """Whether the actor hears that a target of the reviewers is due soon (R26)."""
    return actor.role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}
