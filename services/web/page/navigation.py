"""Where somebody may go from every page."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from domain.actor import PARTNER_ROLES
from domain.vocabulary import Role
from services.language.translation import N_


class Place(NamedTuple):
    """A page that others lead to."""

    path: str
    title: str
    icon: str
    roles: frozenset[Role]


_READERS = PARTNER_ROLES | {Role.REVIEWER, Role.ASSESSOR, Role.AUDITOR, Role.OPERATOR}

PLACES: Final = (
    Place("/queue", N_("Queue"), "inbox", frozenset({Role.REVIEWER})),
    Place("/claims", N_("Claims"), "list-ul", frozenset(_READERS)),
    Place("/insights", N_("Insights"), "graph-up", frozenset(_READERS - {Role.ASSESSOR})),
    Place("/operations", N_("Operations"), "activity", frozenset({Role.OPERATOR})),
)
"""In the order in which they stand in the navigation."""

HOME: Final[Mapping[Role, str]] = MappingProxyType(
    dict.fromkeys(Role, "/claims") | {Role.REVIEWER: "/queue"}
)
"""Where each role's work begins."""


def places_for(role: Role) -> list[Place]:
    """The pages that somebody in this role is led to."""
    return [place for place in PLACES if role in place.roles]
