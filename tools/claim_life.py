"""Lives of claims that exercise every command and event: the examples of the documents.

Nothing here is made up but what people and systems send: each command is read, decided by a claim
and answered by the project's own code, on fixed instants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json, to_json

from domain.access import require_member, require_sender
from domain.actor import Actor
from domain.claim import Claim
from domain.event import Cause
from domain.policy import Policy
from domain.refusal import Refusal
from domain.vocabulary import Role
from projections.open_clock import OpenClock
from services import timer
from services.claims.router import Terms, decide
from services.cloudevent import (
    CONTENT_TYPE,
    BadCommand,
    Envelope,
    Outcome,
    command_event,
    keyed_digest,
    parse_command,
    parse_envelope,
    stored_event_message,
)
from services.json_document import Unreadable
from services.resource import FOLDER, load_catalogue
from services.store import EventMapper, event_name
from services.streams import command_subject, event_subject, outcome_subject

TEAMS: Final = UUID("6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90")
SALES: Final = UUID("0b9d3c52-7c1e-4b8e-9a55-3f6f0c1d2e11")
INTUNE: Final = UUID("d2f4a9b6-1f0a-4c3d-8e77-5b1a9c8d7f22")
YAMMER: Final = UUID("a37c5e18-66b2-4d0f-b1c9-7e2d4f6a8b33")

AYSE: Final = Actor(role=Role.INCENTIVES_ADMIN, org="1234567", id="ayse")
DENIZ: Final = Actor(role=Role.REVIEWER, id="deniz")
SELIN: Final = Actor(role=Role.REVIEWER, id="selin")
CUSTOMER: Final = Actor(role=Role.CUSTOMER, id="contoso-contact")
ASSESSOR: Final = Actor(role=Role.ASSESSOR, id="assessment-engine")

_SOURCES: Final[Mapping[Role, str]] = {
    Role.INCENTIVES_ADMIN: "https://partner.example/association",
    Role.REVIEWER: "https://review.example/desk",
    Role.CUSTOMER: "/cpor/consent",
    Role.ASSESSOR: "https://assessment.example/engine",
}
Data = dict[str, Any]
"""Of a command, as JSON."""

_TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Told(NamedTuple):
    """A message as it stands in a stream."""

    name: str
    subject: str
    body: Mapping[str, Any]
    content_type: str = CONTENT_TYPE


class Buried(NamedTuple):
    """A message that can't be answered, and why."""

    subject: str
    body: bytes
    reason: str


@dataclass(slots=True)
class Library:
    """All that was told: messages by command, event and result."""

    commands: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])
    events: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])
    outcomes: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])
    causes: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The commands that recorded each event."""
    buried: list[Buried] = field(default_factory=list[Buried])


class Teller:
    """Decides commands one after the other, as the claims service would."""

    def __init__(self) -> None:
        self.library = Library()
        self._claims: dict[UUID, Claim] = {}
        self._position = 0
        self._sent = 0
        self._mapper = EventMapper()
        self._terms = Terms(
            Policy.from_toml((FOLDER / "seed-2021.toml").read_text("utf-8")),
            load_catalogue(),
            key=b"key of the examples, never used elsewhere",
        )

    def send(
        self,
        at: str,
        actor: Actor,
        claim_id: UUID,
        command: str,
        *,
        expected_version: int | None = None,
        traceparent: str | None = None,
        **data: Any,  # noqa: ANN401 - JSON
    ) -> None:
        """Send a command on a day of 2021, as in `05-03T09:00`, and take in what it comes to."""
        self._sent += 1
        now = datetime.fromisoformat(f"2021-{at}:00Z").astimezone(UTC)
        body = command_event(
            claim_id=claim_id,
            command=command,
            command_id=f"{actor.id}-{self._sent:04}",
            data=data,
            actor=actor,
            source=_SOURCES[actor.role],
            time=now,
            expected_version=expected_version,
            traceparent=traceparent,
        )
        self.take(command_subject(command, claim_id), body, now)

    def let_pass(self, claim_id: UUID) -> None:
        """Let the timer pass the clock that the claim has open, when it is due."""
        clock = self._claims[claim_id].clock
        if clock is None:
            raise ValueError(f"claim {claim_id} has no open clock")
        body = command_event(
            claim_id=claim_id,
            command="pass_deadline",
            command_id=timer.command_id(
                OpenClock(claim_id, clock.clock, clock.opened_at, clock.due_at)
            ),
            data={"clock": clock.clock, "due_at": clock.due_at},
            actor=timer.ACTOR,
            source=timer.SOURCE,
            time=clock.due_at,
        )
        self.take(command_subject("pass_deadline", claim_id), body, clock.due_at)

    def take(self, subject: str, body: bytes, now: datetime) -> None:
        """Take in a message as it arrives at an instant."""
        try:
            readable = parse_envelope(subject, body)
        except Unreadable as reason:
            self.library.buried.append(Buried(subject, body, str(reason)))
            return
        envelope = readable.envelope
        message = parse_command(readable)
        claim = self._claims.get(envelope.claim_id)
        try:
            if isinstance(message, BadCommand):
                raise message.refusal
            require_sender(envelope.command, message.actor)
            if claim is not None:
                require_member(claim.org, message.actor)
                if message.expected_version is not None:
                    claim.require_version(message.expected_version)
            decided, _ = decide(
                message.command,
                claim,
                claim_id=envelope.claim_id,
                others=self._claims,
                terms=self._terms,
                cause=Cause(
                    actor=message.actor,
                    command_id=envelope.command_id,
                    digest=keyed_digest(self._terms.key, message.content),
                    source=message.source,
                    traceparent=message.traceparent,
                ),
                now=now,
            )
        except Refusal as refusal:
            version = claim.version if claim else None
            self._answer(Outcome(envelope, now, version, refusal=refusal))
            return
        self._claims[decided.id] = decided
        _shelve(self.library.commands, Told(envelope.command, subject, from_json(body)))
        self._record(envelope, decided, now)

    def _record(self, envelope: Envelope, claim: Claim, now: datetime) -> None:
        names: list[str] = []
        for event in claim.collect_events():
            stored = self._mapper.to_stored_event(event)
            self._position += 1
            name = event_name(stored.topic)
            names.append(name)
            body = stored_event_message(
                claim_id=claim.id,
                version=stored.originator_version,
                position=self._position,
                name=name,
                state=stored.state,
            )
            told = Told(name, event_subject(name, claim.id), from_json(body))
            _shelve(self.library.events, told)
            causes = self.library.causes.setdefault(name, [])
            if envelope.command not in causes:
                causes.append(envelope.command)
        self._answer(Outcome(envelope, now, claim.version, tuple(names), self._position))

    def _answer(self, outcome: Outcome) -> None:
        result = outcome.data["result"]
        problem = outcome.data.get("problem")
        code = problem["type"].removeprefix("/problems/") if problem else ""
        subject = outcome_subject(outcome.envelope.claim_id, outcome.envelope.command_id)
        name = f"{outcome.envelope.command} {f'refused: {code}' if code else 'accepted'}"
        told = Told(name, subject, from_json(outcome.message()))
        self.library.outcomes.setdefault(result, []).append(told)


def _shelve(shelf: dict[str, list[Told]], told: Told) -> None:
    shelf.setdefault(told.name, []).append(told)


def _draft(name: str, **fields: object) -> Data:
    return {
        "name": name,
        "mpn_id": "7654321",
        "customer": {
            "name": "Contoso",
            "domain": "contoso.example",
            "tenant_id": "7e4a0c52-9f3b-4a57-8d0e-2a7c5b1f4e01",
        },
        "solution_area": "microsoft_365",
        "activities": ["usage"],
        "customer_contact": {
            "name": "Robin Kaya",
            "title": "Head of IT",
            "email": "robin@contoso.example",
        },
        "partner_contact": {"name": "Ayşe Demir", "email": "ayse@partner.example"},
        **fields,
    }


def _document(filename: str, digit: str) -> Data:
    return {
        "digest": f"sha256:{digit * 64}",
        "filename": filename,
        "media_type": "application/pdf",
        "size": 48_213,
    }


def tell() -> Library:
    """Every command and every event at least once, and refusals and dead letters of all kinds."""
    teller = Teller()
    _tell_of_an_approval(teller)
    _tell_of_a_dispute_upheld(teller)
    _tell_of_disputes_lost(teller)
    _tell_of_silence(teller)
    _tell_of_mistakes(teller)
    return teller.library


def _tell_of_an_approval(teller: Teller) -> None:
    """Questions on the way, silence of the customer, an assessment."""
    say = teller.send
    draft = _draft("Contoso collaboration", products=["teams", "exchange"])
    statement = _document("statement-of-work.pdf", "a")
    dates: Data = {
        "reasons": ["missing_or_old_dates"],
        "comment": "Please add the dates of the work.",
    }
    say("05-03T09:00", AYSE, TEAMS, "create_claim", traceparent=_TRACE, **draft)
    say("05-03T09:10", AYSE, TEAMS, "edit_claim", mpn_id="7654322", products=["teams"])
    say("05-03T09:20", AYSE, TEAMS, "attach_poe", document=statement, note="Signed by both.")
    say("05-03T09:30", AYSE, TEAMS, "submit_claim")
    say("05-04T08:00", DENIZ, TEAMS, "start_review")
    say("05-04T08:10", DENIZ, TEAMS, "assign_reviewer", reviewer="selin")
    say("05-05T10:00", SELIN, TEAMS, "require_action", expected_version=6, **dates)
    say("05-05T11:00", AYSE, TEAMS, "post_comment", text="The dates are on page 3.")
    say("05-05T11:30", SELIN, TEAMS, "post_comment", text="Page 3 is a draft.", internal=True)
    say("05-06T09:00", AYSE, TEAMS, "resubmit_claim", comment="The dates stand on page 1 now.")
    say("05-07T09:00", SELIN, TEAMS, "start_review")
    say("05-07T10:00", SELIN, TEAMS, "approve_claim", expected_version=11, note="All is there.")
    teller.let_pass(TEAMS)
    say("05-20T12:00", ASSESSOR, TEAMS, "record_assessment", programme="osu", result="eligible")


def _tell_of_a_dispute_upheld(teller: Teller) -> None:
    """Late reviewers, a rejection that does not stand, a customer who declines."""
    say = teller.send
    draft = _draft(
        "Contoso sales",
        solution_area="business_applications",
        activities=["presales", "usage"],
        products=["dynamics_365_sales"],
        subscription_ids=["0f8fad5b-d9cb-469f-a165-70867728950e"],
    )
    reasons: Data = {"reasons": ["insufficient_poe"], "note": "The proof says nothing about usage."}
    invoice = [_document("usage-report.pdf", "c")]
    late = "The usage report was missing; here it is."
    say("05-03T10:00", AYSE, SALES, "create_claim", **draft)
    say("05-03T10:10", AYSE, SALES, "attach_poe", document=_document("proposal.pdf", "b"))
    say("05-03T10:20", AYSE, SALES, "submit_claim")
    teller.let_pass(SALES)
    say("05-11T09:00", DENIZ, SALES, "start_review")
    teller.let_pass(SALES)
    say("05-19T09:00", DENIZ, SALES, "reject_claim", **reasons)
    say("05-20T09:00", AYSE, SALES, "open_dispute", justification=late, documents=invoice)
    teller.let_pass(SALES)
    say("05-28T09:00", SELIN, SALES, "uphold_dispute", note="The report proves it.")
    say("05-29T09:00", CUSTOMER, SALES, "decline_consent", reason="We work with another partner.")


def _tell_of_disputes_lost(teller: Teller) -> None:
    """One that runs out of time, one that its partner gives up, one that is dismissed."""
    say = teller.send
    expired, given_up, dismissed = (UUID(int=INTUNE.int + number) for number in range(3))
    more: Data = {
        "reasons": ["missing_customer_acknowledgment"],
        "comment": "Please have it signed.",
    }
    for claim_id in (expired, given_up, dismissed):
        _tell_of_a_rejection(teller, claim_id)
        why = "The customer was on holiday."
        say("05-05T12:00", AYSE, claim_id, "open_dispute", justification=why)
    say("05-06T12:00", SELIN, expired, "require_action", **more)
    teller.let_pass(expired)
    say("05-06T13:00", SELIN, given_up, "require_action", products=["intune"], **more)
    say("05-07T09:00", AYSE, given_up, "request_rejection", explanation="The work has ended.")
    say("05-06T14:00", SELIN, dismissed, "dismiss_dispute", note="It is still unsigned.")


def _tell_of_a_rejection(teller: Teller, claim_id: UUID) -> None:
    say = teller.send
    draft = _draft("Contoso devices", products=["intune"])
    reasons: Data = {
        "reasons": ["missing_customer_consent"],
        "note": "The customer knows nothing of it.",
    }
    say("05-03T11:00", AYSE, claim_id, "create_claim", **draft)
    say("05-03T11:10", AYSE, claim_id, "attach_poe", document=_document("mail.pdf", "d"))
    say("05-03T11:20", AYSE, claim_id, "submit_claim")
    say("05-04T11:00", DENIZ, claim_id, "start_review")
    say("05-04T12:00", DENIZ, claim_id, "reject_claim", **reasons)


def _tell_of_silence(teller: Teller) -> None:
    """A partner that neither answers nor disputes, and the claim that supersedes this one."""
    say = teller.send
    draft = _draft("Contoso community", products=["yammer"])
    wrong: Data = {"reasons": ["missing_all_poe"], "comment": "This is the proof of another claim."}
    say("05-03T12:00", AYSE, YAMMER, "create_claim", **draft)
    say("05-03T12:10", AYSE, YAMMER, "attach_poe", document=_document("other.pdf", "e"))
    say("05-03T12:20", AYSE, YAMMER, "submit_claim")
    say("05-04T12:00", DENIZ, YAMMER, "start_review")
    say("05-04T12:30", DENIZ, YAMMER, "require_action", **wrong)
    teller.let_pass(YAMMER)
    teller.let_pass(YAMMER)
    next_one = UUID(int=YAMMER.int + 1)
    say("06-14T09:00", AYSE, next_one, "create_claim", **draft, supersedes=str(YAMMER))


def _tell_of_mistakes(teller: Teller) -> None:
    """One refusal of each kind that a single command can meet, and a message nobody can answer."""
    say = teller.send
    nowhere = UUID(int=YAMMER.int + 9)
    say("06-20T09:00", AYSE, nowhere, "submit_claim")
    say("06-20T09:01", DENIZ, TEAMS, "submit_claim")
    say("06-20T09:02", DENIZ, TEAMS, "approve_claim")
    say("06-20T09:03", DENIZ, TEAMS, "post_comment", expected_version=8, text="On which page?")
    say("06-20T09:04", CUSTOMER, TEAMS, "decline_consent", reason="Too late.")
    say("06-20T09:05", SELIN, TEAMS, "require_action", reasons=["missing_dates"], coment="Dates?")
    now = datetime(2021, 6, 20, 9, 6, tzinfo=UTC)
    body = to_json({"claim": str(TEAMS), "approve": True})
    teller.take(command_subject("approve_claim", TEAMS), body, now)
