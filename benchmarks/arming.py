"""What it costs the projection to open a claim's clock, and to close it, when there are many."""

from collections.abc import Sequence
from itertools import islice
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection

from benchmarks.generator import EVENTS_OF_A_CLAIM, lives
from domain.claim import Claim, ClaimEvent
from projections.open_clock import OpenClocks
from services.store import remember

_CLAIMS = 5000
_BATCH = 200
"""Commands that are taken in by one transaction, as under load."""


async def arming_and_closing(store: AsyncConnection) -> dict[str, Any]:
    """Microseconds for each command that opens a clock, and for each that closes one."""
    arming = [
        remember(str(row.claim_id), row.version, row.topic, row.state)
        for row in lives("arming", _CLAIMS)
        if row.version == EVENTS_OF_A_CLAIM
    ]
    closing: list[ClaimEvent] = [_closing(fact) for fact in arming]
    opened = await _take_in(store, arming)
    closed = await _take_in(store, closing)
    return {
        "arming_us": round(1e6 * opened / _CLAIMS, 1),
        "closing_us": round(1e6 * closed / _CLAIMS, 1),
    }


def _closing(fact: ClaimEvent) -> ClaimEvent:
    """The event that follows when the clock which this one opened has passed."""
    return Claim.PartnerResponseExpired(
        originator_id=fact.originator_id,
        originator_version=fact.originator_version + 1,
        timestamp=fact.timestamp,
        cause=fact.cause,
        due_at=fact.timestamp,
    )


async def _take_in(store: AsyncConnection, facts: Sequence[ClaimEvent]) -> float:
    """Seconds that all of them took, in batches."""
    projection = OpenClocks()
    waiting = iter(facts)
    start = perf_counter()
    while batch := list(islice(waiting, _BATCH)):
        async with store.transaction():
            await projection.take_in(store, batch)
    return perf_counter() - start
