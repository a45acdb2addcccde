"""The invariants that hold after every fault."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier
from pydantic_core import from_json

from domain.claim import ClaimEvent
from domain.event import OpenedClock
from projections.board_table import ClaimBoard
from projections.open_clock import Change, OpenClocks, change
from projections.projection import Projection, Record
from projections.stage_table import ClaimStages
from services.clock_mover import PASSED
from services.connection import Connection
from services.inbox import From, PullInbox
from services.store import event_name, remember
from services.streams import EVENTS
from tests.system.upstream import Upstream


class Entry(NamedTuple):
    """An event in the store's log."""

    position: int
    claim_id: UUID
    version: int
    topic: str
    state: bytes

    @property
    def command_id(self) -> str:
        """The command that caused it."""
        return str(from_json(self.state)["cause"]["command_id"])


def log_of(database_url: str) -> list[Entry]:
    """The store's log, whole."""
    with psycopg.connect(database_url) as store:
        rows = store.execute(
            "SELECT notification_id, originator_id, originator_version, topic, state"
            " FROM cpor.stored_events ORDER BY notification_id"
        ).fetchall()
    return [Entry(*row) for row in rows]


async def check(
    database_url: str, nats: Connection, upstream: Upstream, now: datetime | None = None
) -> None:
    """Everything at once: what was acknowledged, stored, published and shown agrees.

    With `now`, what was due by then must have passed.
    """
    log = log_of(database_url)
    check_versions(log)
    check_outcomes(log, upstream)
    assert await published(nats) == [
        (f"{entry.claim_id}-{entry.version}", entry.position) for entry in log
    ]
    check_read_models(database_url, log)
    check_deadlines(log, now)


def check_versions(log: list[Entry]) -> None:
    """Each claim's versions have no gap, in the order of the log; no command acted twice."""
    by_claim = sorted(log, key=lambda entry: entry.claim_id)
    for claim_id, entries in groupby(by_claim, key=lambda entry: entry.claim_id):
        versions = [entry.version for entry in entries]
        assert versions == list(range(1, len(versions) + 1)), (claim_id, versions)
    for claim_id, entries in groupby(by_claim, key=lambda entry: entry.claim_id):
        commands = [command for command, _ in groupby(entries, key=lambda e: e.command_id)]
        assert len(commands) == len(set(commands)), (claim_id, commands)


def check_outcomes(log: list[Entry], upstream: Upstream) -> None:
    """What was acknowledged is stored, and no command had two outcomes that differ."""
    stored = {(entry.claim_id, entry.version): entry for entry in log}
    assert upstream.differing == []
    for (claim_id, command_id), outcome in upstream.accepted.items():
        events = outcome["events"]
        first = outcome["version"] - len(events) + 1
        entries = [stored[claim_id, first + place] for place in range(len(events))]
        assert [event_name(entry.topic) for entry in entries] == events
        assert {entry.command_id for entry in entries} == {command_id}
        assert entries[-1].position == outcome["position"]


async def published(nats: Connection) -> list[tuple[str, int]]:
    """The id and position of every event in the stream, in order."""
    state = (await nats.js.stream_info(EVENTS)).state
    messages: list[tuple[str, int]] = []
    async with PullInbox(nats, From(EVENTS, "checker", max(state.first_seq, 1))) as inbox:
        while len(messages) < state.messages:
            for message in await inbox.take():
                event = from_json(message.data)
                messages.append((event["id"], event["sequence"]))
    return messages


def histories_of(log: list[Entry]) -> dict[UUID, list[ClaimEvent]]:
    """The events of each claim, as the domain knows them."""
    histories: dict[UUID, list[ClaimEvent]] = {}
    for entry in log:
        fact = remember(str(entry.claim_id), entry.version, entry.topic, entry.state)
        histories.setdefault(entry.claim_id, []).append(fact)
    return histories


def check_read_models(database_url: str, log: list[Entry]) -> None:
    """Every read model equals a fold of the store."""
    histories = histories_of(log)
    projections: tuple[Projection, ...] = (ClaimBoard(), OpenClocks(), ClaimStages())
    with psycopg.connect(database_url) as store:
        for projection in projections:
            expected: dict[str, list[Record]] = {name: [] for name in projection.copied}
            for history in histories.values():
                for name, record in projection.records(history):
                    expected[name].append(tuple(map(str, record)))
            for name, columns in projection.copied.items():
                assert _shown(store, name, columns) == sorted(expected[name]), name
        counts = store.execute("SELECT sum(claims)::int FROM cpor.board_counts").fetchone()
    assert counts == (len(histories),)


_AS_COPIED = {"claim": SQL("claim::text"), "words": SQL("tsvectorsend(words)")}
"""Columns that a record holds in another form than psycopg reads them in."""


def _shown(store: psycopg.Connection, name: str, columns: Iterable[str]) -> list[Record]:
    """What a table holds, in order."""
    shown = [_AS_COPIED.get(column, Identifier(column)) for column in columns]
    query = SQL("SELECT {} FROM {}").format(SQL(", ").join(shown), Identifier("cpor", name))
    return sorted(tuple(map(str, row)) for row in store.execute(query))


def check_deadlines(log: list[Entry], now: datetime | None = None) -> None:
    """Each clock passed at its instant or later, and once; by `now` none is overdue."""
    for claim_id, history in histories_of(log).items():
        armed: datetime | None = None
        for fact in history:
            if f"claim.{fact.event_name()}" in PASSED:
                due_at: datetime = fact.model_dump()["due_at"]
                assert armed == due_at <= fact.timestamp, (claim_id, fact)
                armed = None
            match change(fact):
                case OpenedClock(due_at=due_at):
                    armed = due_at
                case Change.CLOSED:
                    armed = None
                case Change.PASSED | Change.NONE:
                    pass
        assert not (now and armed and armed <= now), (claim_id, armed)
