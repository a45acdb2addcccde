"""A process that rebuilds one projection for its starter, and tells how far it has come.

The first line of its standard input names the projection and the database's address. Each line of
its standard output is a JSON object: a step, or in the end what it came to. When whoever started it
is gone, it ends at its next step: the live projection stays as it is.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TypedDict

import psycopg

from services.rebuild import Phase, Progress, RebuildFailedError, RebuildRefused, rebuild


class Task(TypedDict):
    """What is to be rebuilt, and where."""

    projection: str
    database_url: str


class Told(TypedDict):
    """A step of a rebuild, or why it ended before its time."""

    phase: str
    events: int
    total: int
    error: str


def _tell(progress: Progress, error: str = "") -> None:
    step = asdict(progress)
    told = Told(phase=step["phase"], events=step["events"], total=step["total"], error=error)
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Rebuild, and tell."""
    task: Task = json.loads(sys.stdin.readline())
    last = [Progress(Phase.FOLDING, 0, 0)]

    def tell(progress: Progress) -> None:
        last[:] = [progress]
        _tell(progress)

    try:
        asyncio.run(rebuild(task["database_url"], task["projection"], tell))
    except (RebuildRefused, RebuildFailedError) as error:
        _tell(last[0], str(error))
    except psycopg.Error as error:
        _tell(last[0], f"The database refuses: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
