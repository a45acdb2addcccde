"""How each deed of the story is done: the commands, and their words."""

from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from domain.vocabulary import ActionReason, AssessmentResult, RejectionReason
from services.demo.cast import ASSESSOR, CUSTOMER, Part
from services.demo.script import Deed
from services.demo.stage import Stage
from services.resource import load_catalogue

_QUESTIONS: tuple[tuple[ActionReason, str], ...] = (
    (
        ActionReason.MISSING_CUSTOMER_ACKNOWLEDGMENT,
        "The statement of work has no customer signature. Please send the signed one.",
    ),
    (
        ActionReason.MISSING_OR_OLD_DATES,
        "The document has no dates. When was the work done?",
    ),
    (
        ActionReason.MISSING_PARTNER_SOLUTION,
        "It says who, but hardly what. Please describe your own part of the work.",
    ),
)
_DECLINES = (
    "We don't know this partner.",
    "That project was cancelled.",
    "We work with somebody else by now.",
)
_WITHDRAWALS = (
    "The project went to another partner; we drop the draft.",
    "Claimed under the wrong MPN id; we will claim anew.",
    "Claimed for the wrong activity.",
    "We no longer work with this customer.",
)

CAPTIONS: Mapping[Deed, str] = MappingProxyType(
    {
        Deed.DRAFT: "{partner} drafts a claim: {claim}",
        Deed.CLAIM: "{partner} claims: {claim}",
        Deed.REVIEW: "{reviewer} reviews: {claim}",
        Deed.APPROVE: "{reviewer} approves: {claim}",
        Deed.ASK: "{reviewer} asks {partner} for more: {claim}",
        Deed.ANSWER: "{partner} answers and resubmits: {claim}",
        Deed.EDIT: "{partner} edits: {claim}",
        Deed.NOTE: "{reviewer} leaves an internal note: {claim}",
        Deed.HAND_OVER: "{reviewer} hands over to {second}: {claim}",
        Deed.REJECT: "{reviewer} rejects: {claim}",
        Deed.DECLINE: "The customer declines: {claim}",
        Deed.WITHDRAW: "{partner} withdraws: {claim}",
        Deed.DISPUTE: "{partner} disputes the rejection: {claim}",
        Deed.UPHOLD: "{second} upholds the dispute: {claim}",
        Deed.DISMISS: "{second} dismisses the dispute: {claim}",
        Deed.ELIGIBLE: "Assessed, earns an incentive: {claim}",
        Deed.INELIGIBLE: "Assessed, earns no incentive: {claim}",
    }
)


class Performance:
    """One claim's life on the stage."""

    def __init__(self, part: Part, supersedes: Part | None, stage: Stage) -> None:
        self._part = part
        self._supersedes = supersedes.claim_id if supersedes else None
        self._stage = stage
        self._documents = count(1)
        self._decider = part.reviewer

    def caption(self, deed: Deed) -> str:
        """What is going on, in one line."""
        part = self._part
        return CAPTIONS[deed].format(
            partner=part.partner.name,
            claim=f"{part.work.name} at {part.customer.name}",
            reviewer=self._decider.id.capitalize(),
            second=part.second_reviewer.id.capitalize(),
        )

    async def perform(self, deed: Deed) -> None:
        """Do it. Raises StoryStopped when the system refuses."""
        part = self._part
        match deed:
            case Deed.DRAFT:
                await self._as_partner("create_claim", part.details(self._supersedes))
            case Deed.CLAIM:
                await self._as_partner("create_claim", part.details(self._supersedes))
                await self._attach("statement-of-work.pdf", "Statement of work")
                await self._as_partner("submit_claim")
            case Deed.EDIT:
                await self._as_partner("edit_claim", {"products": [part.work.products[0]]})
            case Deed.ANSWER:
                await self._attach("signed-statement-of-work.pdf", "Statement of work, signed")
                comment = "Here is the signed document, with dates and our work described."
                await self._as_partner("resubmit_claim", {"comment": comment})
            case Deed.WITHDRAW:
                explanation = _WITHDRAWALS[part.number % len(_WITHDRAWALS)]
                await self._as_partner("request_rejection", {"explanation": explanation})
            case Deed.DISPUTE:
                await self._dispute()
            case Deed.DECLINE:
                reason = _DECLINES[part.number % len(_DECLINES)]
                await self._stage.command(
                    CUSTOMER, part.claim_id, "decline_consent", {"reason": reason}
                )
            case Deed.ELIGIBLE | Deed.INELIGIBLE:
                await self._assess(AssessmentResult(deed.value))
            case _:
                await self._as_reviewer(deed)

    async def _as_reviewer(self, deed: Deed) -> None:
        part = self._part
        commands: Mapping[Deed, tuple[str, dict[str, Any]]] = {
            Deed.REVIEW: ("start_review", {}),
            Deed.NOTE: (
                "post_comment",
                {"text": "The signature looks copied; compare the original.", "internal": True},
            ),
            Deed.HAND_OVER: ("assign_reviewer", {"reviewer": part.second_reviewer.id}),
            Deed.ASK: ("require_action", self._question()),
            Deed.APPROVE: ("approve_claim", {"note": "Signed, dated, and the work is described."}),
            Deed.REJECT: (
                "reject_claim",
                {
                    "reasons": [RejectionReason.INSUFFICIENT_POE],
                    "note": "The document does not show what was done for this customer.",
                },
            ),
            Deed.UPHOLD: ("uphold_dispute", {"note": "The new document settles it."}),
            Deed.DISMISS: ("dismiss_dispute", {"note": "Nothing new was shown."}),
        }
        command, data = commands[deed]
        await self._stage.command(self._decider, part.claim_id, command, data)
        if deed is Deed.HAND_OVER:
            self._decider = part.second_reviewer

    async def _dispute(self) -> None:
        """With a new document; another reviewer decides it (R12)."""
        document = await self._upload("project-report.pdf", "Project report")
        justification = "The report describes the work, week by week."
        data = {"justification": justification, "documents": [document]}
        await self._as_partner("open_dispute", data)
        self._decider = self._part.second_reviewer

    async def _assess(self, result: AssessmentResult) -> None:
        data = {"programme": self._part.work.programme, "result": result}
        await self._stage.report(ASSESSOR, self._part.claim_id, "record_assessment", data)

    async def _attach(self, filename: str, title: str) -> None:
        await self._as_partner("attach_poe", {"document": await self._upload(filename, title)})

    async def _upload(self, filename: str, title: str) -> dict[str, Any]:
        part, number = self._part, next(self._documents)
        offered = load_catalogue().products
        names = [each.name.en for each in offered if each.code in part.work.products]
        lines = [
            title,
            f"{part.partner.name} for {part.customer.name}",
            part.work.name,
            f"Products: {', '.join(names)}",
            f"Directory: {part.customer.tenant_id}",
            f"Document {number} of claim {part.claim_id}",
            f"Signed for the customer: {part.customer.person}, {part.customer.title}",
            *([f"{self._stage.now:%d %B %Y}"] if number > 1 else []),  # reviewers ask for the date
        ]
        return await self._stage.upload(part.partner.actor, filename, lines)

    async def _as_partner(self, command: str, data: dict[str, Any] | None = None) -> None:
        await self._stage.command(self._part.partner.actor, self._part.claim_id, command, data)

    def _question(self) -> dict[str, Any]:
        reason, comment = _QUESTIONS[self._part.number % len(_QUESTIONS)]
        return {"reasons": [reason], "comment": comment}
