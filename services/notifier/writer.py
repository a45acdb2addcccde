"""Writes the mail of a notice when it is to be sent: from the claim's own events and contacts.

So the outbox holds nothing about anybody, and whoever was erased (R30) gets no mail any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from domain.notice import FLEETING, OPTIONAL, Kind, Recipient
from domain.resource import Wording
from domain.vocabulary import Consent
from projections.board import ClaimRow, past, recorded_policy
from services import consent_token
from services.claim_record import contacts_of, histories
from services.clock import real_now
from services.consent_key import known_keys
from services.consent_token import ConsentLink
from services.language.translation import Language
from services.notifier import preference
from services.notifier.letter import Case, Person, Tongue, digest, letter
from services.notifier.mail import Envelope, mail
from services.notifier.mail_key import mail_key
from services.notifier.outbox import Waiting, mail_name
from services.notifier.preference import Preference
from services.resource import load_catalogue
from services.settings import Settings


class Unwanted(Exception):  # noqa: N818 - the reason, for whoever wonders about the mail
    """The recipient does not want to be told of these notices, or it is of no use any more."""

    def __init__(self, reason: str, notices: Sequence[Waiting]) -> None:
        super().__init__(reason)
        self.notices = notices


class Undeliverable(Exception):  # noqa: N818 - the reason, for whoever wonders about the mail
    """Somebody should be told of these, and can't be: for want of an address, or too late."""

    def __init__(self, reason: str, notices: Sequence[Waiting]) -> None:
        super().__init__(reason)
        self.notices = notices


class Written(NamedTuple):
    """A mail that is ready to be sent."""

    message: EmailMessage
    address: str
    address_digest: bytes
    """Tells mails to one address from others', without telling the address."""


class Writer:
    """Writes mails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._catalogue = load_catalogue()

    async def make_keys(self, connection: AsyncConnection) -> None:
        """Make the keys that mails need, when there are none.

        Not in the transaction of the first mail: when that fails, links in it were dead.
        """
        await known_keys(connection)
        await mail_key(connection)

    async def write(self, connection: AsyncConnection, notices: Sequence[Waiting]) -> Written:
        """The mail of one notice, or of several to the reviewers.

        Raises Undeliverable when the recipient's address is not known, or not any more, or silence
        has become consent meanwhile, and Unwanted for reminders to somebody who wants none, and for
        what is about clocks that have closed.
        """
        first = notices[0]
        claims = await histories(connection, {each.claim_id for each in notices})
        if over := [each for each in notices if _is_over(each, claims[each.claim_id])]:
            raise _too_late(over, claims)
        rows = {claim_id: _at(events) for claim_id, events in claims.items()}
        people = await _people(connection, rows.values())
        to = self._to(notices, rows[first.claim_id], people)
        key = await mail_key(connection)
        address_digest = preference.digest_of(key, to.address)
        chosen = await preference.preference_of(connection, address_digest)
        is_optional = all(each.kind in OPTIONAL for each in notices)
        if is_optional and not chosen.reminders:
            raise Unwanted("the recipient has switched reminders off", notices)
        tongue = self._tongue(claims[first.claim_id], chosen)
        keys = await known_keys(connection)
        cases = [
            self._case(
                each,
                claims[each.claim_id],
                people.get(rows[each.claim_id].partner_contact),
                self._link(each, claims[each.claim_id], keys, tongue.language),
            )
            for each in notices
        ]
        words = (
            letter(cases[0], tongue)
            if len(cases) == 1
            else digest(cases, tongue, f"{self._settings.public_url}/queue")
        )
        sender, public_url = self._settings.mail_from, self._settings.public_url
        token = preference.sign(key, address_digest)
        envelope = Envelope(
            message_id=f"<{_name(key, notices)}@{sender.rpartition('@')[2]}>",
            sender=sender,
            programme=self._settings.programme,
            to=to,
            date=real_now(),
            preferences=preference.page(public_url, token, tongue.language),
            one_click=preference.one_click(public_url, token) if is_optional else "",
        )
        return Written(mail(words, tongue, envelope), to.address, address_digest)

    def _to(
        self, notices: Sequence[Waiting], row: ClaimRow, people: Mapping[UUID, Person]
    ) -> Person:
        """Whoever the contact is by now: a partner may have corrected an address meanwhile."""
        match notices[0].recipient:
            case Recipient.REVIEWERS:
                to = Person("", self._settings.reviewers_email)
                if not to.address:
                    raise Undeliverable("CPOR_REVIEWERS_EMAIL is not set", notices)
                return to
            case Recipient.CUSTOMER:
                contact = people.get(row.customer_contact)
            case Recipient.PARTNER:
                contact = people.get(row.partner_contact)
        if contact is None:
            raise Undeliverable("the contact was erased (R30)", notices)
        return contact

    def _case(
        self,
        notice: Waiting,
        events: Sequence[ClaimEvent],
        partner_contact: Person | None,
        link: str,
    ) -> Case:
        version = notice.version
        if notice.kind is Kind.DISPUTE_UPHELD:
            version += 1  # it is told of with the approval that follows at once
        return Case(
            kind=notice.kind,
            row=_at(events, version),
            fact=events[notice.version - 1],
            sees=recorded_policy(events).what_partner_sees,
            partner_contact=partner_contact,
            link=link,
        )

    def _link(
        self,
        notice: Waiting,
        events: Sequence[ClaimEvent],
        keys: Mapping[int, bytes],
        language: Language,
    ) -> str:
        """The claim's page; for a customer, its own: about this approval and no other (R8)."""
        public_url, due_at = self._settings.public_url, _at(events, notice.version).due_at
        if notice.recipient is not Recipient.CUSTOMER or due_at is None:
            return f"{public_url}/claims/{notice.claim_id}"
        link = ConsentLink.of(notice.claim_id, notice.version, due_at)
        return consent_token.address(public_url, consent_token.sign(link, keys), language)

    def _tongue(self, events: Sequence[ClaimEvent], chosen: Preference) -> Tongue:
        """As the recipient likes it.

        Else in the system's language, and in the programme's time zone as the claim recorded it.
        """
        zone = recorded_policy(events).time_zone
        return Tongue(
            chosen.language or Language(self._settings.language),
            chosen.time_zone or ZoneInfo(zone),
            self._product_name,
        )

    def _product_name(self, code: str) -> Wording | None:
        product = self._catalogue.find(code)
        return product.name if product else None


def _name(key: bytes, notices: Sequence[Waiting]) -> str:
    """What the mail is called: of several notices by the first, and then by all of them.

    One that tells of more is another mail, which nobody may take for the same.
    """
    first, *others = (mail_name(key, each.notice_id, each.notice) for each in notices)
    return f"{first}.{sha256(' '.join(others).encode()).hexdigest()[:16]}" if others else first


async def _people(connection: AsyncConnection, rows: Iterable[ClaimRow]) -> Mapping[UUID, Person]:
    """The contacts of claims, those that are not erased (R30), by their ids."""
    contacts = await contacts_of(connection, rows)
    return {each: Person(contact["name"], contact["email"]) for each, contact in contacts.items()}


def _at(events: Sequence[ClaimEvent], version: int | None = None) -> ClaimRow:
    """The claim as it stood at a version; without one, as it stands."""
    row = past(events, version=version)
    if row is None:
        raise LookupError("a notice is about a claim that has no events")
    return row


def _is_over(notice: Waiting, events: Sequence[ClaimEvent]) -> bool:
    """Whether the clock that the notice asks to heed has closed, or its target was missed."""
    if notice.kind not in FLEETING:
        return False
    then, now = _at(events, notice.version), _at(events)
    return (now.clock, now.clock_opened_at, now.passed) != (then.clock, then.clock_opened_at, False)


def _too_late(
    over: Sequence[Waiting], claims: Mapping[UUID, Sequence[ClaimEvent]]
) -> Unwanted | Undeliverable:
    """Why it is not sent any more; that a customer never knew is not passed over in silence."""
    first = over[0]
    consent = _at(claims[first.claim_id]).consent
    if first.kind is Kind.CONSENT_NOTICE and consent is Consent.ELAPSED:
        return Undeliverable("the consent period was over before the customer could be told", over)
    return Unwanted("the clock has closed", over)
