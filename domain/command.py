"""The commands that a claim understands, as their `data` stands on the wire.

Shapes only: what a field must look like, by JSON's types, none of which stands for another. Whether
a command is possible is the claim's to decide.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    field_validator,
    model_validator,
)

from domain.actor import ActorId
from domain.event import Digest
from domain.text import Email, Must, one_line
from domain.vocabulary import (
    ActionReason,
    Activity,
    AssessmentResult,
    ClockName,
    Programme,
    RejectionReason,
    SolutionArea,
)

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024

_DATE_AND_TIME = re.compile(r"^\d{4}-\d\d-\d\dT")

_Items = TypeVar("_Items", bound=tuple[object, ...])


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    for character in text:
        if character not in "\n\r\t" and unicodedata.category(character) == "Cc":
            msg = f"must not contain the control character U+{ord(character):04X}"
            raise ValueError(msg)
    return text


def _rfc_3339(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DATE_AND_TIME.match(value):
        with suppress(ValueError):
            instant = datetime.fromisoformat(value)
            if instant.tzinfo:
                return instant
    msg = "must be a date and time with its offset, as in 2021-05-25T00:00:00Z"
    raise ValueError(msg)


def _distinct(items: _Items) -> _Items:
    if len(set(items)) != len(items):
        msg = "must not name anything twice"
        raise ValueError(msg)
    return items


Instant = Annotated[AwareDatetime, BeforeValidator(_rfc_3339)]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(_printable),
    AfterValidator(one_line),
]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_printable),
]
OptionalText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=10_000),
    AfterValidator(_printable),
    BeforeValidator(lambda text: "" if text is None else text),
]
DomainName = Annotated[
    str,
    StringConstraints(
        to_lower=True, max_length=253, pattern=r"^([\p{L}\p{N}_-]{1,63}\.)+[\p{L}\p{N}-]{2,63}$"
    ),
    Must("a domain name, such as company.example"),
]
MpnId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,32}$"), Must("1 to 32 of A-Z a-z 0-9 -")
]
ProductCode = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$"), Must("a product's code, such as teams")
]
SubscriptionId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"), Must("1 to 64 of A-Z a-z 0-9 _ -")
]
Activities = Annotated[
    tuple[Activity, ...], Field(min_length=1, max_length=10), AfterValidator(_distinct)
]
Products = Annotated[
    tuple[ProductCode, ...], Field(min_length=1, max_length=50), AfterValidator(_distinct)
]
SubscriptionIds = Annotated[
    tuple[SubscriptionId, ...], Field(max_length=100), AfterValidator(_distinct)
]


class Data(BaseModel):
    """A part of a command: frozen; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CustomerData(Data):
    """The customer organisation: its name, its domain, and the GUID of its directory."""

    name: Line
    domain: DomainName
    tenant_id: UUID


class CustomerContact(Data):
    """Whom the vendor tells about the claim at the customer (R6, R30)."""

    name: Line
    title: Line
    email: Email


class PartnerContact(Data):
    """Whom the vendor tells about the claim at the partner (R26, R30)."""

    name: Line
    email: Email


class DocumentData(Data):
    """An uploaded document, as the upload answered."""

    digest: Digest
    filename: Line
    media_type: Line
    size: Annotated[int, Field(strict=True, ge=0, le=MAX_DOCUMENT_BYTES)]


class Command(Data):
    """The data of one command."""

    NAME: ClassVar[str]

    @property
    def named_documents(self) -> Sequence[tuple[str, DocumentData]]:
        """The documents that the command names, each with its JSON pointer."""
        return ()


class CreateClaim(Command):
    """Begin a claim (R1); it may name a rejected claim that it supersedes (R13)."""

    NAME = "create_claim"
    name: Line
    mpn_id: MpnId
    customer: CustomerData
    solution_area: SolutionArea
    activities: Activities
    products: Products
    subscription_ids: SubscriptionIds = ()
    customer_contact: CustomerContact
    partner_contact: PartnerContact
    supersedes: UUID | None = None


class EditClaim(Command):
    """Change what the claim states: all of it in `editing`, a little later (R21)."""

    NAME = "edit_claim"
    name: Line | None = None
    mpn_id: MpnId | None = None
    customer: CustomerData | None = None
    solution_area: SolutionArea | None = None
    activities: Activities | None = None
    products: Products | None = None
    subscription_ids: SubscriptionIds | None = None
    customer_contact: CustomerContact | None = None
    partner_contact: PartnerContact | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "EditClaim":
        if not self.model_fields_set:
            msg = "names no field to change"
            raise ValueError(msg)
        return self

    @field_validator("*", mode="before")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            msg = "cannot be emptied"
            raise ValueError(msg)
        return value


class AttachPoe(Command):
    """Add a proof of execution (R21)."""

    NAME = "attach_poe"
    document: DocumentData
    note: OptionalText = ""

    @property
    def named_documents(self) -> Sequence[tuple[str, DocumentData]]:
        """The one that is added."""
        return (("/document", self.document),)


class SubmitClaim(Command):
    """Hand the claim in for review (R2)."""

    NAME = "submit_claim"


class StartReview(Command):
    """Begin validating the proof (R3)."""

    NAME = "start_review"


class AssignReviewer(Command):
    """Hand the review to another reviewer (R3)."""

    NAME = "assign_reviewer"
    reviewer: ActorId


class RequireAction(Command):
    """Ask the partner for more (R4, R19)."""

    NAME = "require_action"
    reasons: Annotated[
        tuple[ActionReason, ...], Field(min_length=1, max_length=10), AfterValidator(_distinct)
    ]
    products: Annotated[
        tuple[ProductCode, ...], Field(max_length=50), AfterValidator(_distinct)
    ] = ()
    comment: Text


class ResubmitClaim(Command):
    """Hand the claim in again (R5)."""

    NAME = "resubmit_claim"
    comment: OptionalText = ""


class ApproveClaim(Command):
    """Accept the proof (R6)."""

    NAME = "approve_claim"
    note: OptionalText = ""


ReviewersReason = Literal[
    RejectionReason.INSUFFICIENT_POE,
    RejectionReason.MISSING_CUSTOMER_CONSENT,
    RejectionReason.MISSING_PRODUCTS,
    RejectionReason.POE_UNAVAILABLE,
]


class RejectClaim(Command):
    """Turn the claim down (R7)."""

    NAME = "reject_claim"
    reasons: Annotated[
        tuple[ReviewersReason, ...], Field(min_length=1, max_length=10), AfterValidator(_distinct)
    ]
    note: Text


class DeclineConsent(Command):
    """The customer opts out (R8)."""

    NAME = "decline_consent"
    reason: OptionalText = ""


class RequestRejection(Command):
    """The partner gives its own association up (R10)."""

    NAME = "request_rejection"
    explanation: Text


class OpenDispute(Command):
    """Contest a rejection (R11)."""

    NAME = "open_dispute"
    justification: OptionalText = ""
    documents: Annotated[tuple[DocumentData, ...], Field(max_length=20)] = ()

    @property
    def named_documents(self) -> Sequence[tuple[str, DocumentData]]:
        """The new proof."""
        return [(f"/documents/{index}", each) for index, each in enumerate(self.documents)]


class UpholdDispute(Command):
    """Find for the partner (R12)."""

    NAME = "uphold_dispute"
    note: Text


class DismissDispute(Command):
    """Let the rejection stand (R12)."""

    NAME = "dismiss_dispute"
    note: Text


class PostComment(Command):
    """Add to the thread (R23)."""

    NAME = "post_comment"
    text: Text
    internal: StrictBool = False


class RecordAssessment(Command):
    """Record whether the claim earns an incentive (R29)."""

    NAME = "record_assessment"
    programme: Programme
    result: AssessmentResult
    note: OptionalText = ""


class PassDeadline(Command):
    """Let the clock pass that was armed for this instant (R18)."""

    NAME = "pass_deadline"
    clock: ClockName
    due_at: Instant


AnyCommand = (
    CreateClaim
    | EditClaim
    | AttachPoe
    | SubmitClaim
    | StartReview
    | AssignReviewer
    | RequireAction
    | ResubmitClaim
    | ApproveClaim
    | RejectClaim
    | DeclineConsent
    | RequestRejection
    | OpenDispute
    | UpholdDispute
    | DismissDispute
    | PostComment
    | RecordAssessment
    | PassDeadline
)
"""Everything that can be asked of a claim."""

COMMANDS: Mapping[str, type[AnyCommand]] = MappingProxyType(
    {command.NAME: command for command in AnyCommand.__args__}
)
"""Every command by its name."""
