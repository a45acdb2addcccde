"""Who somebody is, by the claims of their token: one mapping for pages and API alike (R25)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from domain.actor import PARTNER_ROLES, Actor, ActorId, Org
from domain.refusal import NotAllowed
from domain.vocabulary import Role
from services.settings import Settings
from services.web.session import Person

BY_TOKEN: Final = frozenset(Role) - {Role.TIMER, Role.CUSTOMER}
"""The roles that an identity provider can give: customers have their link, the timer is ours."""

_LONGEST_NAME = 100

_ORG: Final = TypeAdapter[str](Org)
_ID: Final = TypeAdapter[str](ActorId)


class Gap(StrEnum):
    """What a token lacks to say who somebody is."""

    NO_ROLE = "no_role"
    FOREIGN_ROLE = "foreign_role"
    SEVERAL_ROLES = "several_roles"
    NO_ORG = "no_org"
    NO_ID = "no_id"


class Unmapped(NotAllowed):
    """The token is good, and does not say who its bearer is here."""

    def __init__(self, gap: Gap, detail: str) -> None:
        super().__init__(detail, rule="R25")
        self.gap = gap


def person_of(claims: Mapping[str, Any], settings: Settings) -> Person:
    """The person whom these claims describe. Raises Unmapped."""
    role = _role(claims, settings.oidc_role_claim)
    org = _org(claims, settings.oidc_org_claim) if role in PARTNER_ROLES else None
    actor = Actor(role=role, org=org, id=_id(claims, settings.oidc_id_claim))
    return Person(_name(claims) or actor.id, actor)


def _role(claims: Mapping[str, Any], claim: str) -> Role:
    named = _texts(claims, claim)
    if not named:
        raise Unmapped(Gap.NO_ROLE, f"the token's claim {claim} names no role")
    ours = {role for role in BY_TOKEN if role in named}
    if not ours:
        there_are = ", ".join(sorted(BY_TOKEN))
        raise Unmapped(
            Gap.FOREIGN_ROLE, f"the token's claim {claim} names no role of cpor: {there_are}"
        )
    if len(ours) > 1:
        raise Unmapped(Gap.SEVERAL_ROLES, f"the token's claim {claim} names several roles of cpor")
    return ours.pop()


def _org(claims: Mapping[str, Any], claim: str) -> str:
    try:
        return _ORG.validate_python(_single(claims, claim))
    except ValidationError:
        detail = f"the token's claim {claim} names no organisation: 1 to 64 of A-Z a-z 0-9 _ -"
        raise Unmapped(Gap.NO_ORG, detail) from None


def _id(claims: Mapping[str, Any], claim: str) -> str:
    try:
        return _ID.validate_python(_single(claims, claim))
    except ValidationError:
        detail = f"the token's claim {claim} is no id: 1 to 128 of A-Z a-z 0-9 . _ @ + -"
        raise Unmapped(Gap.NO_ID, detail) from None


def _name(claims: Mapping[str, Any]) -> str:
    """What somebody is called, in letters that can be shown; empty when the token does not say."""
    for claim in ("name", "preferred_username"):
        letters = "".join(filter(str.isprintable, _single(claims, claim) or ""))
        name = " ".join(letters.split())[:_LONGEST_NAME]
        if name:
            return name
    return ""


def _single(claims: Mapping[str, Any], claim: str) -> str | None:
    texts = _texts(claims, claim)
    return texts[0] if len(texts) == 1 else None


def _texts(claims: Mapping[str, Any], claim: str) -> list[str]:
    """What a claim says: a text, or several; a name that isn't there is a path of objects."""
    value = claims[claim] if claim in claims else _at(claims, claim.split("."))
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each]


def _at(value: object, path: Sequence[str]) -> object:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, object]", value).get(name)
    return value
