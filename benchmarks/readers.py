"""Only reading the events from the store: what a rebuild is compared with.

Several processes read a part of the claims each, in the order of a rebuild but by COPY, and do
nothing with it. Run by itself, `python -m benchmarks.readers TASK` prints when it began and ended,
as JSON.
"""

import asyncio
import json
import sys
from time import perf_counter

import psycopg
from psycopg.sql import SQL

from benchmarks.process import ask

_RANGES = 16
_READING = "SET work_mem = '128MB'; SET max_parallel_workers_per_gather = 0"


async def seconds(database_url: str, processes: int) -> float:
    """Seconds in which so many processes read all events."""
    shares = (
        ask("benchmarks.readers", database_url=database_url, first=first, step=processes)
        for first in range(processes)
    )
    spans: list[tuple[float, float]] = await asyncio.gather(*shares)
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def main(database_url: str, first: int, step: int) -> tuple[float, float]:
    """Read every so manieth range of claims; when that began and ended."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_READING)
        begin = perf_counter()
        for number in range(first, _RANGES, step):
            _read(connection, number)
        return begin, perf_counter()


def _read(connection: psycopg.Connection, number: int) -> None:
    """Read the claims whose ids begin with this hexadecimal digit."""
    low = f"{number:x}0000000-0000-0000-0000-000000000000"
    high = f"{number:x}fffffff-ffff-ffff-ffff-ffffffffffff"
    statement = SQL(
        "COPY (SELECT originator_id::text, originator_version, topic, state"
        " FROM cpor.stored_events WHERE originator_id BETWEEN {} AND {}"
        " ORDER BY stored_events.originator_id, originator_version) TO STDOUT (FORMAT BINARY)"
    ).format(low, high)
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["text", "int8", "text", "bytea"])
        for _ in copy.rows():
            pass


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(**json.loads(sys.argv[1]))))
