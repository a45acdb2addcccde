"""Claims as their readers see them: what the contract names, and no more than they may know."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.access import may_know_reviewers
from domain.actor import Actor
from domain.vocabulary import (
    ActionReason,
    Activity,
    Assessment,
    AssessmentResult,
    ClockName,
    Consent,
    Dispute,
    Programme,
    RejectionReason,
    Role,
    Side,
    Sla,
    SolutionArea,
    Status,
    Turn,
)
from projections.board import ClaimRow
from projections.history import SOME_REVIEWER, HistoryItem, Kind, ThreadItem


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class CustomerView(View):
    """The customer organisation."""

    name: str
    domain: str
    tenant_id: UUID


class CustomerContactView(View):
    """Whom the vendor tells at the customer; null once erased."""

    name: str
    title: str | None
    email: str


class PartnerContactView(View):
    """Whom the vendor tells at the partner; null once erased."""

    name: str
    email: str


class DocumentView(View):
    """A proof of execution."""

    digest: str
    filename: str
    media_type: str
    size: int
    note: str
    attached_at: AwareDatetime


class AssessmentView(View):
    """The result of one programme (R29)."""

    programme: Programme
    result: AssessmentResult
    note: str
    recorded_at: AwareDatetime


class ClockView(View):
    """An open clock; `passed` when its target is recorded as missed."""

    clock: ClockName
    opened_at: AwareDatetime
    due_at: AwareDatetime
    passed: bool


class ClaimView(View):
    """One claim."""

    claim_id: UUID
    version: int
    name: str
    org: str
    mpn_id: str
    customer: CustomerView
    solution_area: SolutionArea
    activities: tuple[Activity, ...]
    products: tuple[str, ...]
    subscription_ids: tuple[str, ...]
    customer_contact: CustomerContactView | None
    partner_contact: PartnerContactView | None
    documents: tuple[DocumentView, ...]
    status: Status
    consent: Consent
    dispute: Dispute
    assessment: Assessment
    assessments: tuple[AssessmentView, ...]
    sla: Sla
    whose_turn: Turn
    due_at: AwareDatetime | None
    clocks: tuple[ClockView, ...]
    decision_target_at: AwareDatetime | None
    reviewer: str | None
    rejection_reasons: tuple[RejectionReason, ...]
    action_reasons: tuple[ActionReason, ...]
    supersedes: UUID | None
    policy: str | None
    created_at: AwareDatetime
    submitted_at: AwareDatetime | None
    decided_at: AwareDatetime | None
    updated_at: AwareDatetime

    @classmethod
    def of(
        cls, row: ClaimRow, contacts: Mapping[UUID, dict[str, Any]], *, reader: Actor, now: datetime
    ) -> Self:
        """A row of the board with its contacts, as it stands at `now`."""
        clock = {"clock": row.clock, "opened_at": row.clock_opened_at, "due_at": row.due_at}
        reviewer = row.reviewer if may_know_reviewers(reader) or not row.reviewer else SOME_REVIEWER
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in _AS_ON_THE_BOARD},
                "customer": {
                    "name": row.customer_name,
                    "domain": row.customer_domain,
                    "tenant_id": row.tenant_id,
                },
                "customer_contact": contacts.get(row.customer_contact),
                "partner_contact": contacts.get(row.partner_contact),
                "sla": row.sla(now),
                "clocks": [clock | {"passed": row.passed}] if row.clock else [],
                "reviewer": reviewer,
            }
        )


_AS_ON_THE_BOARD = tuple(
    ClaimView.model_fields.keys() & {field.name for field in fields(ClaimRow)} | {"whose_turn"}
)
"""What is answered as it stands on the board."""


class ClaimList(View):
    """A page of claims."""

    items: list[ClaimView]
    next: Annotated[
        str | None, Field(description="What `after` takes for the next page; null on the last.")
    ]


class SummaryView(View):
    """How many claims there are, by three views of them; every value is named."""

    status: dict[Status, int]
    whose_turn: dict[Turn, int]
    sla: dict[Sla, int]


class WhoView(View):
    """Who did something, as far as the reader may know."""

    role: Role
    org: str | None
    id: str


class HistoryItemView(View):
    """One event."""

    version: int
    event: str
    time: AwareDatetime
    actor: WhoView
    side: Side
    text: Annotated[str, Field(description="What happened, as a sentence.")]
    data: Annotated[dict[str, Any], Field(description="What the event says, as published.")]


class History(View):
    """What happened to a claim, in order."""

    items: list[HistoryItemView]

    @classmethod
    def of(cls, items: Sequence[HistoryItem]) -> Self:
        """The history as it is answered."""
        return cls.model_validate({"items": items})


class ThreadItemView(View):
    """Somebody's words about a claim."""

    version: int
    time: AwareDatetime
    actor: WhoView
    side: Side
    kind: Kind
    text: str
    internal: Annotated[bool, Field(description="Not shown to partners.")]


class Thread(View):
    """What was said about a claim, in order."""

    items: list[ThreadItemView]

    @classmethod
    def of(cls, items: Sequence[ThreadItem]) -> Self:
        """The thread as it is answered."""
        return cls.model_validate({"items": items})
