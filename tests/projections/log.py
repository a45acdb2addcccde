"""The event log as tests tell it: histories of claims, stored and published as the services do."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from projections.board_table import ClaimBoard
from projections.open_clock import OpenClocks
from projections.projection import Projection
from projections.stage_table import ClaimStages
from services.cloudevent import CONTENT_TYPE, stored_event_message
from services.connection import Connection
from services.store import EventMapper
from services.streams import event_subject
from tests.domain.examples import CLAIM_ID

_MAPPER = EventMapper()


class Entry(NamedTuple):
    """An event and where it stands in the log."""

    position: int
    fact: ClaimEvent


def told(*facts: ClaimEvent, claim_id: UUID = CLAIM_ID) -> list[ClaimEvent]:
    """The facts as events of one claim, from its first version on."""
    return [
        fact.model_copy(update={"originator_id": claim_id, "originator_version": version})
        for version, fact in enumerate(facts, start=1)
    ]


def claim_id(number: int) -> UUID:
    """The id of one of many claims; they are spread as chance would."""
    return UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128))


def interleaved(*histories: Sequence[ClaimEvent], first: int = 1) -> list[Entry]:
    """A log in which claims take turns."""
    facts = [fact for turn in zip_longest(*histories) for fact in turn if fact is not None]
    return [Entry(position, fact) for position, fact in enumerate(facts, start=first)]


async def store(connection: AsyncConnection, log: Iterable[Entry]) -> None:
    """Write the log into the event store."""
    rows = [(position, _MAPPER.to_stored_event(fact)) for position, fact in log]
    async with connection.cursor().copy(
        "COPY cpor.stored_events (notification_id, originator_id, originator_version, topic, state)"
        " FROM STDIN"
    ) as copy:
        for position, row in rows:
            version, topic = row.originator_version, row.topic
            await copy.write_row((position, row.originator_id, version, topic, row.state))


def body(entry: Entry) -> bytes:
    """The message that the relay would publish."""
    stored = _MAPPER.to_stored_event(entry.fact)
    return stored_event_message(
        claim_id=entry.fact.originator_id,
        version=stored.originator_version,
        position=entry.position,
        name=entry.fact.event_name(),
        state=stored.state,
    )


async def publish(nats: Connection, log: Iterable[Entry]) -> None:
    """Put the log on the event stream."""
    for entry in log:
        subject = event_subject(entry.fact.event_name(), entry.fact.originator_id)
        await nats.js.publish(subject, body(entry), headers={"Content-Type": CONTENT_TYPE})


Table = dict[str, list[tuple[str, ...]]]


async def shown(connection: AsyncConnection) -> Table:
    """Everything that the projections' tables hold, but rows that count nothing."""
    statements = {
        "claim_board": "SELECT * FROM cpor.claim_board ORDER BY claim_id",
        "claim_words": "SELECT * FROM cpor.claim_words ORDER BY claim_id",
        "open_clocks": "SELECT * FROM cpor.open_clocks ORDER BY claim_id",
        "claim_progress": "SELECT * FROM cpor.claim_progress ORDER BY claim_id",
        "claim_stages": "SELECT * FROM cpor.claim_stages ORDER BY claim_id, version",
        "board_counts": "SELECT * FROM cpor.board_counts WHERE claims <> 0 ORDER BY 1, 2, 3, 4",
    }
    table: Table = {}
    for name, statement in statements.items():
        rows = await (await connection.execute(statement.encode())).fetchall()
        table[name] = [tuple(map(str, row)) for row in rows]
    return table


async def take_in(
    connection: AsyncConnection,
    log: Iterable[Entry],
    projections: Sequence[Projection] = (ClaimBoard(), OpenClocks(), ClaimStages()),
) -> None:
    """Project the whole log in one transaction, without the projector and its positions."""
    facts = [entry.fact for entry in log]
    async with connection.transaction():
        for projection in projections:
            await projection.take_in(connection, facts)
