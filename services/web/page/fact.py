"""What a claim states, fact by fact, as text: to be read, and to be compared with another time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from domain.vocabulary import Assessment, Consent, Dispute, Role, Status
from projections.history import SOME_REVIEWER, Who
from services.language import word
from services.language.translation import N_
from services.web.page.moment import written
from services.web.page.name import name_of, names_of
from services.web.page.visit import Visit
from services.web.view import ClaimView, CustomerContactView, PartnerContactView

_NAMELESS: Final = frozenset({Role.CUSTOMER, Role.ASSESSOR, Role.TIMER})


class Fact(NamedTuple):
    """One thing that is known about a claim."""

    group: str
    """`state`, `claim`, `customer`, `partner`, `reason`, `review` or `proof`."""
    label: str
    """To be translated."""
    text: str
    """Empty when there is nothing to say."""
    is_code: bool = False
    """Whether it is an identifier, to be read sign by sign."""
    leads_to: str = ""


class Difference(NamedTuple):
    """A fact that is another one now."""

    label: str
    before: str
    after: str


def facts_of(visit: Visit, claim: ClaimView) -> list[Fact]:
    """Everything that the reader may know of a claim, in the order in which it is read."""
    return [*_state(visit, claim), *_statement(visit, claim), *_review(visit, claim)]


def differences(before: list[Fact], after: list[Fact]) -> list[Difference]:
    """The facts that differ between two times."""
    return [
        Difference(then.label, then.text, now.text)
        for then, now in zip(before, after, strict=True)
        if then.text != now.text
    ]


def _state(visit: Visit, claim: ClaimView) -> Iterator[Fact]:
    yield Fact("state", N_("Status"), name_of(visit, claim.status))
    yield Fact("state", N_("Whose move"), name_of(visit, claim.whose_turn))
    for label, value, nothing in (
        (N_("Consent"), claim.consent, Consent.NONE),
        (N_("Dispute"), claim.dispute, Dispute.NONE),
        (N_("Assessment"), claim.assessment, Assessment.NOT_SENT),
    ):
        yield Fact("state", label, "" if value is nothing else name_of(visit, value))


def _statement(visit: Visit, claim: ClaimView) -> Iterator[Fact]:
    customer = claim.customer
    replaced = str(claim.supersedes) if claim.supersedes else ""
    yield Fact("claim", N_("Claim name"), claim.name)
    yield Fact("claim", N_("Solution area"), name_of(visit, claim.solution_area))
    yield Fact("claim", N_("Activities"), names_of(visit, claim.activities))
    yield Fact("claim", N_("Products"), names_of(visit, claim.products))
    yield Fact("claim", N_("Subscription ids"), ", ".join(claim.subscription_ids), is_code=True)
    yield Fact("claim", N_("Supersedes"), replaced, is_code=True, leads_to=f"/claims/{replaced}")
    yield Fact("customer", N_("Customer name"), customer.name)
    yield Fact("customer", N_("Customer domain"), customer.domain)
    yield Fact("customer", N_("Tenant id"), str(customer.tenant_id), is_code=True)
    yield Fact("customer", N_("Customer contact"), _contact(visit, claim.customer_contact))
    yield Fact("partner", N_("Organisation"), claim.org, is_code=True)
    yield Fact("partner", N_("MPN id"), claim.mpn_id, is_code=True)
    yield Fact("partner", N_("Partner contact"), _contact(visit, claim.partner_contact))


def _review(visit: Visit, claim: ClaimView) -> Iterator[Fact]:
    yield Fact("review", N_("Assigned to"), reviewer_name(visit, claim.reviewer or ""))
    is_waited_for = claim.status is Status.PARTNER_ACTION_REQUIRED
    asked_for = claim.action_reasons if is_waited_for else ()
    yield Fact("reason", N_("Action required"), names_of(visit, asked_for))
    yield Fact("reason", N_("Rejected because"), names_of(visit, claim.rejection_reasons))
    yield Fact(
        "review",
        N_("Results"),
        "; ".join(
            f"{name_of(visit, each.programme)}: {name_of(visit, each.result)}"
            for each in claim.assessments
        ),
    )
    yield Fact("review", N_("First submitted"), _time(visit, claim.submitted_at))
    yield Fact("review", N_("Decision target"), _time(visit, claim.decision_target_at))
    yield Fact("review", N_("Decided"), _time(visit, claim.decided_at))
    yield Fact("review", N_("Policy"), claim.policy or "", is_code=True)
    yield Fact("proof", N_("Documents"), ", ".join(each.filename for each in claim.documents))


def actor_name(visit: Visit, who: Who) -> str:
    """Who did something; systems and customers are called by what they are."""
    if who.role in _NAMELESS:
        return visit.say(word.ROLE[who.role].word)
    return reviewer_name(visit, who.id)


def reviewer_name(visit: Visit, reviewer: str) -> str:
    """A reviewer, as far as the reader may know which (R25)."""
    return visit.say(reviewer) if reviewer == SOME_REVIEWER else reviewer


def _contact(visit: Visit, contact: CustomerContactView | PartnerContactView | None) -> str:
    if contact is None:
        return visit.say(N_("erased"))
    title = contact.title if isinstance(contact, CustomerContactView) else None
    return ", ".join(part for part in (contact.name, title, contact.email) if part)


def _time(visit: Visit, at: datetime | None) -> str:
    return written(at, visit.taste) if at else ""
