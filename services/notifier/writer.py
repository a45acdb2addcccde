"""Writes the mail of a notice when it is to be sent: from the claim's own events and contacts.

So the outbox holds nothing about anybody, and whoever was erased (R30) gets no mail any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from eventsourcing.persistence import StoredEvent
from psycopg import AsyncConnection

from domain.claim import Claim, ClaimEvent
from domain.notice import REMINDERS, Kind, Recipient
from domain.resource import Wording
from projections.board import ClaimRow, past
from services import consent_token
from services.clock import real_now
from services.consent_key import known_keys
from services.consent_token import ConsentLink
from services.language.translation import Language
from services.notifier import preference
from services.notifier.letter import Case, Person, Tongue, digest, letter
from services.notifier.mail import Envelope, mail
from services.notifier.outbox import Waiting
from services.notifier.preference import Preference
from services.resource import load_catalogue
from services.settings import Settings
from services.store import EventMapper

_MAPPER: Final = EventMapper()
_EVENTS: Final = """
SELECT originator_id, originator_version, topic, state FROM cpor.stored_events
WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version
"""
_CONTACTS: Final = "SELECT contact_id, name, email FROM cpor.contacts WHERE contact_id = ANY(%s)"


class Unwanted(Exception):  # noqa: N818 - the reason, for whoever wonders about the mail
    """The recipient does not want to be told of these notices."""

    def __init__(self, reason: str, notices: Sequence[Waiting]) -> None:
        super().__init__(reason)
        self.notices = notices


class NoAddress(Exception):  # noqa: N818 - the reason, for whoever wonders about the mail
    """There is nobody to send it to."""


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
        await preference.make_key(connection)

    async def write(self, connection: AsyncConnection, notices: Sequence[Waiting]) -> Written:
        """The mail of one notice, or of several to the reviewers.

        Raises NoAddress when the recipient's address is not known, or not any more, and Unwanted
        for reminders to somebody who wants none, or of clocks that have closed.
        """
        first = notices[0]
        claims = await _events(connection, {each.claim_id for each in notices})
        reminders = [each for each in notices if each.kind in REMINDERS]
        if over := [each for each in reminders if _is_over(each, claims[each.claim_id])]:
            raise Unwanted("the clock has closed", over)
        rows = {claim_id: _at(events) for claim_id, events in claims.items()}
        people = await _people(connection, rows.values())
        to = self._to(first.recipient, rows[first.claim_id], people)
        address_digest = await preference.digest_of(connection, to.address)
        chosen = await preference.preference_of(connection, address_digest)
        if reminders and not chosen.reminders:
            raise Unwanted("the recipient has switched reminders off", reminders)
        keys = await known_keys(connection)
        cases = [
            self._case(
                each,
                claims[each.claim_id],
                people.get(rows[each.claim_id].partner_contact),
                keys,
            )
            for each in notices
        ]
        tongue = self._tongue(claims[first.claim_id], chosen)
        words = (
            letter(cases[0], tongue)
            if len(cases) == 1
            else digest(cases, tongue, f"{self._settings.public_url}/queue")
        )
        sender, public_url = self._settings.mail_from, self._settings.public_url
        envelope = Envelope(
            message_id=f"<{_name(notices)}@{sender.rpartition('@')[2]}>",
            sender=sender,
            to=to,
            date=real_now(),
            preferences=preference.address(public_url, preference.sign(address_digest, keys)),
            is_reminder=reminders == list(notices),
        )
        message = mail(words, tongue, envelope)
        return Written(message, to.address, address_digest)

    def _to(self, recipient: Recipient, row: ClaimRow, people: Mapping[UUID, Person]) -> Person:
        """Whoever the contact is by now: a partner may have corrected an address meanwhile."""
        match recipient:
            case Recipient.REVIEWERS:
                to = Person("", self._settings.reviewers_email)
                if not to.address:
                    raise NoAddress("CPOR_REVIEWERS_EMAIL is not set")
                return to
            case Recipient.CUSTOMER:
                contact = people.get(row.customer_contact)
            case Recipient.PARTNER:
                contact = people.get(row.partner_contact)
        if contact is None:
            raise NoAddress("the contact was erased (R30)")
        return contact

    def _case(
        self,
        notice: Waiting,
        events: Sequence[ClaimEvent],
        partner_contact: Person | None,
        keys: Mapping[int, bytes],
    ) -> Case:
        # A dispute that is upheld is told of with the approval that follows at once.
        row = _at(events, notice.version + (notice.kind is Kind.DISPUTE_UPHELD))
        return Case(
            kind=notice.kind,
            row=row,
            fact=events[notice.version - 1],
            sees=_sees(events),
            partner_contact=partner_contact,
            link=self._link(notice, row, keys),
        )

    def _link(self, notice: Waiting, row: ClaimRow, keys: Mapping[int, bytes]) -> str:
        """The claim's page; for a customer, its own: about this approval and no other (R8)."""
        if notice.recipient is not Recipient.CUSTOMER or row.due_at is None:
            return f"{self._settings.public_url}/claims/{notice.claim_id}"
        link = ConsentLink.of(notice.claim_id, notice.version, row.due_at)
        return consent_token.address(self._settings.public_url, consent_token.sign(link, keys))

    def _tongue(self, events: Sequence[ClaimEvent], chosen: Preference) -> Tongue:
        """As the recipient likes it.

        Else in the system's language, and in the programme's time zone as the claim recorded it.
        """
        zone = next(each.policy.time_zone for each in events if isinstance(each, Claim.Submitted))
        return Tongue(
            chosen.language or Language(self._settings.language),
            chosen.time_zone or ZoneInfo(zone),
            self._product_name,
        )

    def _product_name(self, code: str) -> Wording | None:
        product = self._catalogue.find(code)
        return product.name if product else None


def _name(notices: Sequence[Waiting]) -> str:
    """What the mail is called: of several notices by the first, and then by all of them.

    One that tells of more is another mail, which nobody may take for the same.
    """
    first, *others = (each.name for each in notices)
    return f"{first}.{sha256(' '.join(others).encode()).hexdigest()[:16]}" if others else first


async def _events(
    connection: AsyncConnection, claim_ids: set[UUID]
) -> Mapping[UUID, Sequence[ClaimEvent]]:
    """The claims' own events, each claim's in order."""
    rows = await connection.execute(_EVENTS, [list(claim_ids)])
    events: dict[UUID, list[ClaimEvent]] = {}
    for stored in await rows.fetchall():
        fact = _MAPPER.to_domain_event(StoredEvent(*stored))
        events.setdefault(fact.originator_id, []).append(fact)
    return events


async def _people(connection: AsyncConnection, rows: Iterable[ClaimRow]) -> Mapping[UUID, Person]:
    """The contacts of claims, those that are not erased (R30), by their ids."""
    ids = [each for row in rows for each in (row.customer_contact, row.partner_contact)]
    found = await connection.execute(_CONTACTS, [ids])
    return {contact_id: Person(name, email) for contact_id, name, email in await found.fetchall()}


def _at(events: Sequence[ClaimEvent], version: int | None = None) -> ClaimRow:
    """The claim as it stood at a version; without one, as it stands."""
    row = past(events, version=version)
    if row is None:
        raise LookupError("a notice is about a claim that has no events")
    return row


def _is_over(notice: Waiting, events: Sequence[ClaimEvent]) -> bool:
    """Whether the clock that is reminded of has closed, or its target was missed."""
    then, now = _at(events, notice.version), _at(events)
    return (now.clock, now.clock_opened_at, now.passed) != (then.clock, then.clock_opened_at, False)


def _sees(events: Sequence[ClaimEvent]) -> Wording:
    """What the partner will see of the customer, by the policy that the claim has recorded."""
    return next(
        each.policy.what_partner_sees for each in events if isinstance(each, Claim.Submitted)
    )
