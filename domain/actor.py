"""Who acts, and from which side of the table."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from domain.text import Must
from domain.vocabulary import Role, Side

PARTNER_ROLES = frozenset({Role.INCENTIVES_ADMIN, Role.BILLING_ADMIN, Role.GLOBAL_ADMIN})

ActorId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$"),
    Must("1 to 128 of A-Z a-z 0-9 . _ @ + -, beginning with a letter or digit"),
]
Org = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"), Must("1 to 64 of A-Z a-z 0-9 _ -")
]


class Actor(BaseModel):
    """A person or system in one role; partners act for one organisation (R25)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    org: Org | None = None
    id: ActorId

    @model_validator(mode="after")
    def _only_partners_have_an_org(self) -> "Actor":
        if self.is_partner and self.org is None:
            msg = f"an actor in the role {self.role} acts for an organisation: org is missing"
            raise ValueError(msg)
        if not self.is_partner and self.org is not None:
            msg = f"an actor in the role {self.role} acts for no organisation: org must be absent"
            raise ValueError(msg)
        return self

    @property
    def is_partner(self) -> bool:
        """Whether this actor acts for a partner organisation."""
        return self.role in PARTNER_ROLES

    @property
    def side(self) -> Side:
        """The side from which this actor's deeds are shown in the history (R24)."""
        if self.is_partner:
            return Side.PARTNER
        if self.role is Role.REVIEWER:
            return Side.REVIEWER
        if self.role is Role.CUSTOMER:
            return Side.CUSTOMER
        return Side.SYSTEM
