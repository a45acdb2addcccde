"""The generated store holds what claims have decided, of as many claims as are wanted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter

from psycopg import AsyncConnection

from benchmarks.generator import EVENTS_OF_A_CLAIM, Row, fill, lives
from domain.claim import Claim, ClaimEvent
from domain.lifecycle import Phase
from domain.vocabulary import ClockName
from projections.board_table import ClaimBoard
from services.store import remember

CLAIMS = 3
DUE_AT = datetime(2031, 5, 25, tzinfo=UTC)


def event(row: Row) -> ClaimEvent:
    """The row as the services read it."""
    return remember(str(row.claim_id), row.version, row.topic, row.state)


def histories() -> Sequence[Sequence[ClaimEvent]]:
    """The events of each claim, in order."""
    rows = sorted(lives("test", CLAIMS, DUE_AT), key=attrgetter("claim_id", "version"))
    return [[event(row) for row in claim] for _, claim in groupby(rows, attrgetter("claim_id"))]


def folded(history: Sequence[ClaimEvent]) -> Claim:
    """The claim that this is the history of."""
    claim: Claim | None = None
    for fact in history:
        claim = fact.mutate(claim)
    assert claim is not None
    return claim


def test_generated_events_are_histories_of_claims() -> None:
    """Each has all events of the life, and comes to a claim that waits for its partner."""
    assert [len(history) for history in histories()] == [EVENTS_OF_A_CLAIM] * CLAIMS
    for claim in map(folded, histories()):
        assert claim.phase is Phase.ACTION_REQUIRED
        assert claim.clock is not None
        assert (claim.clock.clock, claim.clock.due_at) == (ClockName.PARTNER_RESPONSE, DUE_AT)


def test_a_life_may_be_told_as_far_as_its_submission() -> None:
    """Then the review is to start, at the same instant."""
    rows = list(lives("test", 1, DUE_AT, events=3))
    claim = folded([event(row) for row in rows])

    assert claim.phase is Phase.SUBMITTED
    assert claim.clock is not None
    assert (claim.clock.clock, claim.clock.due_at) == (ClockName.REVIEW_START, DUE_AT)


def test_generated_claims_differ() -> None:
    """In name and partner, which owns the whole history."""
    names: set[str] = set()
    for created, *history in histories():
        assert isinstance(created, Claim.Created)
        names.add(created.name)
        assert {fact.cause.actor.org for fact in history} == {created.org, None}

    assert len(names) == CLAIMS


def test_generated_claims_fit_on_the_board() -> None:
    """The board takes every history in."""
    board = ClaimBoard(beside=True)

    for history in histories():
        assert {name for name, _ in board.records(history)} == set(board.copied)


async def test_the_store_is_filled_in_order(database_url: str) -> None:
    """The log holds the events as they were generated."""
    rows = list(lives("test", CLAIMS, DUE_AT))

    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await fill(store, rows)
        found = await store.execute(
            "SELECT originator_id, originator_version, topic, state FROM cpor.stored_events"
            " ORDER BY notification_id"
        )
        assert [Row(*row) for row in await found.fetchall()] == rows
