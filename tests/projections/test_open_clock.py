"""The open clocks, as the timer asks for them."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from domain.vocabulary import ClockName
from projections.board import past
from projections.open_clock import OpenClock, OpenClocks, due_clocks, next_due_at
from tests.domain import examples as ex
from tests.projections.log import claim_id, interleaved, take_in, told
from tests.projections.test_board import LIVES

CLOCKS = (OpenClocks(),)


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_the_open_clock_is_the_one_on_the_board(life: Sequence[ClaimEvent]) -> None:
    """At every step of every life."""
    for length in range(1, len(life) + 1):
        facts = told(*life[:length])
        row = past(facts)
        assert row is not None
        expected = [
            ("open_clocks", (row.claim_id, row.clock, row.clock_opened_at, row.due_at, row.passed))
        ]
        assert list(OpenClocks().records(facts)) == (expected if row.clock else [])


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_batches_of_any_size_come_to_the_same(database_url: str, size: int) -> None:
    """A clock that is opened, passed and closed within a batch, or across batches."""
    lives = [
        (*ex.SUBMITTED, ex.review_start_overdue()),
        (*ex.SUBMITTED, ex.review_start_overdue(), ex.review_started()),
        ex.WINDOW_CLOSED,
        ex.UPHELD,
    ]
    histories = [told(*life, claim_id=claim_id(n)) for n, life in enumerate(lives, start=1)]
    log = interleaved(*histories)
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        for start in range(0, len(log), size):
            await take_in(store, log[start : start + size], CLOCKS)
        rows = await (await store.execute("SELECT * FROM cpor.open_clocks")).fetchall()

    expected = [record for facts in histories for _, record in OpenClocks().records(facts)]
    assert sorted(rows) == sorted(expected)


@pytest.mark.rule("R15")
async def test_the_timer_learns_what_is_due_oldest_first_and_what_comes_next(
    database_url: str,
) -> None:
    """Exactly at its instant a clock is due; one that has passed is not due again."""
    lives = [
        (*ex.SUBMITTED,),
        (*ex.SUBMITTED, ex.review_start_overdue()),
        (*ex.CONSENT_PENDING,),
        (*ex.DISPUTABLE,),
    ]
    histories = [told(*life, claim_id=claim_id(n)) for n, life in enumerate(lives, start=1)]
    due = ex.REVIEW_START_DUE
    submitted = OpenClock(claim_id(1), ClockName.REVIEW_START, ex.SUBMITTED_AT, due)
    consent = OpenClock(claim_id(3), ClockName.CONSENT, ex.DECIDED_AT, ex.CONSENT_DUE)
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        await take_in(store, interleaved(*histories), CLOCKS)

        assert await next_due_at(store) == due
        assert await due_clocks(store, due - timedelta(microseconds=1), limit=9) == []
        assert await due_clocks(store, due, limit=9) == [submitted]
        later = ex.CONSENT_DUE
        assert await due_clocks(store, later, limit=9) == [submitted, consent]
        assert await due_clocks(store, later, limit=1) == [submitted]
        assert await due_clocks(store, later, after=submitted, limit=9) == [consent]
        assert await next_due_at(store, after=later) == ex.DISPUTE_WINDOW_DUE
        assert await next_due_at(store, after=ex.DISPUTE_WINDOW_DUE) is None
