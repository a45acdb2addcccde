"""The other baseline: the same six changes as plain transactions on a row, with asyncpg.

Each change locks the claim's row, updates it, writes a history row and commits, as such systems do.
Run by itself, `python -m benchmarks.crud TASK` prints the seconds that it took, as JSON.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from time import perf_counter
from typing import Any
from uuid import UUID

from psycopg.conninfo import conninfo_to_dict

from benchmarks.bench import Bench
from benchmarks.lifecycle import LIFE, Step, claim_ids
from benchmarks.process import ask
from benchmarks.where import password

asyncpg: Any = import_module("asyncpg")
"""It has no types."""

CONNECTIONS = 16

_TABLES = """
CREATE TABLE claims (
    claim_id uuid PRIMARY KEY,
    version integer NOT NULL,
    status text NOT NULL,
    claim jsonb NOT NULL,
    due_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE TABLE claim_history (
    claim_id uuid NOT NULL,
    version integer NOT NULL,
    change text NOT NULL,
    actor text NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (claim_id, version)
);
"""
_CREATE = "INSERT INTO claims VALUES ($1, 1, 'editing', $2, NULL, now())"
_LOCK = "SELECT version, status, claim FROM claims WHERE claim_id = $1 FOR UPDATE"
_CHANGE = """
UPDATE claims SET version = $2, status = $3, claim = $4, due_at = now() + interval '5 days',
    updated_at = now() WHERE claim_id = $1
"""
_REMEMBER = "INSERT INTO claim_history VALUES ($1, $2, $3, $4, $5, now())"
_STATUS = {
    "submit_claim": "submitted",
    "start_review": "under_review",
    "require_action": "partner_action_required",
    "resubmit_claim": "submitted",
}


async def measure(bench: Bench) -> dict[str, Any]:
    """Changes per second."""
    claims = bench.sizes.claims
    seconds: float = await ask(
        "benchmarks.crud", database_url=bench.database("crud"), claims=claims
    )
    return {
        "rate": round(claims * len(LIFE) / seconds, 1),
        "connections": CONNECTIONS,
        "version": version("asyncpg"),
    }


async def main(database_url: str, claims: int) -> float:
    """Let so many claims live; seconds that it took."""
    where = conninfo_to_dict(database_url)
    pool = await asyncpg.create_pool(
        host=where["host"],
        user=where["user"],
        password=password(database_url),
        database=where["dbname"],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
    )
    async with pool:
        await pool.execute(_TABLES)
        await _all(pool, claim_ids("crud/warm-up", 10 * CONNECTIONS))
        lives = claim_ids("crud", claims)
        start = perf_counter()
        await _all(pool, lives)
        return perf_counter() - start


async def _all(pool: Any, lives: Iterator[UUID]) -> None:  # noqa: ANN401 - asyncpg is untyped
    async def work() -> None:
        async with pool.acquire() as connection:
            for claim_id in lives:
                for step in LIFE:
                    async with connection.transaction():
                        await _change(connection, claim_id, step)

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def _change(connection: Any, claim_id: UUID, step: Step) -> None:  # noqa: ANN401 - asyncpg is untyped
    if step.command == "create_claim":
        version, claim = 1, dict(step.data)
        await connection.execute(_CREATE, claim_id, json.dumps(claim))
    else:
        row = await connection.fetchrow(_LOCK, claim_id)
        version, claim = row["version"] + 1, json.loads(row["claim"]) | step.data
        status = _STATUS.get(step.command, row["status"])
        await connection.execute(_CHANGE, claim_id, version, status, json.dumps(claim))
    data = json.dumps(step.data)
    await connection.execute(_REMEMBER, claim_id, version, step.command, step.actor.id, data)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
