"""The relay: copies the store's log to CPOR_EVENTS, in order, each event exactly once.

Where it stands is known from the stream itself: its last message says which position it carries.
What it publishes names the sequence that it comes after, so that neither a second relay nor a
restart can repeat, lose or interleave anything.
"""

import asyncio
import json
from collections.abc import Sequence
from secrets import token_hex
from types import MappingProxyType
from typing import LiteralString, NamedTuple
from uuid import UUID

import structlog
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from psycopg import AsyncConnection
from pydantic_core import from_json

from services.backoff import Backoff
from services.cloudevent import CONTENT_TYPE, stored_event_message
from services.connection import Connection, header_block
from services.health import State
from services.leadership import leadership
from services.runtime import Context
from services.settings import Settings
from services.store import CHANNEL, event_name
from services.streams import EVENTS, EVERY_EVENT, StreamsDiffer, event_subject, restore

BATCH = 200
"""Events that are published before their acknowledgement; a server takes at most 1,000 as one."""
ONE_BY_ONE = MappingProxyType({"always": 10, "interval": BATCH})
"""Events that are published each by itself, at most, by how the server syncs.

For an atomic batch the server makes a folder with files of its own, and removes it again: that
costs as much as syncing a dozen messages, or as storing hundreds that are synced later.
"""
READ = 1000
"""Events that are read from the store by one query."""
PATIENCE = 10.0
"""Seconds that the server may take to acknowledge a batch."""
WAKE = 1.0
"""Seconds after which the relay looks whether the stream is still what it was."""

_log = structlog.get_logger(__name__)


class Place(NamedTuple):
    """How far the stream is: from its first sequence to its last, and what the last one carries."""

    first: int
    """Where the stream begins, or will when it is empty."""
    sequence: int
    position: int
    """0 in an empty stream."""
    messages: int = 0
    """How many it holds."""
    event_id: str = ""


class LogEntry(NamedTuple):
    """An event as the store's log has it."""

    position: int
    claim_id: UUID
    version: int
    topic: str
    state: bytes


class Relay:
    """Copies the log, as the only active one of its kind."""

    name = "relay"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one_by_one = ONE_BY_ONE[settings.nats_sync]
        self._pauses = Backoff(0.1, 5.0)

    async def run(self, context: Context) -> None:
        """Copy until told to stop, or until the leadership is lost."""
        async with (
            leadership(self._settings.database_url, self.name, context.report) as term,
            await AsyncConnection.connect(self._settings.database_url, autocommit=True) as store,
        ):
            await store.execute(f"LISTEN {CHANNEL}")
            place = await self._find_place(context.nats, store)
            context.report(State.RUNNING, "")
            clock = asyncio.get_running_loop().time
            looked_at = clock()
            while not context.stopping.is_set() and not term.lost.is_set():
                entries = await _read(store, place.position)
                if entries:
                    place = await self._publish(context.nats, store, place, entries)
                else:
                    await _notified(store)
                if clock() - looked_at >= WAKE:
                    place = await self._look_around(context.nats, store, place)
                    looked_at = clock()

    async def _publish(
        self, nats: Connection, store: AsyncConnection, place: Place, entries: Sequence[LogEntry]
    ) -> Place:
        """Publish the entries; what becomes unknown on the way is looked up."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            atomic = len(batch) > self._one_by_one
            try:
                sequence = await publish_batch(nats, batch, place.sequence, atomic=atomic)
            except (BatchRefusedError, NatsError, TimeoutError) as error:
                _log.warning("relay_batch_unknown", position=batch[-1].position, error=repr(error))
                await asyncio.sleep(self._pauses.next())
                return await self._find_place(nats, store)
            place = Place(place.first, sequence, batch[-1].position)
        self._pauses.reset()
        return place

    async def _look_around(self, nats: Connection, store: AsyncConnection, place: Place) -> Place:
        """Notice that the stream was deleted, made anew or purged, also while all goes well."""
        try:
            state = (await nats.js.stream_info(EVENTS)).state
            if (max(state.first_seq, 1), state.last_seq) == (place.first, place.sequence):
                return place
        except NotFoundError:
            _log.warning("relay_stream_missing", stream=EVENTS)
        return await self._find_place(nats, store)

    async def _find_place(self, nats: Connection, store: AsyncConnection) -> Place:
        """Where the stream ends, checked against the store.

        An empty stream, new or purged, is filled from the store's beginning. Raises StreamsDiffer
        when the stream begins or ends with another event than the store has there, or lacks some.
        """
        await nats.until_up()
        await restore(nats.js)
        place = await stream_place(nats)
        await _require_same_end(store, place)
        await _require_same_beginning(nats, store, place)
        await _require_as_many(store, place)
        return place


class BatchRefusedError(Exception):
    """The server did not take a batch: none of it when it was atomic, else not its end."""


async def publish_batch(
    nats: Connection, batch: Sequence[LogEntry], last_sequence: int, *, atomic: bool
) -> int:
    """Publish directly after the message with this sequence; the new last sequence.

    Without `atomic` each event names the one before it, so that what is taken is a beginning of the
    batch. Every relay has the same event for a sequence (but in a stream that was purged, which is
    counted whenever a place is looked for): two at once write one log.

    Raises BatchRefusedError when the last was not taken; TimeoutError when that is not known.
    """
    batch_id = token_hex(8)
    frames: list[bytes] = []
    for number, entry in enumerate(batch[:-1]):
        headers = _headers(number, last_sequence, batch_id if atomic else None)
        frames.append(nats.frame(_subject(entry), _body(entry), header_block(headers)))
    await nats.send(frames)
    headers = _headers(len(batch) - 1, last_sequence, batch_id if atomic else None)
    if atomic:
        headers["Nats-Batch-Commit"] = "1"
    last = batch[-1]
    reply = await nats.request(_subject(last), _body(last), timeout=PATIENCE, headers=headers)
    answer = json.loads(reply.data)
    if "error" in answer:
        raise BatchRefusedError(answer["error"].get("description", "no reason given"))
    return int(answer["seq"])


def _headers(place: int, last_sequence: int, batch_id: str | None) -> dict[str, str]:
    """Of the message at this place of a batch, which is atomic when it has an id."""
    headers = {"Content-Type": CONTENT_TYPE}
    if batch_id is not None:
        headers["Nats-Batch-Id"] = batch_id
        headers["Nats-Batch-Sequence"] = str(place + 1)
    if place == 0 or batch_id is None:
        headers["Nats-Expected-Last-Sequence"] = str(last_sequence + place)
    return headers


def _subject(entry: LogEntry) -> str:
    return event_subject(event_name(entry.topic), entry.claim_id)


def _body(entry: LogEntry) -> bytes:
    return stored_event_message(
        claim_id=entry.claim_id,
        version=entry.version,
        position=entry.position,
        name=event_name(entry.topic),
        state=entry.state,
    )


async def stream_place(nats: Connection) -> Place:
    """Where the stream ends: at its last message, or at the beginning.

    Raises StreamsDiffer when that message is no event of ours.
    """
    state = (await nats.js.stream_info(EVENTS)).state
    first = max(state.first_seq, 1)
    try:
        last = await nats.js.get_last_msg(EVENTS, EVERY_EVENT)
    except NotFoundError:
        return Place(first, state.last_seq, 0)
    position, event_id = _carried(last)
    return Place(first, state.last_seq, position, state.messages, event_id)


def _carried(message: RawStreamMsg) -> tuple[int, str]:
    """The position and the id of the event that a message of the stream carries."""
    try:
        event = from_json(message.data or b"")
        return int(event["sequence"]), str(event["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise StreamsDiffer(
            f"message {message.seq} of CPOR_EVENTS is no event of ours: another than the relay"
            " wrote to the stream; delete that message from it"
        ) from error


async def _require_same_beginning(nats: Connection, store: AsyncConnection, place: Place) -> None:
    """Refuse to add to a stream whose beginning was purged: readers of it would miss events."""
    if not place.position:
        return
    begins_at, _ = _carried(await nats.js.get_msg(EVENTS, place.first))
    begins = await _one(store, "SELECT min(notification_id) FROM cpor.stored_events")
    if begins != begins_at:
        raise StreamsDiffer(
            f"CPOR_EVENTS begins at position {begins_at}, where the store begins at"
            f" {begins or 'nothing'}: events before were deleted from the stream;"
            " delete it to fill it again from the store"
        )


async def _require_as_many(store: AsyncConnection, place: Place) -> None:
    """Refuse to add to a stream that lacks events, as one does that was purged while it was filled.

    A purge takes messages and leaves the sequence: who did not notice it publishes what he would
    have published next, behind what another relay begins anew with.
    """
    if not place.position:
        return
    events = await _one(
        store, "SELECT count(*) FROM cpor.stored_events WHERE notification_id <= %s", place.position
    )
    if events != place.messages:
        raise StreamsDiffer(
            f"CPOR_EVENTS holds {place.messages} events up to position {place.position}, where the"
            f" store has {events}: some were deleted from the stream;"
            " delete it to fill it again from the store"
        )


async def _require_same_end(store: AsyncConnection, place: Place) -> None:
    """Refuse to go on after a message that the store has no event for."""
    if not place.position:
        return
    event_id = await _one(
        store,
        "SELECT originator_id::text || '-' || originator_version FROM cpor.stored_events"
        " WHERE notification_id = %s",
        place.position,
    )
    if event_id != place.event_id:
        raise StreamsDiffer(
            f"CPOR_EVENTS ends with event {place.event_id} at position {place.position},"
            f" where the store has {event_id or 'nothing'}:"
            " the store was set back, or is another one;"
            " bring the store back, or delete the stream to fill it again from this store"
        )


async def _one(store: AsyncConnection, query: LiteralString, *parameters: object) -> object:
    """The one value that a query is for; None where there is no row."""
    row = await (await store.execute(query, parameters)).fetchone()
    return row[0] if row else None


async def _read(store: AsyncConnection, after: int) -> list[LogEntry]:
    rows = await store.execute(
        "SELECT notification_id, originator_id, originator_version, topic, state"
        " FROM cpor.stored_events WHERE notification_id > %s ORDER BY notification_id LIMIT %s",
        [after, READ],
        prepare=True,
        binary=True,
    )
    return [LogEntry(*row) for row in await rows.fetchall()]


async def _notified(store: AsyncConnection) -> None:
    """Wait until events were appended, or until it is time to look around."""
    async for _ in store.notifies(timeout=WAKE, stop_after=1):
        pass


def service(settings: Settings) -> Relay:
    """The relay, as the service runner takes it."""
    return Relay(settings)
