"""A claim's life step by step: what each event changed, and which clocks it opened and closed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from domain.access import may_read_commands
from domain.claim import ClaimEvent
from domain.event import Cause
from domain.vocabulary import ClockName
from projections.board import ClaimRow, project
from projections.history import HistoryItem, history
from services.web.page.fact import Difference, Fact, differences, facts_of
from services.web.page.tongue import tongue_of
from services.web.page.visit import Visit
from services.web.view import ClaimView

Contacts = Mapping[UUID, dict[str, Any]]


class Step(NamedTuple):
    """One event, and what became of the claim by it."""

    item: HistoryItem
    changed: Sequence[Difference]
    closed: ClockName | None
    opened: ClockName | None
    due_at: datetime | None
    """When the clock that it opened is due."""
    cause: Cause | None
    """The command, for whom may know it."""


class Then(NamedTuple):
    """A fact at an earlier time, and what it is now if it is another one."""

    fact: Fact
    now: str | None


def lives(events: Iterable[ClaimEvent]) -> Iterator[ClaimRow]:
    """The claim as it stood after each of its events."""
    row: ClaimRow | None = None
    for fact in events:
        row = project(row and replace(row, documents=[*row.documents]), fact)
        yield row


def story(
    visit: Visit, events: Sequence[ClaimEvent], rows: Sequence[ClaimRow], contacts: Contacts
) -> list[Step]:
    """Every step that the visitor may see, from the first on (R24)."""
    facts = [facts_at(visit, row, contacts) for row in rows]
    told = history(events, reader=visit.actor, tongue=tongue_of(visit))
    return [_step(visit, item, events[item.version - 1], rows, facts) for item in told]


def _step(
    visit: Visit,
    item: HistoryItem,
    fact: ClaimEvent,
    rows: Sequence[ClaimRow],
    facts: Sequence[list[Fact]],
) -> Step:
    index = item.version - 1
    cause = fact.cause if may_read_commands(visit.actor) else None
    after = rows[index]
    if index == 0:
        return Step(item, (), None, after.clock, after.due_at, cause)
    before = rows[index - 1]
    ran_on = (before.clock, before.clock_opened_at) == (after.clock, after.clock_opened_at)
    return Step(
        item,
        differences(facts[index - 1], facts[index]),
        None if ran_on else before.clock,
        None if ran_on else after.clock,
        after.due_at,
        cause,
    )


def facts_at(visit: Visit, row: ClaimRow, contacts: Contacts) -> list[Fact]:
    """What the claim stated at a time."""
    return facts_of(visit, ClaimView.of(row, contacts, reader=visit.actor, now=row.updated_at))


def as_it_was(then: Iterable[Fact], now: Iterable[Fact]) -> list[Then]:
    """The facts of a time, those marked that are others now."""
    return [
        Then(before, None if before.text == after.text else after.text)
        for before, after in zip(then, now, strict=True)
        if before.text or after.text
    ]
