"""From a command to the decision that it asks for: one line a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID, uuid5

from domain.calendar import calendar_version
from domain.catalogue import Catalogue
from domain.claim import SUPERSEDES_NONE, Claim, Details
from domain.command import (
    AnyCommand,
    ApproveClaim,
    AssignReviewer,
    AttachPoe,
    CreateClaim,
    CustomerContact,
    DeclineConsent,
    DismissDispute,
    EditClaim,
    OpenDispute,
    PartnerContact,
    PassDeadline,
    PostComment,
    RecordAssessment,
    RejectClaim,
    RequestRejection,
    RequireAction,
    ResubmitClaim,
    StartReview,
    SubmitClaim,
    UpholdDispute,
)
from domain.event import Cause, ContactRef, Customer, Document
from domain.policy import Policy
from domain.refusal import Invalid, NotFound
from services.cloudevent import canonical, keyed_digest
from services.store import Contact


@dataclass(frozen=True, slots=True)
class Terms:
    """What decisions lean on besides the claim itself."""

    policy: Policy
    catalogue: Catalogue
    key: bytes
    """Of the keyed digests (R30)."""


def decide(
    command: AnyCommand,
    claim: Claim | None,
    *,
    claim_id: UUID,
    others: Mapping[UUID, Claim],
    terms: Terms,
    cause: Cause,
    now: datetime,
) -> tuple[Claim, list[Contact]]:
    """Let the claim decide: it has its new events pending; beside them, the contacts to keep.

    Raises a Refusal; then nothing is pending.
    """
    contacts: list[Contact] = []

    def keep(which: str, contact: CustomerContact | PartnerContact) -> ContactRef:
        kept = Contact(
            contact_id=uuid5(claim_id, f"{cause.command_id}/{which}"),
            claim_id=claim_id,
            name=contact.name,
            title=contact.title if isinstance(contact, CustomerContact) else None,
            email=contact.email,
        )
        contacts.append(kept)
        content = canonical([kept.name, kept.title, kept.email])
        return ContactRef(id=kept.contact_id, digest=keyed_digest(terms.key, content))

    if isinstance(command, CreateClaim):
        superseded = others.get(command.supersedes) if command.supersedes else None
        if command.supersedes and superseded is None:
            raise Invalid([SUPERSEDES_NONE], rule="R13")
        created = Claim.create(
            claim_id,
            org=cause.actor.org or "",
            name=command.name,
            mpn_id=command.mpn_id,
            customer=Customer(**command.customer.model_dump()),
            solution_area=command.solution_area,
            activities=command.activities,
            products=command.products,
            subscription_ids=command.subscription_ids,
            customer_contact=keep("customer", command.customer_contact),
            partner_contact=keep("partner", command.partner_contact),
            supersedes=superseded,
            catalogue=terms.catalogue,
            cause=cause,
            now=now,
        )
        return created, contacts
    if claim is None:
        raise NotFound("there is no such claim")
    match command:
        case EditClaim():
            stated = command.model_dump(
                exclude_unset=True, exclude={"customer_contact", "partner_contact"}
            )
            if command.customer_contact:
                stated["customer_contact"] = keep("customer", command.customer_contact)
            if command.partner_contact:
                stated["partner_contact"] = keep("partner", command.partner_contact)
            claim.edit(changes=Details(**stated), catalogue=terms.catalogue, cause=cause, now=now)
        case AttachPoe(document=document, note=note):
            claim.attach(
                document=Document(**document.model_dump()), note=note, cause=cause, now=now
            )
        case SubmitClaim():
            claim.submit(
                policy=terms.policy, calendar_version=calendar_version(), cause=cause, now=now
            )
        case StartReview():
            claim.start_review(cause=cause, now=now)
        case AssignReviewer(reviewer=reviewer):
            claim.assign_reviewer(reviewer=reviewer, cause=cause, now=now)
        case RequireAction(reasons=reasons, products=products, comment=comment):
            claim.require_action(
                reasons=reasons, products=products, comment=comment, cause=cause, now=now
            )
        case ResubmitClaim(comment=comment):
            claim.resubmit(comment=comment, cause=cause, now=now)
        case ApproveClaim(note=note):
            claim.approve(note=note, cause=cause, now=now)
        case RejectClaim(reasons=reasons, note=note):
            claim.reject(reasons=reasons, note=note, cause=cause, now=now)
        case DeclineConsent(reason=reason):
            claim.decline_consent(reason=reason, cause=cause, now=now)
        case RequestRejection(explanation=explanation):
            claim.request_rejection(explanation=explanation, cause=cause, now=now)
        case OpenDispute(justification=justification, documents=documents):
            claim.open_dispute(
                justification=justification,
                documents=[Document(**document.model_dump()) for document in documents],
                cause=cause,
                now=now,
            )
        case UpholdDispute(note=note):
            claim.uphold_dispute(note=note, cause=cause, now=now)
        case DismissDispute(note=note):
            claim.dismiss_dispute(note=note, cause=cause, now=now)
        case PostComment(text=text, internal=internal):
            claim.comment(text=text, internal=internal, cause=cause, now=now)
        case RecordAssessment(programme=programme, result=result, note=note):
            claim.record_assessment(
                programme=programme, result=result, note=note, cause=cause, now=now
            )
        case PassDeadline(clock=clock, due_at=due_at):
            claim.pass_deadline(clock=clock, due_at=due_at, cause=cause, now=now)
        case _:
            assert_never(command)
    return claim, contacts
