"""What people are told, in their language (R26): each kind of notice as words, not yet as a mail.

Partners and customers hear of reviewers only as such (R25), and nothing of internal comments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

from babel.dates import format_date, format_time

from domain.claim import Claim, ClaimEvent
from domain.notice import Kind, Recipient
from domain.resource import Wording
from domain.vocabulary import ClockName, Dispute, RejectionReason
from projections.board import ClaimRow
from services.language import word
from services.language.translation import N_, Language, translations
from services.language.word import Look
from services.notifier.header import one_line


class Person(NamedTuple):
    """A contact, or the reviewers together, who have no name."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Tongue:
    """How one recipient is spoken to."""

    language: Language
    time_zone: tzinfo
    product_name: Callable[[str], Wording | None]
    """What a product is called; None for one that nobody knows any more."""

    def say(self, message: str, **values: str) -> str:
        """A message with its values, each on one line."""
        return _with(translations(self.language).gettext(message), values)

    def ngettext(self, one: str, many: str, num: int) -> str:
        """A message about a number of things."""
        return _with(translations(self.language).ngettext(one, many, num), {"num": str(num)})

    def product(self, code: str) -> str:
        """A product's name."""
        return self.wording(name) if (name := self.product_name(code)) else code

    def wording(self, text: Wording) -> str:
        """A text that is there in every language."""
        said: str = getattr(text, self.language.value)
        return said

    def time(self, at: datetime) -> str:
        """An instant with its day of the week and its time zone."""
        local, locale = at.astimezone(self.time_zone), self.language.value
        day = format_date(local, "full", locale)
        return f"{day}, {format_time(local, 'HH:mm', locale=locale)} ({self.time_zone})"


@dataclass(frozen=True, slots=True)
class Case:
    """What a notice is about: the claim as it stood with the event, and who may be named."""

    kind: Kind
    row: ClaimRow
    fact: ClaimEvent
    """The event that is told of, or that opened the clock that is reminded of."""
    sees: Wording
    """What the partner will see of the customer, by the claim's own policy."""
    partner_contact: Person | None
    """None once erased (R30)."""
    link: str
    """Where the recipient can do something about it."""


class Point(NamedTuple):
    """One of several, until when something is to be done about it, and where."""

    text: str
    due: str = ""
    link: str = ""


class Letter(NamedTuple):
    """What is said, part by part; the same for HTML and plain text."""

    subject: str
    title: str
    said: Sequence[str]
    """What has happened, and why."""
    link: str
    link_text: str
    footer: str
    """Why the recipient gets this."""
    choices: str
    """What the recipient may choose about mails."""
    points: Sequence[Point] = ()
    """Reasons, or news, one by one."""
    quoted: str = ""
    """Somebody's own words."""
    quoted_from: str = ""
    facts: Sequence[tuple[str, str]] = ()
    do: Sequence[str] = ()
    """What to do, and until when."""


_NAME: Final = 60
"""Letters of a name in a subject."""


def letter(case: Case, tongue: Tongue) -> Letter:
    """What the recipient of a notice reads."""
    match case.kind.recipient:
        case Recipient.PARTNER:
            return _to_partner(case, tongue)
        case Recipient.CUSTOMER:
            return _to_customer(case, tongue)
        case Recipient.REVIEWERS:
            return _to_reviewers(case, tongue)
        case _:
            assert_never(case.kind.recipient)


def digest(cases: Sequence[Case], tongue: Tongue, link: str) -> Letter:
    """What reviewers read when there is more than one thing to say."""
    say = tongue.say
    title = tongue.ngettext(
        "%(num)s update for the reviewers", "%(num)s updates for the reviewers", len(cases)
    )
    return Letter(
        subject=title,
        title=title,
        said=[say("This is what has happened since the last message:")],
        points=[Point(_headline(case, tongue), _due(case, tongue), case.link) for case in cases],
        link=link,
        link_text=say("Open the queue"),
        footer=_reviewers_footer(tongue),
        choices=say("Language and time zone"),
    )


class _Body(NamedTuple):
    """What a letter to a partner says; all else is the same in each."""

    subject: str
    title: str
    said: str
    do: Sequence[str]
    points: Sequence[Point] = ()


def _to_partner(case: Case, tongue: Tongue) -> Letter:
    say, row, fact = tongue.say, case.row, case.fact
    body = _TO_PARTNER[case.kind](case, tongue)
    quoted = _lines(_words_of(fact))
    return Letter(
        subject=body.subject,
        title=body.title,
        said=[body.said],
        points=body.points,
        quoted=quoted,
        quoted_from=_whose(case, tongue) if quoted else "",
        facts=[*_asked_about(fact, tongue), *_facts(row, tongue)],
        do=body.do,
        link=case.link,
        link_text=say("Open the claim"),
        footer=say("You receive this message because you are the partner contact of this claim."),
        choices=_choices(tongue),
    )


def _action_required(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("Action required: %(name)s", name=_short(row.name)),
        title=say("The reviewers need more from you"),
        said=say(
            "A reviewer has looked at your dispute about the claim for %(customer)s. Before"
            " it can be decided, this must be put right:",
            customer=row.customer_name,
        )
        if row.dispute is Dispute.OPEN
        else say(
            "A reviewer has looked at your claim for %(customer)s. Before it can be"
            " decided, this must be put right:",
            customer=row.customer_name,
        ),
        points=_names(row.action_reasons, word.ACTION_REASON, tongue),
        do=_resubmit(case, tongue),
    )


def _response_reminder(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("Reminder, action required: %(name)s", name=_short(row.name)),
        title=say("The reviewers are still waiting for you"),
        said=say(
            "Your claim for %(customer)s was sent back to you, and has not been resubmitted"
            " yet. This must be put right:",
            customer=row.customer_name,
        ),
        points=_names(row.action_reasons, word.ACTION_REASON, tongue),
        do=_resubmit(case, tongue),
    )


def _approved(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("Approved: %(name)s", name=_short(row.name)),
        title=say("Your claim is approved"),
        said=say(
            "A reviewer has approved your claim for %(customer)s.", customer=row.customer_name
        ),
        do=_wait_for_consent(case, tongue),
    )


def _dispute_upheld(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("Dispute upheld: %(name)s", name=_short(row.name)),
        title=say("Your dispute was upheld"),
        said=say(
            "A reviewer has decided your dispute about the claim for %(customer)s in"
            " your favour: the claim is approved.",
            customer=row.customer_name,
        ),
        do=_wait_for_consent(case, tongue),
    )


def _rejected(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    if RejectionReason.PARTNER_REQUEST in row.rejection_reasons:
        return _Body(
            subject=say("Rejected at your request: %(name)s", name=_short(row.name)),
            title=say("Your claim was rejected, as your organisation asked"),
            said=say(
                "Your organisation has given up the association with %(customer)s, so the claim"
                " was rejected.",
                customer=row.customer_name,
            ),
            do=[_where(tongue), say("This can't be disputed."), _anew(tongue)],
        )
    further = (
        [_dispute(case, tongue), say("Once that time has passed, the rejection is final.")]
        if row.clock is ClockName.DISPUTE_WINDOW
        else [say("This can't be disputed."), _anew(tongue)]
    )
    return _Body(
        subject=say("Rejected: %(name)s", name=_short(row.name)),
        title=say("Your claim was rejected"),
        said=_was_rejected(case, tongue),
        points=_names(row.rejection_reasons, word.REJECTION_REASON, tongue),
        do=[_where(tongue), *further],
    )


def _dispute_reminder(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("Reminder, you can still dispute: %(name)s", name=_short(row.name)),
        title=say("You can still dispute the rejection"),
        said=_was_rejected(case, tongue),
        points=_names(row.rejection_reasons, word.REJECTION_REASON, tongue),
        do=[
            _dispute(case, tongue),
            say(
                "If you agree, you need not do anything: once that time has passed, the"
                " rejection is final."
            ),
        ],
    )


def _dispute_dismissed(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("Dispute dismissed: %(name)s", name=_short(row.name)),
        title=say("Your dispute was dismissed"),
        said=say(
            "The rejection of your claim for %(customer)s stands, because:",
            customer=row.customer_name,
        ),
        points=_names(row.rejection_reasons, word.REJECTION_REASON, tongue),
        do=[_where(tongue), say("The rejection is final."), _anew(tongue)],
    )


def _customer_declined(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("The customer declined: %(name)s", name=_short(row.name)),
        title=say("The customer declined the association"),
        said=say(
            "%(customer)s has declined the association, so your claim was rejected.",
            customer=row.customer_name,
        ),
        do=[
            say(
                "This can't be disputed. If you think that it is a misunderstanding, please"
                " talk to the customer."
            ),
            _anew(tongue),
        ],
    )


def _consent_elapsed(case: Case, tongue: Tongue) -> _Body:
    say, row = tongue.say, case.row
    return _Body(
        subject=say("The association is final: %(name)s", name=_short(row.name)),
        title=say("The association is final"),
        said=say(
            "The consent period is over, and %(customer)s did not decline: the association"
            " is final, and the claim is sent to be assessed for incentives.",
            customer=row.customer_name,
        ),
        do=[say("You need not do anything. The results will be on the claim's page.")],
    )


_TO_PARTNER: Final[Mapping[Kind, Callable[[Case, Tongue], _Body]]] = MappingProxyType(
    {
        Kind.ACTION_REQUIRED: _action_required,
        Kind.RESPONSE_REMINDER: _response_reminder,
        Kind.APPROVED: _approved,
        Kind.REJECTED: _rejected,
        Kind.CUSTOMER_DECLINED: _customer_declined,
        Kind.CONSENT_ELAPSED: _consent_elapsed,
        Kind.DISPUTE_REMINDER: _dispute_reminder,
        Kind.DISPUTE_UPHELD: _dispute_upheld,
        Kind.DISPUTE_DISMISSED: _dispute_dismissed,
    }
)


def _choices(tongue: Tongue) -> str:
    """Of people; reviewers share an address, and none of them chooses not to be reminded."""
    return tongue.say("Language, time zone and reminders")


def _asked_about(fact: ClaimEvent, tongue: Tongue) -> list[tuple[str, str]]:
    """The products that the reviewers' question is about, if they named some (R4)."""
    if not isinstance(fact, Claim.ActionRequired) or not fact.products:
        return []
    products = ", ".join(map(tongue.product, fact.products))
    return [(tongue.say("Products that it is about"), products)]


def _resubmit(case: Case, tongue: Tongue) -> list[str]:
    """How to answer the reviewers, until when, and what happens else (R5, R15c, R12)."""
    say, row, due = tongue.say, case.row, _until(case, tongue)
    return [
        say("Provide what is missing, and resubmit the claim before %(due)s.", due=due),
        say("A new document, an edit or a comment alone does not resubmit it."),
        say("If you do not resubmit in time, the dispute is dismissed.")
        if row.dispute is Dispute.OPEN
        else say("If you do not resubmit in time, the claim is rejected."),
    ]


def _where(tongue: Tongue) -> str:
    return tongue.say("You can view the reason, and all that led to it, on the claim's page.")


def _wait_for_consent(case: Case, tongue: Tongue) -> list[str]:
    """What comes of an approval, and what not yet (R6, R9)."""
    say = tongue.say
    return [
        say("You need not do anything."),
        say(
            "The customer is told as well, and may decline before %(due)s.",
            due=_until(case, tongue),
        ),
        say(
            "If the customer does not decline, the association becomes final and the claim"
            " is sent to be assessed for incentives. Approval alone earns nothing."
        ),
    ]


def _was_rejected(case: Case, tongue: Tongue) -> str:
    return tongue.say(
        "Your claim for %(customer)s was rejected, because:", customer=case.row.customer_name
    )


def _until(case: Case, tongue: Tongue) -> str:
    """When the claim's clock is due; nothing when none is open."""
    return tongue.time(case.row.due_at) if case.row.due_at else ""


def _dispute(case: Case, tongue: Tongue) -> str:
    """How to dispute, and until when (R11)."""
    return tongue.say(
        "If you think that this is wrong, you can dispute it before %(due)s: open the claim, choose"
        " “Dispute the rejection”, and give a business justification, new proof, or both. A claim"
        " can be disputed once, and another reviewer decides.",
        due=_until(case, tongue),
    )


def _anew(tongue: Tongue) -> str:
    """What is still possible after a rejection for good (R13)."""
    return tongue.say("You can create a new claim to replace this one.")


def _words_of(fact: ClaimEvent) -> str:
    """What somebody has written with an event."""
    match fact:
        case Claim.ActionRequired() | Claim.Resubmitted():
            return fact.comment
        case Claim.Approved() | Claim.Rejected() | Claim.DisputeUpheld() | Claim.DisputeDismissed():
            return fact.note
        case Claim.ConsentDeclined():
            return fact.reason
        case Claim.Disputed():
            return fact.justification
        case _:
            return ""


def _whose(case: Case, tongue: Tongue) -> str:
    """Whose words those are; reviewers have no name here (R25)."""
    match case.fact:
        case Claim.ConsentDeclined():
            return one_line(case.row.customer_name)
        case Claim.Resubmitted() | Claim.Disputed():
            return tongue.say("Partner")
        case _:
            return tongue.say("Reviewer")


def _to_customer(case: Case, tongue: Tongue) -> Letter:
    say, row = tongue.say, case.row
    if row.due_at is None:
        raise ValueError("a customer is told of a consent period that is open")
    due = tongue.time(row.due_at)
    customer = _short(row.customer_name)
    if case.kind is Kind.CONSENT_NOTICE:
        subject = say("A partner names %(customer)s as its customer", customer=customer)
        title = say("A partner names you as its customer")
        said = [
            say(
                "A partner asks to be recorded as the one that has worked with your organisation on"
                " the products named below. It has shown proof, and the proof was checked. Now it"
                " is your turn: you may decline."
            )
        ]
    else:
        subject = say("Reminder: a partner names %(customer)s as its customer", customer=customer)
        title = say("You can still decline")
        said = [
            say(
                "We have written to you that a partner names your organisation as its customer. The"
                " time in which you may decline is nearly over."
            )
        ]
    return Letter(
        subject=subject,
        title=title,
        said=said,
        facts=[
            *_partner(case, tongue),
            (say("Your organisation"), _named(row.customer_name, row.customer_domain)),
            (say("What it says it did"), _done(row, tongue)),
            (say("Products"), ", ".join(map(tongue.product, row.products))),
            (say("What the partner will see"), tongue.wording(case.sees)),
            (
                say("What it will not see"),
                say(
                    "Anything else. The association opens no access to your systems, your users or"
                    " what they write and store."
                ),
            ),
        ],
        do=[
            say(
                "If you agree, you need not do anything: the association becomes final on %(due)s.",
                due=due,
            ),
            say(
                "If you do not agree, open the page below and decline before then. You need no"
                " account, and no reason. Opening the page declines nothing."
            ),
        ],
        link=case.link,
        link_text=say("View or decline the association"),
        footer=say(
            "You receive this message because a partner has named you as its contact at the"
            " customer. The link is yours alone: whoever has it can decline for you."
        ),
        choices=_choices(tongue),
    )


def _done(row: ClaimRow, tongue: Tongue) -> str:
    """In the vendor's words; what the partner calls the claim is for itself and reviewers."""
    activities = ", ".join(tongue.say(word.ACTIVITY[each].word) for each in row.activities)
    return f"{tongue.say(word.SOLUTION_AREA[row.solution_area].word)}: {activities}"


def _partner(case: Case, tongue: Tongue) -> list[tuple[str, str]]:
    """Who the partner is: whoever speaks for it, unless erased (R30), and the organisation."""
    say, contact, ids = (
        tongue.say,
        case.partner_contact,
        {"org": case.row.org, "mpn_id": case.row.mpn_id},
    )
    if contact is None:
        return [(say("Partner"), say("Organisation %(org)s, MPN id %(mpn_id)s", **ids))]
    return [
        (say("Partner"), _named(contact.name, contact.address.rpartition("@")[2])),
        (say("Partner's organisation"), say("%(org)s, MPN id %(mpn_id)s", **ids)),
    ]


def _to_reviewers(case: Case, tongue: Tongue) -> Letter:
    say, row = tongue.say, case.row
    title = say(_TITLES[case.kind])
    quoted = _lines(_words_of(case.fact)) if case.kind is Kind.NEW_WORK else ""
    return Letter(
        subject=f"{title}: {_short(row.name)}",
        title=title,
        said=[_headline(case, tongue)],
        quoted=quoted,
        quoted_from=_whose(case, tongue) if quoted else "",
        facts=[(say("Organisation"), one_line(row.org)), *_facts(row, tongue)],
        do=[due] if (due := _due(case, tongue)) else [],
        link=case.link,
        link_text=say("Open the claim"),
        footer=_reviewers_footer(tongue),
        choices=say("Language and time zone"),
    )


def _reviewers_footer(tongue: Tongue) -> str:
    return tongue.say("You receive this message because your address is the reviewers' address.")


def _headline(case: Case, tongue: Tongue) -> str:
    """What is the matter with a claim, in one sentence for reviewers."""
    say = tongue.say
    named = {"name": case.row.name, "customer": case.row.customer_name}
    match case.kind, case.fact:
        case Kind.NEW_WORK, Claim.Submitted():
            return say("“%(name)s” for %(customer)s was submitted.", **named)
        case Kind.NEW_WORK, Claim.Resubmitted():
            return say("“%(name)s” for %(customer)s was resubmitted.", **named)
        case Kind.NEW_WORK, _:
            return say("The rejection of “%(name)s” for %(customer)s is disputed.", **named)
        case Kind.TARGET_SOON, _:
            return say("“%(name)s” for %(customer)s is due soon.", **named)
        case _:
            return say("“%(name)s” for %(customer)s was not handled in time.", **named)


_TITLES: Final = {
    Kind.NEW_WORK: N_("New work"),
    Kind.TARGET_SOON: N_("Due soon"),
    Kind.TARGET_MISSED: N_("Target missed"),
}
_UNTIL: Final = {
    ClockName.REVIEW_START: N_("The review should start before %(due)s."),
    ClockName.REVIEW_DECISION: N_("The decision is due before %(due)s."),
    ClockName.DISPUTE_RESULT: N_("The decision on the dispute is due before %(due)s."),
}
_WAS: Final = {
    ClockName.REVIEW_START: N_("The review should have started before %(due)s."),
    ClockName.REVIEW_DECISION: N_("The decision was due before %(due)s."),
    ClockName.DISPUTE_RESULT: N_("The decision on the dispute was due before %(due)s."),
}


def _due(case: Case, tongue: Tongue) -> str:
    """Until when reviewers are to do something."""
    row = case.row
    if row.clock is None or row.due_at is None:
        return ""
    sentences = _WAS if case.kind is Kind.TARGET_MISSED else _UNTIL
    return tongue.say(sentences[row.clock], due=tongue.time(row.due_at))


def _facts(row: ClaimRow, tongue: Tongue) -> list[tuple[str, str]]:
    say = tongue.say
    return [
        (say("Claim"), one_line(row.name)),
        (say("Customer"), _named(row.customer_name, row.customer_domain)),
        (say("Products"), ", ".join(map(tongue.product, row.products))),
    ]


def _names(codes: Iterable[str], looks: Mapping[str, Look], tongue: Tongue) -> list[Point]:
    return [Point(tongue.say(looks[code].word)) for code in codes]


def _named(name: str, domain: str) -> str:
    return one_line(f"{name} ({domain})")


def _short(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= _NAME else f"{name[: _NAME - 1].rstrip()}…"


def _lines(text: str) -> str:
    """Somebody's own words, line by line."""
    return "\n".join(map(one_line, text.strip().splitlines()))


def _with(message: str, values: Mapping[str, str]) -> str:
    return (
        message % {name: one_line(value) for name, value in values.items()} if values else message
    )
