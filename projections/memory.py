"""Rows kept in memory by whoever alone changes them, so that they need not be read each time."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Generic, TypeVar
from uuid import UUID

_Row = TypeVar("_Row")


class Memory(Generic[_Row]):
    """The rows of the claims that changed last, at most so many.

    They are taken out to be changed, and put back once that is written: a change that fails leaves
    nothing here that the table does not have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[UUID, _Row] = {}

    def take(self, claim_ids: AbstractSet[UUID]) -> dict[UUID, _Row]:
        """The rows of those of the claims that are kept, which are not kept any more."""
        return {each: self._rows.pop(each) for each in claim_ids & self._rows.keys()}

    def put(self, rows: Mapping[UUID, _Row]) -> None:
        """Keep these; those that changed longest ago make room."""
        self._rows.update(rows)
        for claim_id in list(islice(self._rows, max(0, len(self._rows) - self._most))):
            del self._rows[claim_id]

    def clear(self) -> None:
        """Keep nothing."""
        self._rows.clear()
