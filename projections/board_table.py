"""The claim board's tables: rows, search words and counts, read and written many at a time.

A row is kept as JSON, with columns beside it for what is filtered and sorted by: half the work of
a column for each of its forty fields. Words have a table of their own, because they hardly ever
change and their index is the most expensive one to write.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from pydantic import TypeAdapter
from pydantic_core import to_json

from domain.claim import Claim, ClaimEvent
from projections.board import ClaimRow, project
from projections.memory import Memory
from projections.projection import Record, table
from projections.search import exact, words

BOARD: Final = "claim_board"
WORDS: Final = "claim_words"
COUNTS: Final = "board_counts"

_TYPES: Final = {
    "claim_id": "uuid",
    "version": "int4",
    "org": "text",
    "status": "text",
    "whose_turn": "text",
    "due_at": "timestamptz",
    "due_soon_at": "timestamptz",
    "passed": "bool",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
"""The columns beside a row's JSON, which are fields of it."""

_COLUMNS = attrgetter(*_TYPES)
_CODEC: TypeAdapter[ClaimRow] = TypeAdapter(ClaimRow)
_REWORDING = (Claim.Created, Claim.Edited)


class _Counted(NamedTuple):
    """What claims are counted by."""

    org: str
    status: str
    whose_turn: str
    missed: bool


class ClaimBoard:
    """The claim board in its tables, or in those that a rebuild fills beside them.

    The rows that `take_in` has written last are kept in memory, at most so many, until `forget`
    is called: whoever lets it keep some calls it when a transaction failed, or somebody else wrote.
    """

    name = "board"
    tables: Sequence[str] = (COUNTS, BOARD, WORDS)

    def __init__(self, *, beside: bool = False, keep: int = 0) -> None:
        self._memory = Memory[ClaimRow](keep)
        names = {
            "board": Identifier("cpor", table(BOARD, beside=beside)),
            "words": Identifier("cpor", table(WORDS, beside=beside)),
            "counts": Identifier("cpor", table(COUNTS, beside=beside)),
            "columns": SQL(", ").join(map(Identifier, _TYPES)),
            "types": SQL(", ").join(
                SQL("{} {}").format(Identifier(column), Identifier(kind))
                for column, kind in _TYPES.items()
            ),
            "changes": SQL(", ").join(
                SQL("{0} = excluded.{0}").format(Identifier(column)) for column in _TYPES
            ),
        }
        self._load, self._save, self._count = (
            SQL(statement).format(**names).as_bytes() for statement in (_LOAD, _SAVE, _COUNT)
        )
        self.copied: Mapping[str, Mapping[str, str]] = {
            BOARD: {**_TYPES, "claim": "text"},
            WORDS: {"claim_id": "uuid", "words": "bytea"},
        }

    def records(self, history: Iterable[ClaimEvent]) -> Iterator[tuple[str, Record]]:
        """The claim's row, and its words."""
        row: ClaimRow | None = None
        for fact in history:
            row = project(row, fact)
        if row is not None:
            yield from self.entries(row)

    def entries(self, row: ClaimRow) -> Iterator[tuple[str, Record]]:
        """What the tables hold of a row."""
        yield BOARD, (*_COLUMNS(row), _CODEC.dump_json(row).decode())
        yield WORDS, (row.claim_id, _tsvector(tokens(row)))

    async def complete(self, connection: AsyncConnection) -> None:
        """Count the claims on the board."""
        await connection.execute(self._count)

    async def take_in(self, connection: AsyncConnection, facts: Sequence[ClaimEvent]) -> None:
        """Fold the events into the rows of their claims. Raises NotNext where one is missing."""
        rows = await self._known(connection, {fact.originator_id for fact in facts})
        seen = {claim_id: (row.version, _counted(row)) for claim_id, row in rows.items()}
        reworded: set[UUID] = set()
        for fact in facts:
            claim_id = fact.originator_id
            rows[claim_id] = project(rows.get(claim_id), fact)
            if isinstance(fact, _REWORDING):
                reworded.add(claim_id)
        changed: list[ClaimRow] = []
        moved: Counter[_Counted] = Counter()
        for claim_id, row in rows.items():
            version, counted = seen.get(claim_id, (0, None))
            if row.version == version:
                continue
            changed.append(row)
            if counted is not None:
                moved[counted] -= 1
            moved[_counted(row)] += 1
        if changed:
            await self._write(connection, changed, [rows[each] for each in reworded], moved)
            self._memory.put({row.claim_id: row for row in changed})

    def forget(self) -> None:
        """Read rows from the table again: it is not as `take_in` left it."""
        self._memory.clear()

    async def _known(
        self, connection: AsyncConnection, claim_ids: AbstractSet[UUID]
    ) -> dict[UUID, ClaimRow]:
        """The rows of those of the claims that are on the board, taken out of memory or loaded."""
        kept = self._memory.take(claim_ids)
        missing = claim_ids - kept.keys()
        return kept | await self.load(connection, missing) if missing else kept

    async def load(
        self, connection: AsyncConnection, claim_ids: Iterable[UUID]
    ) -> dict[UUID, ClaimRow]:
        """The rows of those of the claims that are on the board."""
        cursor = await connection.execute(
            self._load, [f"{{{','.join(map(str, claim_ids))}}}"], binary=True
        )
        rows = [decoded(claim) for (claim,) in await cursor.fetchall()]
        return {row.claim_id: row for row in rows}

    async def _write(
        self,
        connection: AsyncConnection,
        rows: Iterable[ClaimRow],
        reworded: Sequence[ClaimRow],
        moved: Mapping[_Counted, int],
    ) -> None:
        claims = b",".join(map(_CODEC.dump_json, rows)).decode()
        entries = [(str(row.claim_id), list(tokens(row))) for row in reworded]
        counts = [(*counted, change) for counted, change in sorted(moved.items()) if change]
        await connection.execute(
            self._save, [f"[{claims}]", to_json(entries).decode(), to_json(counts).decode()]
        )


def decoded(claim: str) -> ClaimRow:
    """A row from its JSON."""
    return _CODEC.validate_json(claim)


def tokens(row: ClaimRow) -> set[str]:
    """What a claim is found by: the words of its texts, and its codes and ids."""
    return {
        *words(row.name, row.customer_name, row.customer_domain, row.mpn_id),
        exact("tenant", str(row.tenant_id)),
        *(exact("product", product) for product in row.products),
        *(exact("subscription", each) for each in row.subscription_ids),
    }


def _counted(row: ClaimRow) -> _Counted:
    return _Counted(row.org, row.status, row.whose_turn, row.passed)


def _tsvector(tokens: Iterable[str]) -> bytes:
    """A tsvector in PostgreSQL's binary format: how many, then each, without places in a text."""
    lexemes = sorted(token.encode() for token in tokens)
    return len(lexemes).to_bytes(4, "big") + b"".join(lexeme + b"\0\0\0" for lexeme in lexemes)


_LOAD: Final = "SELECT claim::text FROM {board} WHERE claim_id = ANY(%s::uuid[])"
_SAVE: Final = """
WITH saved AS (
    INSERT INTO {board} ({columns}, claim)
    SELECT r.*, claim
    FROM json_array_elements(%s::json) AS claim, json_to_record(claim) AS r({types})
    ON CONFLICT (claim_id) DO UPDATE SET {changes}, claim = excluded.claim
), worded AS (
    INSERT INTO {words} (claim_id, words)
    SELECT (entry->>0)::uuid, array_to_tsvector(ARRAY(SELECT json_array_elements_text(entry->1)))
    FROM json_array_elements(%s::json) AS entry
    ON CONFLICT (claim_id) DO UPDATE SET words = excluded.words
)
INSERT INTO {counts} AS c (org, status, whose_turn, missed, claims)
SELECT entry->>0, entry->>1, entry->>2, (entry->>3)::boolean, (entry->>4)::bigint
FROM json_array_elements(%s::json) AS entry
ON CONFLICT (org, status, whose_turn, missed) DO UPDATE SET claims = c.claims + excluded.claims
"""
_COUNT: Final = """
INSERT INTO {counts} (org, status, whose_turn, missed, claims)
SELECT org, status, whose_turn, passed, count(*) FROM {board} GROUP BY 1, 2, 3, 4
"""
