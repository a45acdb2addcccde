"""What every projection is to the worker that keeps it and to the rebuild that makes it anew."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from psycopg import AsyncConnection

from domain.claim import ClaimEvent

Record = tuple[Any, ...]
"""A row of a table, as a binary COPY takes it."""


class Projection(Protocol):
    """A read model in tables of its own."""

    @property
    def name(self) -> str:
        """By which its position is kept and a rebuild is asked for."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """Its tables, without schema, in the order in which they are locked."""
        ...

    @property
    def copied(self) -> Mapping[str, Mapping[str, str]]:
        """Those of the tables that `records` fills; their columns, and as what each is sent."""
        ...

    def records(self, history: Iterable[ClaimEvent]) -> Iterator[tuple[str, Record]]:
        """What one claim's whole history comes to: rows, each with the table that it is for."""
        ...

    async def complete(self, connection: AsyncConnection) -> None:
        """Fill the tables that follow from those of `copied`, which are filled."""
        ...

    async def take_in(self, connection: AsyncConnection, facts: Sequence[ClaimEvent]) -> None:
        """Bring the tables up to date with these events, in the caller's transaction.

        Events come in the log's order. Those that were taken in before change nothing.
        """
        ...

    def forget(self) -> None:
        """Know nothing of the tables any more: they are not as `take_in` left them."""
        ...


def table(name: str, *, beside: bool) -> str:
    """The table of that name, or the one that a rebuild fills beside it."""
    return f"{name}_beside" if beside else name
