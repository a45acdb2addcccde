"""Tables beside the live ones: made, indexed, and put in their place at one stroke."""

from collections.abc import Sequence
from typing import Literal

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from sqlalchemy import MetaData, Table, make_url, quoted_name
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from projections.projection import table
from projections.table import METADATA

_DIALECT = make_url("postgresql+psycopg://").get_dialect()()


class TablesBeside:
    """The tables of a projection, and those that a rebuild fills beside them."""

    def __init__(self, names: Sequence[str]) -> None:
        metadata = MetaData(schema="cpor")
        self._live = [METADATA.tables[f"cpor.{name}"] for name in names]
        self._beside = [
            live.to_metadata(metadata, name=table(live.name, beside=True)) for live in self._live
        ]
        for each in self._beside:
            each.primary_key.name = table(str(each.primary_key.name), beside=True)
            for index in each.indexes:
                index.name = quoted_name(table(str(index.name), beside=True), quote=None)

    async def drop(self, store: AsyncConnection) -> None:
        """Drop what an earlier rebuild has left."""
        for each in self._beside:
            await store.execute(SQL("DROP TABLE IF EXISTS {}").format(_name(each)))

    async def create(self, store: AsyncConnection) -> None:
        """Make them, without indexes but their keys: that is quicker to fill."""
        for each in self._beside:
            await _execute(store, CreateTable(each))

    async def index(self, store: AsyncConnection) -> None:
        """Index what they hold."""
        for each in self._beside:
            for index in each.indexes:
                await _execute(store, CreateIndex(index))

    async def analyse(self, store: AsyncConnection) -> None:
        """Let PostgreSQL learn what they hold."""
        for each in self._beside:
            await store.execute(SQL("ANALYZE {}").format(_name(each)))

    async def swap(self, store: AsyncConnection) -> None:
        """Put the tables beside in the place of the live ones, if those are there."""
        for live in self._live:
            await store.execute(SQL("DROP TABLE IF EXISTS {}").format(_name(live)))
        for live, beside in zip(self._live, self._beside, strict=True):
            await _rename(store, "TABLE", beside.name, live.name)
            await _rename(store, "INDEX", str(beside.primary_key.name), str(live.primary_key.name))
            for index in live.indexes:
                name = str(index.name)
                await _rename(store, "INDEX", table(name, beside=True), name)


async def _rename(
    store: AsyncConnection, kind: Literal["TABLE", "INDEX"], old: str, new: str
) -> None:
    statement = SQL("ALTER {} {} RENAME TO {}").format(
        SQL(kind), Identifier("cpor", old), Identifier(new)
    )
    await store.execute(statement)


async def _execute(store: AsyncConnection, statement: ExecutableDDLElement) -> None:
    await store.execute(str(statement.compile(dialect=_DIALECT)).encode())


def _name(each: Table) -> Identifier:
    return Identifier("cpor", each.name)
