"""What people are told, in their language (R26): each kind of notice as words, not yet as a mail.

Partners and customers hear of reviewers only as such (R25), and nothing of internal comments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, NamedTuple, assert_never

from babel.dates import format_date, format_time

from domain.claim import Claim, ClaimEvent
from domain.notice import Kind
from domain.resource import Wording
from domain.vocabulary import ClockName, Dispute
from projections.board import ClaimRow
from services.language import word
from services.language.translation import N_, Language, translations
from services.language.word import Look


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
        """A message with its values."""
        text = translations(self.language).gettext(message)
        return text % values if values else text

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
    """One of several, and where there is more to it, if anywhere."""

    text: str
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
    points: Sequence[Point] = ()
    """Reasons, or news, one by one."""
    quoted: str = ""
    """Somebody's own words."""
    quoted_from: str = ""
    facts: Sequence[tuple[str, str]] = ()
    do: Sequence[str] = ()
    """What to do, and until when."""


_NAME: Final = 80
"""Letters of a claim's name in a subject."""


def letter(case: Case, tongue: Tongue) -> Letter:
    """What the recipient of a notice reads."""
    match case.kind:
        case Kind.CONSENT_NOTICE | Kind.CONSENT_REMINDER:
            return _to_customer(case, tongue)
        case Kind.NEW_WORK | Kind.TARGET_SOON | Kind.TARGET_MISSED:
            return _to_reviewers(case, tongue)
        case _:
            return _to_partner(case, tongue)


def digest(cases: Sequence[Case], tongue: Tongue, link: str) -> Letter:
    """What reviewers read when there is more than one thing to say."""
    say = tongue.say
    number = str(len(cases))
    return Letter(
        subject=say("%(number)s news for the reviewers", number=number),
        title=say("%(number)s news for the reviewers", number=number),
        said=[say("This has come together since the last mail:")],
        points=[
            Point(f"{_headline(case, tongue)} {_due(case, tongue)}".rstrip(), case.link)
            for case in cases
        ],
        link=link,
        link_text=say("Open the queue"),
        footer=say("You get this because your address is that of the programme's reviewers."),
    )


def _to_partner(case: Case, tongue: Tongue) -> Letter:
    say, row, fact = tongue.say, case.row, case.fact
    name, customer = _short(row.name), row.customer_name
    due = tongue.time(row.due_at) if row.due_at else ""
    points: list[Point] = []
    quoted = quoted_from = ""
    do: list[str] = []
    match case.kind:
        case Kind.ACTION_REQUIRED:
            subject = say("Action required: %(name)s", name=name)
            title = say("The reviewers need more from you")
            said = [
                say(
                    "A reviewer has looked at your claim for %(customer)s and needs the following"
                    " before it can be decided:",
                    customer=customer,
                )
            ]
            if isinstance(fact, Claim.ActionRequired):
                points = _names(fact.reasons, word.ACTION_REASON, tongue)
                quoted, quoted_from = fact.comment, say("Reviewer")
            do = [
                say("Provide what is missing and resubmit the claim before %(due)s.", due=due),
                say("A new document, an edit or a comment alone does not resubmit it."),
                say("Without an answer in time the dispute is dismissed.")
                if row.dispute is Dispute.OPEN
                else say("Without an answer in time the claim is rejected."),
            ]
        case Kind.APPROVED | Kind.DISPUTE_UPHELD:
            if case.kind is Kind.APPROVED:
                subject = say("Approved: %(name)s", name=name)
                title = say("Your claim is approved")
                said = [
                    say("A reviewer has approved your claim for %(customer)s.", customer=customer)
                ]
            else:
                subject = say("Dispute upheld: %(name)s", name=name)
                title = say("Your dispute was upheld")
                said = [
                    say(
                        "A reviewer has decided your dispute about the claim for %(customer)s in"
                        " your favour: the claim is approved.",
                        customer=customer,
                    )
                ]
            if isinstance(fact, Claim.Approved | Claim.DisputeUpheld):
                quoted, quoted_from = fact.note, say("Reviewer")
            do = [
                say("You need not do anything."),
                say("The customer has been told, and may decline before %(due)s.", due=due),
                say(
                    "Without a decline the association stands then, and the claim is sent to be"
                    " assessed for incentives. Approval alone earns nothing."
                ),
            ]
        case Kind.REJECTED:
            subject = say("Rejected: %(name)s", name=name)
            title = say("Your claim was rejected")
            said = [
                say("Your claim for %(customer)s was rejected, because:", customer=customer),
            ]
            if isinstance(fact, Claim.Rejected):
                points = _names(fact.reasons, word.REJECTION_REASON, tongue)
                quoted, quoted_from = fact.note, say("Reviewer")
            do = [say("The reason stands on the claim's page, with everything that led to it.")]
            do += (
                [
                    say(
                        "If you think that this is wrong, dispute it before %(due)s: open the"
                        " claim, choose “Dispute the rejection”, and give a business"
                        " justification, new proof, or both. There is one dispute per claim.",
                        due=due,
                    )
                ]
                if row.clock
                else [say("This rejection can't be disputed. You may make a new claim.")]
            )
        case Kind.CUSTOMER_DECLINED:
            subject = say("The customer declined: %(name)s", name=name)
            title = say("The customer declined the association")
            said = [
                say(
                    "%(customer)s has declined the association, so your claim is rejected.",
                    customer=customer,
                )
            ]
            if isinstance(fact, Claim.ConsentDeclined):
                quoted, quoted_from = fact.reason, customer
            do = [
                say("This can't be disputed. If it is a misunderstanding, speak to the customer.")
            ]
        case Kind.CONSENT_ELAPSED:
            subject = say("The association stands: %(name)s", name=name)
            title = say("The customer did not decline")
            said = [
                say(
                    "The consent period is over and %(customer)s did not decline: the association"
                    " stands, and the claim was sent to be assessed for incentives.",
                    customer=customer,
                )
            ]
            do = [say("You need not do anything. The results will stand on the claim's page.")]
        case Kind.DISPUTE_DISMISSED:
            subject = say("Dispute dismissed: %(name)s", name=name)
            title = say("Your dispute was dismissed")
            said = [
                say(
                    "The rejection of your claim for %(customer)s stands, because:",
                    customer=customer,
                )
            ]
            if isinstance(fact, Claim.DisputeDismissed):
                points = _names(fact.reasons, word.REJECTION_REASON, tongue)
                quoted, quoted_from = fact.note, say("Reviewer")
            do = [say("This is final. You may make a new claim that names this one.")]
        case Kind.RESPONSE_REMINDER:
            subject = say("Reminder: your answer is awaited: %(name)s", name=name)
            title = say("The reviewers still wait for your answer")
            said = [
                say(
                    "Your claim for %(customer)s was sent back to you, and has not been"
                    " resubmitted yet.",
                    customer=customer,
                )
            ]
            points = _names(row.action_reasons, word.ACTION_REASON, tongue)
            do = [
                say("Provide what is missing and resubmit the claim before %(due)s.", due=due),
                say("Without an answer in time the dispute is dismissed.")
                if row.dispute is Dispute.OPEN
                else say("Without an answer in time the claim is rejected."),
            ]
        case Kind.DISPUTE_REMINDER:
            subject = say("Reminder: you may still dispute: %(name)s", name=name)
            title = say("You may still dispute the rejection")
            said = [
                say(
                    "Your claim for %(customer)s was rejected, because:",
                    customer=customer,
                )
            ]
            points = _names(row.rejection_reasons, word.REJECTION_REASON, tongue)
            do = [
                say(
                    "If you think that this is wrong, dispute it before %(due)s. Else you need not"
                    " do anything: the rejection is final then.",
                    due=due,
                )
            ]
        case (
            Kind.CONSENT_NOTICE
            | Kind.CONSENT_REMINDER
            | Kind.NEW_WORK
            | Kind.TARGET_SOON
            | Kind.TARGET_MISSED
        ):
            raise ValueError(f"{case.kind} is not for partners")
        case _:
            assert_never(case.kind)
    return Letter(
        subject=subject,
        title=title,
        said=said,
        points=points,
        quoted=quoted,
        quoted_from=quoted_from,
        facts=_facts(row, tongue),
        do=do,
        link=case.link,
        link_text=say("Open the claim"),
        footer=say("You get this because you are the partner contact of this claim."),
    )


def _to_customer(case: Case, tongue: Tongue) -> Letter:
    say, row = tongue.say, case.row
    if row.due_at is None:
        raise ValueError("a customer is told of a consent period that is open")
    due = tongue.time(row.due_at)
    contact = case.partner_contact
    partner = say("organisation %(org)s, MPN id %(mpn_id)s", org=row.org, mpn_id=row.mpn_id)
    if contact:
        domain = contact.address.rpartition("@")[2]
        partner = f"{contact.name}, {domain} ({partner})"
    if case.kind is Kind.CONSENT_NOTICE:
        subject = say("A partner names %(customer)s as its customer", customer=row.customer_name)
        title = say("A partner names you as its customer")
        said = [
            say(
                "A partner says that it has worked for your organisation with the products below,"
                " and has shown proof. The proof was checked. Now it is your turn: you may decline."
            )
        ]
    else:
        subject = say(
            "Reminder: a partner names %(customer)s as its customer", customer=row.customer_name
        )
        title = say("You may still decline")
        said = [
            say(
                "We have written to you that a partner names your organisation as its customer."
                " The time in which you may decline is nearly over."
            )
        ]
    return Letter(
        subject=subject,
        title=title,
        said=said,
        facts=[
            (say("Partner"), partner),
            (say("Your organisation"), f"{row.customer_name} ({row.customer_domain})"),
            (say("What it says it did"), row.name),
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
            say("If you agree, do nothing: the association becomes final on %(due)s.", due=due),
            say(
                "If you do not agree, open the page below and decline before then. You need no"
                " account, and no reason. Opening the page declines nothing."
            ),
        ],
        link=case.link,
        link_text=say("See the association, or decline"),
        footer=say(
            "You get this because a partner has named you as the contact of its customer. The link"
            " is yours alone: whoever has it can decline for you."
        ),
    )


def _to_reviewers(case: Case, tongue: Tongue) -> Letter:
    say, row = tongue.say, case.row
    title = say(_TITLES[case.kind])
    quoted = ""
    match case.fact:
        case Claim.Resubmitted() if case.kind is Kind.NEW_WORK:
            quoted = case.fact.comment
        case Claim.Disputed() if case.kind is Kind.NEW_WORK:
            quoted = case.fact.justification
        case _:
            pass
    return Letter(
        subject=f"{title}: {_short(row.name)}",
        title=title,
        said=[_headline(case, tongue)],
        quoted=quoted,
        quoted_from=say("Partner") if quoted else "",
        facts=[(say("Organisation"), row.org), *_facts(row, tongue)],
        do=[due] if (due := _due(case, tongue)) else [],
        link=case.link,
        link_text=say("Open the claim"),
        footer=say("You get this because your address is that of the programme's reviewers."),
    )


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
    ClockName.REVIEW_START: N_("The review is to start before %(due)s."),
    ClockName.REVIEW_DECISION: N_("A decision is due before %(due)s."),
    ClockName.DISPUTE_RESULT: N_("A decision on the dispute is due before %(due)s."),
}
_WAS: Final = {
    ClockName.REVIEW_START: N_("The review was to start before %(due)s."),
    ClockName.REVIEW_DECISION: N_("A decision was due before %(due)s."),
    ClockName.DISPUTE_RESULT: N_("A decision on the dispute was due before %(due)s."),
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
        (say("Claim"), row.name),
        (say("Customer"), f"{row.customer_name} ({row.customer_domain})"),
        (say("Products"), ", ".join(map(tongue.product, row.products))),
    ]


def _names(codes: Iterable[str], looks: Mapping[str, Look], tongue: Tongue) -> list[Point]:
    return [Point(tongue.say(looks[code].word)) for code in codes]


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1].rstrip()}…"
