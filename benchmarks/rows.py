"""Rows of the claim board by the million: claims of many partners in all states of their lives.

Most are at their end, as they would be after years; one in six is being worked on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from benchmarks.lifecycle import claim_ids
from domain.claim import ClaimEvent
from projections.board import ClaimRow, past
from projections.board_table import BOARD, WORDS, ClaimBoard
from tests.domain import examples

PARTNERS: Final = 2_000
_CUSTOMERS: Final = 50_000
_CUSTOMER_WORDS: Final = ("Contoso", "Fabrikam", "Northwind", "Adatum", "Litware", "Tailspin")
_WORK: Final = ("Teams rollout", "Mailbox migration", "Field service", "Intranet", "Telephony")
_YEARS: Final = timedelta(days=3 * 365)
_AT_ONCE: Final = 10_000

_LIVES: Final = (
    (4, examples.EDITING),
    (4, examples.SUBMITTED),
    (4, examples.UNDER_REVIEW),
    (4, examples.ACTION_REQUIRED),
    (4, examples.CONSENT_PENDING),
    (4, examples.DISPUTABLE),
    (56, examples.CONSENT_ELAPSED),
    (20, examples.WINDOW_CLOSED),
)
"""How many of a hundred claims have come how far."""


async def fill(store: AsyncConnection, run: str, claims: int, now: datetime) -> None:
    """Put so many claims on the board, beside those that are there."""
    board = ClaimBoard()
    rows = _rows(run, claims, now)
    for first in range(0, claims, _AT_ONCE):
        entries: dict[str, list[tuple[object, ...]]] = {BOARD: [], WORDS: []}
        for _ in range(min(_AT_ONCE, claims - first)):
            for table, record in board.entries(next(rows)):
                entries[table].append(record)
        for table, records in entries.items():
            await _copy(store, board, table, records)
    await board.complete(store)
    for table in board.copied:
        await store.execute(SQL("VACUUM (ANALYZE) {}").format(Identifier("cpor", table)))


async def _copy(
    store: AsyncConnection, board: ClaimBoard, table: str, records: list[tuple[object, ...]]
) -> None:
    columns = board.copied[table]
    statement = SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        Identifier("cpor", table), SQL(", ").join(map(Identifier, columns))
    )
    async with store.cursor().copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for record in records:
            await copy.write_row(record)


def _rows(run: str, claims: int, now: datetime) -> Iterator[ClaimRow]:
    templates = [row for share, life in _LIVES for row in [_folded(life)] * share]
    for number, claim_id in enumerate(claim_ids(run, claims)):
        template = templates[number * 37 % len(templates)]
        customer = number * 7919 % _CUSTOMERS
        word = _CUSTOMER_WORDS[customer % len(_CUSTOMER_WORDS)]
        age = _YEARS * (number / claims)
        is_open = template.clock is not None
        due_at = now + timedelta(minutes=number * 13 % 40_000 - 2_000) if is_open else None
        yield replace(
            template,
            claim_id=claim_id,
            org=str(1_000_000 + number % PARTNERS),
            name=f"{_WORK[number % len(_WORK)]} {number}",
            customer_name=f"{word} {customer}",
            customer_domain=f"{word.lower()}-{customer}.example",
            created_at=now - _YEARS + age,
            updated_at=now - (_YEARS - age) / 2,
            due_at=due_at,
            due_soon_at=due_at - timedelta(days=1) if due_at else None,
            passed=due_at is not None and due_at <= now,
        )


def _folded(life: Iterable[ClaimEvent]) -> ClaimRow:
    row = past(
        fact.model_copy(update={"originator_version": version})
        for version, fact in enumerate(life, start=1)
    )
    if row is None:
        raise RuntimeError("a life has no beginning")
    return row
