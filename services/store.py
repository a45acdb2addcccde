"""The event store: the `eventsourcing` library, with group commit and batch loading."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import Environment, EnvType
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from pydantic_core import from_json

from domain.claim import EVENTS, Claim, ClaimEvent
from domain.event import DomainEvent
from domain.schema import recall
from services import secret
from services.database import KEEPALIVES, with_settings

SCHEMA = "cpor"
LOCK_TIMEOUT = "2s"
"""After which a batch that waits for a lock is put back, so that nothing piles up behind it."""
CHANNEL = "cpor_events"
"""Notified when events were appended."""


_APPEND = """
SELECT array_agg(position) AS positions FROM cpor.append(
    %b::uuid[], %b::bigint[], %b, %b::bytea[], %b::uuid[], %b::uuid[], %b, %b::text[], %b
) AS position
"""
"""Binary: as text, psycopg spends forty microseconds on quoting one event."""


class Contact(NamedTuple):
    """A person, kept apart from history (R30)."""

    contact_id: UUID
    claim_id: UUID
    name: str
    title: str | None
    email: str


class Recorded(NamedTuple):
    """Where a recorded event stands."""

    version: int
    name: str
    position: int


_PRESENT = {
    event.TOPIC: (b'{"schema_version":%d,' % event.SCHEMA_VERSION, event.model_validate_json)
    for event in EVENTS.values()
}
"""By topic: how an event begins that is stored in its present schema, and what reads it."""


class EventMapper(Mapper[UUID]):
    """Writes an event as JSON with its schema version first, and recalls it whatever its age."""

    def __init__(self) -> None:
        """Pydantic does what a transcoder would."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """An event as it is stored."""
        if not isinstance(domain_event, DomainEvent):
            msg = f"{type(domain_event).__name__} is no event of this domain"
            raise TypeError(msg)
        state = domain_event.model_dump_json(exclude_none=True).encode()
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.TOPIC,
            state=b'{"schema_version":%d,%b' % (domain_event.SCHEMA_VERSION, state[1:]),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> ClaimEvent:
        """An event as it is today. Raises UnknownEvent for what this code does not know."""
        return remember(
            str(stored_event.originator_id),
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )


class EventRecorder(PostgresApplicationRecorder):
    """Appends a whole batch, and the contacts that go with it, in one statement and one commit."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        contacts: Sequence[Contact] = (),
        **_: object,
    ) -> Sequence[int]:
        """Append in this order; the positions.

        Never tried again here: the caller finds out what an ambiguous commit has done. Raises the
        library's IntegrityError when a version of a claim is taken.
        """
        with self.datastore.get_connection() as connection:
            row = connection.execute(
                _APPEND,
                (
                    [event.originator_id for event in stored_events],
                    [event.originator_version for event in stored_events],
                    [event.topic for event in stored_events],
                    [event.state for event in stored_events],
                    [contact.contact_id for contact in contacts],
                    [contact.claim_id for contact in contacts],
                    [contact.name for contact in contacts],
                    [contact.title for contact in contacts],
                    [contact.email for contact in contacts],
                ),
                prepare=True,
                binary=True,
            ).fetchone()
        if row is None:
            raise LookupError("nothing was told about what was appended")
        positions: list[int] = row["positions"]
        return positions

    def select_many(self, claim_ids: Iterable[UUID]) -> list[StoredEvent]:
        """The events of many claims by one query, each claim's in order."""
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT originator_id, originator_version, topic, state FROM cpor.stored_events"
                " WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version",
                (list(claim_ids),),
                prepare=True,
            )
            return [StoredEvent(**row) for row in rows.fetchall()]

    def select_versions(self, claim_ids: Iterable[UUID]) -> Mapping[UUID, int]:
        """The latest version of each of these claims."""
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT id, max(originator_version) AS version FROM unnest(%s::uuid[]) AS claim(id)"
                " JOIN cpor.stored_events ON originator_id = id GROUP BY id",
                (list(claim_ids),),
                prepare=True,
            )
            return {row["id"]: row["version"] for row in rows.fetchall()}

    def select_recorded(
        self, spans: Collection[tuple[UUID, int, int]]
    ) -> Mapping[tuple[UUID, int], tuple[Recorded, ...]]:
        """What is recorded between versions of claims, by claim id and first version."""
        found: dict[tuple[UUID, int], list[Recorded]] = {}
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT originator_id, first, originator_version, topic, notification_id"
                " FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS span(id, first, last)"
                " JOIN cpor.stored_events"
                " ON originator_id = id AND originator_version BETWEEN first AND last"
                " ORDER BY originator_version",
                [list(column) for column in zip(*spans, strict=True)],
            )
            for row in rows.fetchall():
                found.setdefault((row["originator_id"], row["first"]), []).append(
                    Recorded(
                        row["originator_version"],
                        event_name(row["topic"]),
                        row["notification_id"],
                    )
                )
        return {key: tuple(recorded) for key, recorded in found.items()}

    def select_uploads(self, digests: Iterable[str]) -> set[tuple[str, str, str, str, int]]:
        """What was uploaded with these digests: org, digest, filename, media type, size."""
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT org, digest, filename, media_type, size FROM cpor.documents"
                " WHERE digest = ANY(%s)",
                (list(digests),),
            )
            return {tuple(row.values()) for row in rows.fetchall()}

    def begin_attempt(self, message: tuple[int, datetime], process: str) -> int:
        """Note that this process tries a command alone; how many have, this one included.

        It need not outlast a crash of the server, only one of this process.
        """
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.execute(
                "INSERT INTO cpor.attempts AS known VALUES (%s, %s, %s, 1)"
                " ON CONFLICT (stream_sequence, arrived_at) DO UPDATE SET"
                " processes = known.processes + (known.process <> excluded.process)::int,"
                " process = excluded.process RETURNING processes",
                (*message, process),
            )
            row = cursor.fetchone()
        if row is None:
            raise LookupError("nothing was told about the attempt")
        return int(row["processes"])

    def end_attempt(self, message: tuple[int, datetime]) -> None:
        """Note that the process has outlived the attempt."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.execute(
                "DELETE FROM cpor.attempts WHERE (stream_sequence, arrived_at) = (%s, %s)", message
            )

    def secret(self, name: str) -> bytes:
        """The secret of this name, made when there is none."""
        with self.datastore.get_connection() as connection:
            connection.execute(secret.ADD, (name, secret.new_value()))
            row = connection.execute(secret.READ, (name,)).fetchone()
        if row is None:
            msg = f"the secret {name} was deleted while it was read"
            raise LookupError(msg)
        return bytes(row["value"])


class EventFactory(PostgresFactory):
    """The library's infrastructure, connected by a libpq URL instead of its own variables."""

    def __init__(self, env: Environment, database_url: str) -> None:
        super().__init__(env)
        where = conninfo_to_dict(with_settings(database_url, lock_timeout=LOCK_TIMEOUT))
        self.datastore.pool.kwargs = {
            **where,
            **KEEPALIVES,
            "row_factory": dict_row,
        }

    def application_recorder(self) -> EventRecorder:
        """The recorder; its tables come from the migrations."""
        return EventRecorder(self.datastore)


class EventStoreApplication(Application[UUID]):
    """Claims as the library sees them: in its stored-event format, with its notification log."""

    name = "Claims"
    recorder: EventRecorder

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        super().__init__(
            {
                "POSTGRES_DBNAME": "by-url",
                "POSTGRES_HOST": "by-url",
                "POSTGRES_PORT": "5432",
                "POSTGRES_USER": "by-url",
                "POSTGRES_PASSWORD": "by-url",
                "POSTGRES_SCHEMA": SCHEMA,
                "POSTGRES_POOL_SIZE": "1",
                "POSTGRES_MAX_OVERFLOW": "2",
            }
        )

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """The given environment alone: the project reads its settings in one place."""
        return Environment(name, env)

    # The library's own PostgresFactory is no InfrastructureFactory[TrackingRecorder] either.
    def construct_factory(self, env: Environment) -> EventFactory:  # type: ignore[override]
        """PostgreSQL at the application's URL."""
        return EventFactory(env, self._database_url)

    def construct_mapper(self) -> EventMapper:
        """Pydantic's JSON, four to sixteen times cheaper than the library's transcoder."""
        return EventMapper()

    def append(
        self, events: Iterable[DomainEvent], contacts: Sequence[Contact] = ()
    ) -> Sequence[int]:
        """Store events of any claims by one commit, and the contacts with them; the positions.

        Raises what `EventRecorder.insert_events` does.
        """
        return self.recorder.insert_events(
            [self.mapper.to_stored_event(event) for event in events], contacts=contacts
        )

    def load(self, claim_ids: Iterable[UUID]) -> dict[UUID, Claim]:
        """Those of the claims that exist, by one query."""
        claims: dict[UUID, Claim] = {}
        mapper = EventMapper()
        for stored in self.recorder.select_many(claim_ids):
            event = mapper.to_domain_event(stored)
            claim = event.mutate(claims.get(event.originator_id))
            if claim is not None:
                claims[claim.id] = claim
        return claims

    def close(self) -> None:
        """Give the connections back."""
        self.recorder.datastore.close()
        super().close()


def remember(claim_id: str, version: int, topic: str, state: bytes) -> ClaimEvent:
    """A stored event as it is today. Raises UnknownEvent for what this code does not know.

    One of today's schema is read in one go, which takes two thirds of the time.
    """
    start, read = _PRESENT.get(topic, (b"", None))
    if read and state.startswith(start):
        return read(
            b'{"originator_id":"%b","originator_version":%d,%b'
            % (claim_id.encode(), version, state[len(start) :])
        )
    fields: dict[str, Any] = from_json(state)
    fields["originator_id"] = claim_id
    fields["originator_version"] = version
    return recall(event_name(topic), fields)


def event_name(topic: str) -> str:
    """The event's name on the wire, from the topic that it is stored under."""
    return topic.partition(".")[2]
