"""What happened to a claim, as sentences: said once, in English, for whoever translates them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, assert_never

from domain.claim import Claim, ClaimEvent, Details
from domain.event import OpenedClock
from domain.vocabulary import ClockName
from projections.board import ClaimRow


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it, which extraction looks for
    """Mark a message that is translated where it is said."""
    return message


def _as_it_is(text: str) -> str:
    return text


def _readable(code: str) -> str:
    return code.replace("_", " ")


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Tongue:
    """How sentences are told: in which words, and by which clock."""

    translate: Callable[[str], str] = _as_it_is
    """A message in the reader's language, with the placeholders that it has in English."""
    name: Callable[[str], str] = _readable
    """What the reader calls a value of the domain, or a product."""
    code: Callable[[str], str] = _as_it_is
    """The same where two values are compared."""
    time: Callable[[datetime], str] = _utc

    def say(self, message: str, **values: str) -> str:
        """A message with its values."""
        return self.translate(message) % values

    def list(self, codes: Sequence[str]) -> str:
        """Several names."""
        return ", ".join(map(self.name, codes))


ENGLISH: Final = Tongue()
"""As the API tells it: in English, with codes as they are and times in UTC."""


def sentence(
    fact: ClaimEvent, row: ClaimRow | None, tongue: Tongue, reviewer: Callable[[str], str]
) -> str:
    """What happened; `row` is the claim before it, `reviewer` what a reviewer is called."""
    say = tongue.say
    match fact:
        case Claim.Created():
            return say(
                "Created the claim “%(name)s” for %(customer)s (%(domain)s): %(products)s.",
                name=fact.name,
                customer=fact.customer.name,
                domain=fact.customer.domain,
                products=tongue.list(fact.products),
            )
        case Claim.Edited():
            if row is None:
                return say("Changed.")
            return say(
                "Changed %(changes)s.", changes="; ".join(_changes(row, fact.changes, tongue))
            )
        case Claim.PoeAttached():
            filename = fact.document.filename
            return _with(
                say("Attached the proof of execution %(filename)s.", filename=filename), fact.note
            )
        case Claim.Submitted():
            policy = fact.policy.name
            said = say("Submitted for review under the policy %(policy)s.", policy=policy)
            return _and_due(said, fact.clocks, tongue)
        case Claim.Resubmitted():
            return _with(_and_due(say("Resubmitted."), fact.clocks, tongue), fact.comment)
        case Claim.ReviewStarted():
            said = say("%(reviewer)s started the review.", reviewer=reviewer(fact.reviewer))
            return _and_due(said, fact.clocks, tongue)
        case Claim.ReviewerAssigned():
            return say("Assigned the review to %(reviewer)s.", reviewer=reviewer(fact.reviewer))
        case Claim.ActionRequired():
            return _with(_and_due(_asked(fact, tongue), fact.clocks, tongue), fact.comment)
        case Claim.Approved():
            return _with(_and_due(say("Approved."), fact.clocks, tongue), fact.note)
        case Claim.Rejected():
            said = say("Rejected: %(reasons)s.", reasons=tongue.list(fact.reasons))
            return _with(_and_due(said, fact.clocks, tongue), fact.note)
        case Claim.ConsentDeclined():
            return _with(say("The customer declined the association."), fact.reason)
        case Claim.RejectionRequested():
            return _with(say("The partner asked to have the claim rejected."), fact.explanation)
        case Claim.Disputed():
            said = _and_due(say("Disputed the rejection."), fact.clocks, tongue)
            return _with(said, fact.justification)
        case Claim.DisputeUpheld():
            return _with(say("Upheld the dispute."), fact.note)
        case Claim.DisputeDismissed():
            reasons = tongue.list(fact.reasons)
            return _with(say("The dispute was dismissed: %(reasons)s.", reasons=reasons), fact.note)
        case Claim.Commented():
            if fact.internal:
                return say("Noted internally: %(text)s", text=fact.text)
            return say("Commented: %(text)s", text=fact.text)
        case Claim.AssessmentRecorded():
            programme, result = tongue.name(fact.programme), tongue.name(fact.result)
            assessed = say(
                "Assessed for %(programme)s: %(result)s.", programme=programme, result=result
            )
            return _with(assessed, fact.note)
        case Claim.SentForAssessment():
            return say("Sent to be assessed for incentives.")
        case Claim.ReviewStartOverdue():
            due = tongue.time(fact.due_at)
            return say("The review was to start before %(due)s: target missed.", due=due)
        case Claim.ReviewOverdue():
            due = tongue.time(fact.due_at)
            return say("The review was to be decided before %(due)s: target missed.", due=due)
        case Claim.DisputeResultOverdue():
            due = tongue.time(fact.due_at)
            return say("The dispute was to be decided before %(due)s: target missed.", due=due)
        case Claim.PartnerResponseExpired():
            due = tongue.time(fact.due_at)
            return say("The partner did not respond before %(due)s.", due=due)
        case Claim.ConsentElapsed():
            due = tongue.time(fact.due_at)
            return say("The customer did not decline before %(due)s: that is consent.", due=due)
        case Claim.DisputeWindowClosed():
            due = tongue.time(fact.due_at)
            return say("Nobody disputed the rejection before %(due)s: it is final.", due=due)
        case _:
            assert_never(fact)


def _asked(fact: Claim.ActionRequired, tongue: Tongue) -> str:
    reasons = tongue.list(fact.reasons)
    if not fact.products:
        return tongue.say("Required partner action: %(reasons)s.", reasons=reasons)
    return tongue.say(
        "Required partner action (about %(products)s): %(reasons)s.",
        products=tongue.list(fact.products),
        reasons=reasons,
    )


def _changes(row: ClaimRow, changes: Details, tongue: Tongue) -> Iterator[str]:
    """Each field that an edit changes: what it was, and what it is."""
    say = tongue.say
    if changes.name is not None:
        yield say("the name from “%(before)s” to “%(after)s”", before=row.name, after=changes.name)
    if changes.mpn_id is not None:
        yield say(
            "the MPN id from %(before)s to %(after)s", before=row.mpn_id, after=changes.mpn_id
        )
    if changes.customer is not None:
        customer = changes.customer
        yield say(
            "the customer from %(before)s to %(after)s",
            before=f"{row.customer_name} ({row.customer_domain}, {row.tenant_id})",
            after=f"{customer.name} ({customer.domain}, {customer.tenant_id})",
        )
    if changes.solution_area is not None:
        yield say(
            "the solution area from %(before)s to %(after)s",
            before=tongue.name(row.solution_area),
            after=tongue.name(changes.solution_area),
        )
    for message, before, after in (
        (N_("the activities from %(before)s to %(after)s"), row.activities, changes.activities),
        (N_("the products from %(before)s to %(after)s"), row.products, changes.products),
        (
            N_("the subscription ids from %(before)s to %(after)s"),
            row.subscription_ids,
            changes.subscription_ids,
        ),
    ):
        if after is not None:
            yield say(message, before=_codes(before, tongue), after=_codes(after, tongue))
    if changes.customer_contact is not None:
        yield say("the customer contact")
    if changes.partner_contact is not None:
        yield say("the partner contact")


def _codes(codes: Sequence[str], tongue: Tongue) -> str:
    return ", ".join(map(tongue.code, codes)) or tongue.say("none")


_NEXT: Final[Mapping[ClockName, str]] = MappingProxyType(
    {
        ClockName.REVIEW_START: N_("The review is to start before %(due)s."),
        ClockName.REVIEW_DECISION: N_("A decision is due before %(due)s."),
        ClockName.PARTNER_RESPONSE: N_("The partner is to respond before %(due)s."),
        ClockName.CONSENT: N_("The customer may decline before %(due)s."),
        ClockName.DISPUTE_WINDOW: N_("The partner may dispute it before %(due)s."),
        ClockName.DISPUTE_RESULT: N_("A decision on the dispute is due before %(due)s."),
    }
)
"""What is to happen next, and until when."""


def _and_due(said: str, clocks: Sequence[OpenedClock], tongue: Tongue) -> str:
    due = (tongue.say(_NEXT[each.clock], due=tongue.time(each.due_at)) for each in clocks)
    return " ".join((said, *due))


def _with(said: str, words: str) -> str:
    return f"{said} {words}" if words else said
