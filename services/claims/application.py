"""The claims application: decides batches of commands, and appends what they record as one."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from eventsourcing.persistence import (
    DataError,
    RecordConflictError,
)

from domain.access import require_member, require_own_id, require_sender
from domain.catalogue import Catalogue
from domain.claim import Claim, Remembered
from domain.command import CreateClaim, PassDeadline
from domain.event import Cause, DomainEvent
from domain.policy import Policy
from domain.refusal import (
    AlreadyExists,
    CommandIdReused,
    FieldError,
    Invalid,
    NotFound,
    NotYetDue,
    Refusal,
    StaleVersion,
)
from services.claims.router import Terms, decide
from services.cloudevent import BadCommand, CommandMessage, Envelope, Outcome, keyed_digest
from services.store import Contact, EventStoreApplication, Recorded

MAX_CACHED = 10_000
"""How many claims are kept in memory, the least recently used leaving first."""
_CONFLICTS = 5
"""How often a single command is decided anew because another writer was quicker."""

_log = structlog.get_logger(__name__)


class Arrival(NamedTuple):
    """A command, and the instant that counts for it (R18)."""

    message: CommandMessage | BadCommand
    instant: datetime

    @property
    def passes_deadline(self) -> bool:
        """Whether it is the timer's."""
        match self.message:
            case CommandMessage(command=PassDeadline()):
                return True
            case _:
                return False


class Fault(NamedTuple):
    """The command could not be decided: not the answer no, but a defect of ours."""

    error: Exception


class Early(NamedTuple):
    """A timer's command that came before its instant: to be put back (R18)."""

    outcome: Outcome
    wait: timedelta
    """Until its instant."""


class Behind(NamedTuple):
    """A timer's command that an undecided older one must come before: to be put back (R18)."""


Answer = Outcome | Early | Behind | Fault


@dataclass(slots=True)
class _Decision:
    """What one accepted command records."""

    envelope: Envelope
    events: Sequence[DomainEvent]
    end: int
    """How many events the batch has with these."""


@dataclass(slots=True)
class _Repetition:
    """A command that was accepted before."""

    envelope: Envelope
    remembered: Remembered


@dataclass(slots=True)
class _Batch:
    """What a batch of commands has come to so far, before its commit."""

    claims: dict[UUID, Claim]
    loaded: AbstractSet[UUID]
    """Those that were looked for in the store just now, and not taken from memory."""
    uploads: set[tuple[str, str, str, str, int]]
    events: list[DomainEvent] = field(default_factory=list[DomainEvent])
    contacts: list[Contact] = field(default_factory=list[Contact])


class Claims(EventStoreApplication):
    """Decides commands. Not for several threads at once: one batch after the other."""

    def __init__(self, database_url: str, *, policy: Policy, catalogue: Catalogue) -> None:
        super().__init__(database_url)
        self._cached: OrderedDict[UUID, Claim] = OrderedDict()
        self._terms = Terms(policy, catalogue, self.recorder.secret("digest"))

    def handle(self, arrivals: Sequence[Arrival]) -> list[Answer]:
        """Decide a batch, commit it as one, and answer each command, in order.

        When another writer has taken a version, or a decision fails for a defect of ours, each
        command of the batch is decided by itself. Raises the library's PersistenceError when the
        database can't be used; whether the commit succeeded shows when the commands come again.
        """
        try:
            return self._handle_together(arrivals)
        except RecordConflictError:
            _log.info("version_conflict", commands=len(arrivals))
        except (_DecisionFailed, DataError) as error:
            _log.error("batch_failed", commands=len(arrivals), error=repr(error))
        return self._handle_one_by_one(arrivals)

    def _handle_one_by_one(self, arrivals: Sequence[Arrival]) -> list[Answer]:
        answers: list[Answer] = []
        undecided: set[UUID] = set()
        for arrival in arrivals:
            claim_id = arrival.message.envelope.claim_id
            if claim_id in undecided and arrival.passes_deadline:
                answers.append(Behind())
                continue
            answers.append(self._handle_alone(arrival))
            if isinstance(answers[-1], Fault):
                undecided.add(claim_id)
        return answers

    def _handle_alone(self, arrival: Arrival) -> Answer:
        for _ in range(_CONFLICTS):
            try:
                return self._handle_together([arrival])[0]
            except RecordConflictError:
                continue
            except _DecisionFailed as failed:
                return Fault(failed.error)
            except DataError as error:
                return Fault(error)
        return Fault(RuntimeError("other writers were quicker each time"))

    def _handle_together(self, arrivals: Sequence[Arrival]) -> list[Answer]:
        try:
            batch = self._begin(arrivals)
        except ValueError as error:  # UnknownEvent, ValidationError: history that can't be read
            raise _DecisionFailed(error) from error
        try:
            drafts = [self._draft(arrival, batch) for arrival in arrivals]
            if any(isinstance(draft, (Outcome, Early)) for draft in drafts):
                self._require_current(batch)
            positions = self.append(batch.events, batch.contacts) if batch.events else ()
        except BaseException:
            # What is in memory may be ahead of what is stored.
            for claim_id in batch.claims:
                self._cached.pop(claim_id, None)
            raise
        self._keep(batch.claims)
        repeated = self._recorded_before(drafts)
        return [
            self._accepted(draft, positions)
            if isinstance(draft, _Decision)
            else self._repeated(draft, repeated)
            if isinstance(draft, _Repetition)
            else draft
            for draft in drafts
        ]

    def _draft(self, arrival: Arrival, batch: _Batch) -> Outcome | Early | _Decision | _Repetition:
        """What the command comes to: a final answer, or one that the commit completes."""
        message = arrival.message
        claim = batch.claims.get(message.envelope.claim_id)
        now = max(arrival.instant, claim.modified_on) if claim else arrival.instant
        try:
            return self._decide(message, claim, batch, now)
        except NotYetDue as refusal:
            return Early(_refused(message, refusal, claim, now), refusal.due_at - now)
        except Refusal as refusal:
            return _refused(message, refusal, claim, now)
        except Exception as error:
            raise _DecisionFailed(error) from error

    def _decide(
        self,
        message: CommandMessage | BadCommand,
        claim: Claim | None,
        batch: _Batch,
        now: datetime,
    ) -> _Decision | _Repetition:
        if isinstance(message, BadCommand):
            raise message.refusal
        envelope = message.envelope
        require_sender(envelope.command, message.actor)
        require_own_id(envelope.command_id, message.actor)
        digest = keyed_digest(self._terms.key, message.content)
        if claim is None:
            if not isinstance(message.command, CreateClaim):
                raise NotFound("there is no such claim")
        else:
            if isinstance(message.command, CreateClaim) and claim.org != message.actor.org:
                raise AlreadyExists("there is a claim with this id already")
            require_member(claim.org, message.actor)
            remembered = claim.commands.get(envelope.command_id)
            if remembered is not None:
                if remembered.digest == digest:
                    return _Repetition(envelope, remembered)
                _log.warning("command_id_reused", claim_id=str(claim.id), command=envelope.command)
                raise CommandIdReused(
                    f"{envelope.command_id} was accepted before, for a command with other content"
                )
            if isinstance(message.command, CreateClaim):
                raise AlreadyExists("there is a claim with this id already")
        if message.expected_version is not None:
            if claim is not None:
                claim.require_version(message.expected_version)
            elif message.expected_version != 0:
                raise StaleVersion("the claim does not exist yet", current_version=0, changed=())
        _require_uploaded(message, batch.uploads)
        decided, contacts = decide(
            message.command,
            claim,
            claim_id=envelope.claim_id,
            others=batch.claims,
            terms=self._terms,
            cause=Cause(
                actor=message.actor,
                command_id=envelope.command_id,
                digest=digest,
                source=message.source,
                sent_at=message.sent_at,
                traceparent=message.traceparent,
            ),
            now=now,
        )
        if claim is None:
            batch.claims[decided.id] = decided
        events = [event for event in decided.collect_events() if isinstance(event, DomainEvent)]
        batch.events += events
        batch.contacts += contacts
        return _Decision(envelope, events, len(batch.events))

    def _begin(self, arrivals: Sequence[Arrival]) -> _Batch:
        """With the claims that the commands are about or name: from memory, else by one query."""
        wanted = [arrival.message.envelope.claim_id for arrival in arrivals]
        for arrival in arrivals:
            match arrival.message:
                case CommandMessage(command=CreateClaim(supersedes=UUID() as superseded)):
                    wanted.append(superseded)
                case _:
                    pass
        claims: dict[UUID, Claim] = {}
        unknown: set[UUID] = set()
        for claim_id in wanted:
            claim = self._cached.get(claim_id)
            if claim is None:
                unknown.add(claim_id)
            else:
                claims[claim_id] = claim
        if unknown:
            claims |= self.load(unknown)
        return _Batch(claims, unknown, self._uploads_for(arrivals))

    def _require_current(self, batch: _Batch) -> None:
        """Let nobody be refused for what another writer has changed meanwhile.

        What the batch writes to is checked by writing. Raises RecordConflictError.
        """
        written = {event.originator_id for event in batch.events}
        doubtful = batch.claims.keys() - batch.loaded - written
        if not doubtful:
            return
        stored = self.recorder.select_versions(doubtful)
        if any(stored.get(claim_id) != batch.claims[claim_id].version for claim_id in doubtful):
            raise RecordConflictError

    def _uploads_for(self, arrivals: Sequence[Arrival]) -> set[tuple[str, str, str, str, int]]:
        digests = {
            document.digest
            for arrival in arrivals
            if isinstance(arrival.message, CommandMessage)
            for _, document in arrival.message.command.named_documents
        }
        return self.recorder.select_uploads(digests) if digests else set()

    def _keep(self, claims: dict[UUID, Claim]) -> None:
        for claim_id, claim in claims.items():
            self._cached[claim_id] = claim
            self._cached.move_to_end(claim_id)
        while len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)

    def _recorded_before(
        self, drafts: Sequence[object]
    ) -> Mapping[tuple[UUID, int], tuple[Recorded, ...]]:
        spans = {
            (draft.envelope.claim_id, draft.remembered.first, draft.remembered.last)
            for draft in drafts
            if isinstance(draft, _Repetition)
        }
        return self.recorder.select_recorded(spans) if spans else {}

    def _accepted(self, decision: _Decision, positions: Sequence[int]) -> Outcome:
        last = decision.events[-1]
        return Outcome(
            envelope=decision.envelope,
            decided_at=last.timestamp,
            version=last.originator_version,
            events=tuple(event.event_name() for event in decision.events),
            position=positions[decision.end - 1],
        )

    def _repeated(
        self,
        repetition: _Repetition,
        recorded: Mapping[tuple[UUID, int], tuple[Recorded, ...]],
    ) -> Outcome:
        """The outcome of the first time, derived from what was recorded then."""
        envelope = repetition.envelope
        events = recorded[envelope.claim_id, repetition.remembered.first]
        return Outcome(
            envelope=envelope,
            decided_at=repetition.remembered.at,
            version=events[-1].version,
            events=tuple(event.name for event in events),
            position=events[-1].position,
        )


class _DecisionFailed(Exception):  # noqa: N818 - carries a defect to where the batch is taken apart
    """A decision raised something that is no refusal."""

    def __init__(self, error: Exception) -> None:
        super().__init__(repr(error))
        self.error = error


def _refused(
    message: CommandMessage | BadCommand, refusal: Refusal, claim: Claim | None, now: datetime
) -> Outcome:
    """The answer no; it tells the claim's version only to those who may know of the claim."""
    actor = message.actor
    known = claim is not None and actor is not None and actor.org in {None, claim.org}
    return Outcome(
        envelope=message.envelope,
        decided_at=now,
        version=claim.version if claim is not None and known else None,
        refusal=refusal,
    )


def _require_uploaded(
    message: CommandMessage, uploads: set[tuple[str, str, str, str, int]]
) -> None:
    """Only the organisation that uploaded a document may attach it."""
    for pointer, document in message.command.named_documents:
        upload = (
            message.actor.org or "",
            document.digest,
            document.filename,
            document.media_type,
            document.size,
        )
        if upload not in uploads:
            raise Invalid(
                [FieldError(pointer, "is no document that this organisation uploaded")],
                rule="R21",
            )
