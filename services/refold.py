"""A process of a rebuild: folds whole histories of claims into the tables beside the live ones.

It reads orders from standard input, a JSON object on each line, and answers each with one on
standard output. It ends with its standard input, and so with whoever started it.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TypedDict

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from projections.projection import Projection, Record, table
from projections.registry import PROJECTIONS
from services.garbage import collect_seldom
from services.store import remember

_READING = (
    "SET work_mem = '128MB'; SET max_parallel_workers_per_gather = 0; SET cursor_tuple_fraction = 1"
)
"""A range is sorted by claims in memory, all of it; there are processes enough."""
_AT_ONCE = 2_000
"""Events that are fetched from the database at once."""

StoredRow = tuple[str, int, str, bytes]
"""Claim id, version, topic and state of an event, as they are stored."""


class Order(TypedDict):
    """The claims to fold, and the moment as of which: a snapshot that another session holds."""

    snapshot: str
    low: str
    """The first claim id."""
    high: str | None
    """The claim id to stop before; None: to the end."""


class Answer(TypedDict):
    """How much was folded, or what was wrong with it."""

    events: int
    error: str


def refold(connection: Connection, projection: Projection, order: Order) -> Answer:
    """Fill the tables beside the live ones with these claims, all of them or none."""
    records: dict[str, list[Record]] = {name: [] for name in projection.copied}
    events = 0
    with connection.transaction():
        # Once locked, the tables are not dropped by another rebuild; that the snapshot is still
        # there afterwards shows that none has begun before.
        connection.execute(
            SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(
                SQL(", ").join(map(_beside, projection.copied))
            )
        )
        connection.execute(SQL("SET TRANSACTION SNAPSHOT {}").format(order["snapshot"]))
        for claim in _histories(connection, order):
            facts = [remember(*event) for event in claim]
            events += len(facts)
            for name, record in projection.records(facts):
                records[name].append(record)
        for name, columns in projection.copied.items():
            _write(connection, name, columns, records[name])
    return Answer(events=events, error="")


def _histories(connection: Connection, order: Order) -> Iterator[Iterator[StoredRow]]:
    statement = SQL(
        "SELECT originator_id::text, originator_version, topic, state"
        " FROM cpor.stored_events WHERE originator_id >= {low} AND {bound}"
        " ORDER BY stored_events.originator_id, originator_version"
    ).format(
        low=order["low"],
        bound=SQL("originator_id < {}").format(order["high"]) if order["high"] else True,
    )
    # Half the work of COPY, which psycopg takes row by row.
    with connection.cursor("histories", row_factory=tuple_row) as cursor:
        cursor.itersize = _AT_ONCE
        for _, rows in groupby(cursor.execute(statement, binary=True), itemgetter(0)):
            yield rows


def _write(
    connection: Connection, name: str, columns: Mapping[str, str], records: Iterable[Record]
) -> None:
    statement = SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        _beside(name), SQL(", ").join(map(Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for record in records:
            copy.write_row(record)


def _beside(name: str) -> Identifier:
    return Identifier("cpor", table(name, beside=True))


def main() -> None:
    """Work until standard input ends. Its first line: the projection and the database's address."""
    lines = iter(sys.stdin)
    task = json.loads(next(lines))
    projection = PROJECTIONS[task["projection"]](beside=True)
    collect_seldom()
    with psycopg.connect(task["database_url"], autocommit=True) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute(_READING)
        for line in lines:
            try:
                answer = refold(connection, projection, json.loads(line))
            except (ValueError, psycopg.Error) as error:  # of which NotNext and UnknownEvent
                answer = Answer(events=0, error=str(error))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
