"""What every event of a claim consists of."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from domain.actor import Actor
from domain.calendar import Skipped
from domain.text import Must
from domain.vocabulary import ClockName

Digest = Annotated[
    str,
    StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$"),
    Must("sha256: and 64 of 0-9 a-f"),
]


class Fact(BaseModel):
    """A frozen part of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cause(Fact):
    """Why an event happened: who asked for it, and with which command."""

    actor: Actor
    command_id: str
    digest: str = ""
    """Keyed digest of the command's content: tells a repetition from a reused id. Not published."""
    source: str = ""
    """URI of the command's sender. Not published."""
    sent_at: AwareDatetime | None = None
    """When the sender says it was sent; recorded, never judged (R18). Not published."""
    traceparent: str | None = None


class ContactRef(Fact):
    """A contact, kept apart from history (R30): its id, and a keyed digest of what it says."""

    id: UUID
    digest: str


class Customer(Fact):
    """The customer organisation of a claim."""

    name: str
    domain: str
    tenant_id: UUID


class Document(Fact):
    """One proof of execution, by its content."""

    digest: Digest
    filename: str
    media_type: str
    size: int


class OpenedClock(Fact):
    """A clock, as recorded in the event that opens it; nothing changes it later (R17)."""

    clock: ClockName
    opened_at: AwareDatetime
    due_at: AwareDatetime
    due_soon_at: AwareDatetime
    """From when on it is due within one business day."""
    skipped: tuple[Skipped, ...] = ()


class DomainEvent(BaseModel, CanMutateAggregate[UUID]):
    """A fact: frozen, validated, stored under TOPIC, never under a class path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    TOPIC: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int] = 1

    originator_id: UUID = Field(exclude=True)
    originator_version: int = Field(exclude=True)
    timestamp: datetime
    cause: Cause

    def apply(self, aggregate: Any) -> None:  # noqa: ANN401 - as the library has it
        """Let the claim evolve by this event."""
        aggregate.evolve(self)

    @classmethod
    @cache
    def event_name(cls) -> str:
        """The event's name on the wire: the topic without its aggregate."""
        return cls.TOPIC.partition(".")[2]
