"""Who acts by the command line: `--as role:org:id`."""

from pydantic import ValidationError

from domain.access import SENDERS
from domain.actor import PARTNER_ROLES, Actor
from domain.vocabulary import Role
from services.json_document import sentence

_PARTS = 3
_ID = "cli"

READER = Actor(role=Role.AUDITOR, id=_ID)
"""Who reads when nobody is named: the role that may see everything and do nothing."""


class WrongActor(ValueError):  # noqa: N818 - an answer to the caller, not an error of the program
    """The text names nobody; it says why."""


def parse(text: str) -> Actor:
    """`role:org:id` as an actor, e.g. `incentives_admin:1234567:ayse`, `reviewer::deniz`."""
    parts = text.split(":")
    if len(parts) != _PARTS:
        raise WrongActor(
            f"{text!r} is not of the form role:org:id, as in incentives_admin:1234567:ayse; only"
            " partners have an org, as in reviewer::deniz"
        )
    role, org, name = parts
    if role not in list(Role):
        raise WrongActor(f"there is no role {role!r}; there are {', '.join(Role)}")
    try:
        return Actor(role=Role(role), org=org or None, id=name)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = "".join(f"{part}: " for part in wrong["loc"])
        raise WrongActor(field + sentence(wrong)) from error


def usual_sender(command: str) -> Actor:
    """Who sends a command when nobody is named, where only one role may and it needs no org."""
    roles = SENDERS[command]
    if len(roles) > 1 or roles & PARTNER_ROLES:
        raise WrongActor(f"say who sends {command}: --as role:org:id, role one of {_named(roles)}")
    return Actor(role=next(iter(roles)), id=_ID)


def header(actor: Actor) -> str:
    """The actor as the HTTP API reads it in the header `X-Cpor-Actor`."""
    return f"{actor.role};{actor.org or ''};{actor.id}"


def _named(roles: frozenset[Role]) -> str:
    return ", ".join(role for role in Role if role in roles)
