"""An example of every mail, pinned in golden/, as text and as HTML, in both languages.

`python -m tests.notifier.letters` writes them anew: look at each in a browser, and at the
difference, before it is committed.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from domain.claim import ClaimEvent
from domain.notice import OPTIONAL, Kind, Recipient
from domain.resource import Wording
from domain.vocabulary import ActionReason, RejectionReason
from projections.board import past
from services.language.translation import Language
from services.notifier.letter import Case, Letter, Person, Tongue, digest, letter
from services.notifier.mail import Envelope, mail
from tests.domain import examples as x

GOLDEN: Final = Path(__file__).parent / "golden"
PUBLIC: Final = "https://claims.example"
CLAIM: Final = f"{PUBLIC}/claims/{x.CLAIM_ID}"
CONSENT: Final = f"{PUBLIC}/consent/{'AAAB' * 16}"
TOKEN: Final = f"{PUBLIC}/mails/{'AAAB' * 12}"
AYSE: Final = Person("Ayşe Yılmaz", "ayse@anadolu.example")
PEOPLE: Final = {
    Recipient.PARTNER: AYSE,
    Recipient.CUSTOMER: Person("Jürgen Öztürk", "it@contoso.example"),
    Recipient.REVIEWERS: Person("", "reviewers@programme.example"),
}


class Told(NamedTuple):
    """A mail, and what has happened before it."""

    kind: Kind
    facts: Sequence[ClaimEvent]
    after: int = 0
    """Events that its command has recorded after the one that is told of."""
    is_erased: bool = False
    """Whether the partner's contact was (R30)."""


_RESUBMITTED: Final = x.resubmitted(comment="The dates stand on page 2.\n\nThe seal does, too.")
TOLD: Final = {
    "action_required": Told(
        Kind.ACTION_REQUIRED,
        [
            *x.UNDER_REVIEW,
            x.action_required(
                reasons=[ActionReason.MISSING_OR_OLD_DATES, ActionReason.MISSING_PRODUCTS],
                products=["exchange"],
                comment="Please add the dates.\n\nExchange is named nowhere: on which page is it?",
            ),
        ],
    ),
    "action_required-in_dispute": Told(Kind.ACTION_REQUIRED, x.ACTION_REQUIRED_IN_DISPUTE),
    "approved": Told(Kind.APPROVED, [*x.UNDER_REVIEW, x.approved(note="Well documented.")]),
    "rejected": Told(Kind.REJECTED, x.DISPUTABLE),
    "rejected-without_answer": Told(
        Kind.REJECTED,
        [
            *x.ACTION_REQUIRED,
            x.partner_response_expired(),
            x.rejected(
                reasons=[RejectionReason.NO_PARTNER_RESPONSE],
                note="",
                at=x.PARTNER_RESPONSE_DUE,
                cause=x.TIMER,
            ),
        ],
    ),
    "rejected-at_own_request": Told(Kind.REJECTED, x.WITHDRAWN),
    "customer_declined": Told(
        Kind.CUSTOMER_DECLINED,
        [
            *x.CONSENT_PENDING,
            x.consent_declined(reason="We have never heard of them."),
            x.rejected_for_good(RejectionReason.CUSTOMER_DECLINED, at=x.RESUBMITTED_AT),
        ],
        after=1,
    ),
    "consent_elapsed": Told(Kind.CONSENT_ELAPSED, x.CONSENT_ELAPSED, after=1),
    "dispute_upheld": Told(Kind.DISPUTE_UPHELD, x.UPHELD, after=1),
    "dispute_dismissed": Told(Kind.DISPUTE_DISMISSED, x.DISMISSED),
    "response_reminder": Told(Kind.RESPONSE_REMINDER, x.ACTION_REQUIRED),
    "response_reminder-in_dispute": Told(Kind.RESPONSE_REMINDER, x.ACTION_REQUIRED_IN_DISPUTE),
    "dispute_reminder": Told(Kind.DISPUTE_REMINDER, x.DISPUTABLE),
    "consent_notice": Told(Kind.CONSENT_NOTICE, x.CONSENT_PENDING),
    "consent_notice-erased_partner": Told(Kind.CONSENT_NOTICE, x.CONSENT_PENDING, is_erased=True),
    "consent_reminder": Told(Kind.CONSENT_REMINDER, x.CONSENT_PENDING),
    "new_work": Told(Kind.NEW_WORK, x.SUBMITTED),
    "new_work-resubmitted": Told(Kind.NEW_WORK, [*x.ACTION_REQUIRED, _RESUBMITTED]),
    "new_work-disputed": Told(Kind.NEW_WORK, x.DISPUTED),
    "target_soon": Told(Kind.TARGET_SOON, x.UNDER_REVIEW),
    "target_missed": Told(Kind.TARGET_MISSED, [*x.UNDER_REVIEW, x.review_overdue()]),
    "target_missed-start": Told(Kind.TARGET_MISSED, [*x.SUBMITTED, x.review_start_overdue()]),
    "target_missed-dispute": Told(Kind.TARGET_MISSED, [*x.DISPUTED, x.dispute_result_overdue()]),
}
"""By the names of their files, which begin with the kind."""
DIGEST: Final = "digest"
_IN_DIGEST: Final = (
    "new_work",
    "new_work-resubmitted",
    "new_work-disputed",
    "target_soon",
    "target_missed",
)


def tongue_of(language: Language) -> Tongue:
    """How people in Istanbul are spoken to."""
    return Tongue(language, ZoneInfo("Europe/Istanbul"), _product_name)


def numbered(facts: Sequence[ClaimEvent]) -> list[ClaimEvent]:
    """The events with their versions."""
    return [
        fact.model_copy(update={"originator_version": version})
        for version, fact in enumerate(facts, start=1)
    ]


def case_of(told: Told) -> Case:
    """What the mail is about."""
    facts = numbered(told.facts)
    version = len(facts) - told.after
    is_upheld = told.kind is Kind.DISPUTE_UPHELD
    row = past(facts, version=version + is_upheld)
    assert row
    is_customers = told.kind.recipient is Recipient.CUSTOMER
    return Case(
        kind=told.kind,
        row=row,
        fact=facts[version - 1],
        sees=x.SEED.what_partner_sees,
        partner_contact=None if told.is_erased else AYSE,
        link=CONSENT if is_customers else CLAIM,
    )


def letter_of(name: str, language: Language) -> tuple[Kind, Letter]:
    """The example of that name, in words."""
    tongue = tongue_of(language)
    if name == DIGEST:
        cases = [case_of(TOLD[each]) for each in _IN_DIGEST]
        return Kind.NEW_WORK, digest(cases, tongue, f"{PUBLIC}/queue")
    told = TOLD[name]
    return told.kind, letter(case_of(told), tongue)


def mail_of(
    kind: Kind,
    written: Letter,
    language: Language,
    to: Person | None = None,
    *,
    programme: str = "",
) -> EmailMessage:
    """It as a mail."""
    envelope = Envelope(
        message_id="<7.golden@claims.example>",
        sender="cpor@claims.example",
        programme=programme,
        to=to or PEOPLE[kind.recipient],
        date=datetime(2021, 5, 10, 9, tzinfo=UTC),
        preferences=f"{TOKEN}?language={language}",
        one_click=f"{TOKEN}/unsubscribe" if kind in OPTIONAL else "",
    )
    return mail(written, tongue_of(language), envelope)


def goldens() -> Iterator[tuple[Path, str]]:
    """Every file, and what stands in it: text with its headers, and HTML."""
    for name in (*TOLD, DIGEST):
        for language in Language:
            message = mail_of(*letter_of(name, language), language)
            file = GOLDEN / f"{name}-{language}"
            headers = "".join(f"{each}: {message[each]}\n" for each in ("From", "To", "Subject"))
            yield file.with_suffix(".txt"), f"{headers}\n{part(message, 'plain')}"
            yield file.with_suffix(".html"), part(message, "html")


def part(message: EmailMessage, kind: str) -> str:
    """What it says in plain text, or in HTML."""
    body = message.get_body((kind,))
    assert body
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


def _product_name(code: str) -> Wording | None:
    product = x.CATALOGUE.find(code)
    return product.name if product else None


if __name__ == "__main__":
    for old in GOLDEN.iterdir():
        old.unlink()
    for file, content in goldens():
        file.write_text(content, "utf-8")
