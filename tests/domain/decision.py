"""Every command as an ordinary call with plausible words, for tests that try them all."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from domain.claim import Claim, Details
from domain.event import Cause
from domain.vocabulary import (
    ActionReason,
    Activity,
    AssessmentResult,
    ClockName,
    Programme,
    RejectionReason,
    SolutionArea,
)
from tests.domain.examples import (
    ASSESSOR,
    CALENDAR_VERSION,
    CATALOGUE,
    CLAIM_ID,
    CONTOSO,
    CREATED_AT,
    CUSTOMER,
    CUSTOMER_CONTACT,
    ORG,
    OTHER_REVIEWER,
    PARTNER,
    PARTNER_CONTACT,
    SEED,
    TIMER,
    document,
    opened,
)

Decision = Callable[[Claim, Cause, datetime], None]


def _pass_running_clock(claim: Claim, cause: Cause, now: datetime) -> None:
    clock = claim.clock or opened(ClockName.CONSENT, now)[0]
    claim.pass_deadline(
        clock=clock.clock, due_at=clock.due_at, cause=cause, now=max(now, clock.due_at)
    )


def _supersede(claim: Claim, cause: Cause, now: datetime) -> None:
    create(supersedes=claim, cause=cause, now=now)


def create(
    *,
    claim_id: UUID = CLAIM_ID,
    org: str = ORG,
    solution_area: SolutionArea = SolutionArea.MICROSOFT_365,
    activities: Sequence[Activity] = (Activity.USAGE,),
    products: Sequence[str] = ("teams", "exchange"),
    subscription_ids: Sequence[str] = (),
    supersedes: Claim | None = None,
    cause: Cause = PARTNER,
    now: datetime = CREATED_AT,
) -> Claim:
    """Create the claim of which `created` tells."""
    return Claim.create(
        claim_id,
        org=org,
        name="Contoso collaboration",
        mpn_id="7654321",
        customer=CONTOSO,
        solution_area=solution_area,
        activities=activities,
        products=products,
        subscription_ids=subscription_ids,
        customer_contact=CUSTOMER_CONTACT,
        partner_contact=PARTNER_CONTACT,
        supersedes=supersedes,
        catalogue=CATALOGUE,
        cause=cause,
        now=now,
    )


DECISIONS: Mapping[str, Decision] = MappingProxyType(
    {
        "create_claim": _supersede,
        "edit_claim": lambda claim, cause, now: claim.edit(
            changes=Details(mpn_id="1111111"), catalogue=CATALOGUE, cause=cause, now=now
        ),
        "attach_poe": lambda claim, cause, now: claim.attach(
            document=document(len(claim.documents) + 1), cause=cause, now=now
        ),
        "submit_claim": lambda claim, cause, now: claim.submit(
            policy=SEED, calendar_version=CALENDAR_VERSION, cause=cause, now=now
        ),
        "start_review": lambda claim, cause, now: claim.start_review(cause=cause, now=now),
        "assign_reviewer": lambda claim, cause, now: claim.assign_reviewer(
            reviewer="selin", cause=cause, now=now
        ),
        "require_action": lambda claim, cause, now: claim.require_action(
            reasons=[ActionReason.MISSING_OR_OLD_DATES],
            comment="Please add the dates.",
            cause=cause,
            now=now,
        ),
        "resubmit_claim": lambda claim, cause, now: claim.resubmit(cause=cause, now=now),
        "approve_claim": lambda claim, cause, now: claim.approve(cause=cause, now=now),
        "reject_claim": lambda claim, cause, now: claim.reject(
            reasons=[RejectionReason.INSUFFICIENT_POE],
            note="The proof says nothing about usage.",
            cause=cause,
            now=now,
        ),
        "decline_consent": lambda claim, cause, now: claim.decline_consent(cause=cause, now=now),
        "request_rejection": lambda claim, cause, now: claim.request_rejection(
            explanation="We no longer work with this customer.", cause=cause, now=now
        ),
        "open_dispute": lambda claim, cause, now: claim.open_dispute(
            justification="The usage stands on page 3.", cause=cause, now=now
        ),
        "uphold_dispute": lambda claim, cause, now: claim.uphold_dispute(
            note="Page 3 proves it.", cause=cause, now=now
        ),
        "dismiss_dispute": lambda claim, cause, now: claim.dismiss_dispute(
            note="Page 3 is blank.", cause=cause, now=now
        ),
        "post_comment": lambda claim, cause, now: claim.comment(
            text="Which seats do you mean?", cause=cause, now=now
        ),
        "record_assessment": lambda claim, cause, now: claim.record_assessment(
            programme=Programme.OSU, result=AssessmentResult.ELIGIBLE, cause=cause, now=now
        ),
        "pass_deadline": _pass_running_clock,
    }
)
"""Every command as an ordinary call with plausible words; a deadline passes when it is due."""

SENDER: Mapping[str, Cause] = MappingProxyType(
    {
        **dict.fromkeys(DECISIONS, PARTNER),
        **dict.fromkeys(
            (
                "start_review",
                "assign_reviewer",
                "require_action",
                "approve_claim",
                "reject_claim",
                "uphold_dispute",
                "dismiss_dispute",
            ),
            OTHER_REVIEWER,
        ),
        "decline_consent": CUSTOMER,
        "record_assessment": ASSESSOR,
        "pass_deadline": TIMER,
    }
)
"""Somebody who may send each command; its reviewer has rejected none of the examples."""
