"""The stages' tables: where each claim stands, one row a claim; and every stage that was left.

A row of a stage is written once, when it is left; the row of a claim changes in no column that an
index has. So an event costs little, however many claims there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import starmap
from operator import attrgetter
from typing import Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier
from pydantic_core import to_json

from domain.claim import ClaimEvent
from domain.lifecycle import Phase
from projections.memory import Memory
from projections.projection import Record, table
from projections.stage import MOVING, EndedStage, Standing, follow

PROGRESS: Final = "claim_progress"
STAGES: Final = "claim_stages"

_PROGRESS_TYPES: Final[Mapping[str, LiteralString]] = {
    "claim_id": "uuid",
    "version": "int4",
    "org": "text",
    "created_at": "timestamptz",
    "step": "int2",
    "stage": "text",
    "entered_at": "timestamptz",
    "missed": "bool",
}
_STAGE_TYPES: Final[Mapping[str, LiteralString]] = {
    "claim_id": "uuid",
    "version": "int4",
    "org": "text",
    "stage": "text",
    "entered_at": "timestamptz",
    "left_at": "timestamptz",
    "minutes": "int4",
    "missed": "bool",
    "reasons": "text[]",
}
_COLUMNS = attrgetter(*_PROGRESS_TYPES)


class ClaimStages:
    """The stages in their tables, or in those that a rebuild fills beside them.

    Where the claims that moved last stand is kept in memory, at most so many, until `forget` is
    called, as the claim board does it.
    """

    name = "stages"
    tables: Sequence[str] = (PROGRESS, STAGES)

    def __init__(self, *, beside: bool = False, keep: int = 0) -> None:
        self._memory = Memory[Standing](keep)
        names = {
            "progress": Identifier("cpor", table(PROGRESS, beside=beside)),
            "stages": Identifier("cpor", table(STAGES, beside=beside)),
            "progress_columns": SQL(", ").join(map(Identifier, _PROGRESS_TYPES)),
            "progress_types": _typed(_PROGRESS_TYPES),
            "stage_columns": SQL(", ").join(map(Identifier, _STAGE_TYPES)),
            "stage_types": _typed(_STAGE_TYPES),
        }
        self._load, self._save = (
            SQL(statement).format(**names).as_bytes() for statement in (_LOAD, _SAVE)
        )
        self.copied: Mapping[str, Mapping[str, str]] = {
            PROGRESS: _PROGRESS_TYPES,
            STAGES: _STAGE_TYPES,
        }

    def records(self, history: Iterable[ClaimEvent]) -> Iterator[tuple[str, Record]]:
        """Where the claim stands, and the stages that it has left."""
        standing: Standing | None = None
        for fact in history:
            standing, ended = follow(standing, fact)
            if ended is not None:
                yield STAGES, tuple(ended)
        if standing is not None:
            yield PROGRESS, _COLUMNS(standing)

    async def complete(self, connection: AsyncConnection) -> None:
        """Nothing follows from the stages."""

    async def take_in(self, connection: AsyncConnection, facts: Sequence[ClaimEvent]) -> None:
        """Move the events' claims through their stages. Raises NotNext where one is missing."""
        moving = [fact for fact in facts if isinstance(fact, MOVING)]
        if not moving:
            return
        known = await self._known(connection, {fact.originator_id for fact in moving})
        moved: dict[UUID, Standing] = {}
        left: list[EndedStage] = []
        for fact in moving:
            claim_id = fact.originator_id
            standing, ended = follow(known.get(claim_id), fact)
            if standing is not None:
                known[claim_id] = moved[claim_id] = standing
            if ended is not None:
                left.append(ended)
        await connection.execute(
            self._save,
            [
                to_json([each._asdict() for each in left]).decode(),
                to_json(list(moved.values())).decode(),
            ],
        )
        self._memory.put(moved)

    def forget(self) -> None:
        """Read where claims stand from the table again: it is not as `take_in` left it."""
        self._memory.clear()

    async def _known(
        self, connection: AsyncConnection, claim_ids: AbstractSet[UUID]
    ) -> dict[UUID, Standing]:
        """Where those of the claims stand that are there, taken out of memory or loaded."""
        known = self._memory.take(claim_ids)
        missing = claim_ids - known.keys()
        if missing:
            ids = f"{{{','.join(map(str, missing))}}}"
            cursor = await connection.execute(self._load, [ids], binary=True)
            for standing in starmap(Standing, await cursor.fetchall()):
                standing.stage = Phase(standing.stage)
                known[standing.claim_id] = standing
        return known


def _typed(types: Mapping[str, LiteralString]) -> Composed:
    """Columns with their types, as a row of JSON is read."""
    return SQL(", ").join(
        SQL("{} {}").format(Identifier(column), SQL(kind)) for column, kind in types.items()
    )


_LOAD: Final = "SELECT {progress_columns} FROM {progress} WHERE claim_id = ANY(%s::uuid[])"
_SAVE: Final = """
WITH ended AS (
    INSERT INTO {stages} ({stage_columns})
    SELECT {stage_columns} FROM json_to_recordset(%s::json) AS stage({stage_types})
    ON CONFLICT DO NOTHING
)
INSERT INTO {progress} ({progress_columns})
SELECT {progress_columns} FROM json_to_recordset(%s::json) AS standing({progress_types})
ON CONFLICT (claim_id) DO UPDATE SET version = excluded.version, step = excluded.step,
    stage = excluded.stage, entered_at = excluded.entered_at, missed = excluded.missed
"""
