"""The same six changes with DBOS Transact: a workflow per claim, each change a transaction of it.

`python dbos_life.py TASK`, in an environment of its own, prints the seconds that it took with each
number of threads, as JSON. TASK is JSON: database_url, steps (command and data of each), claims
(ids for each number of threads).
"""
# pyright: basic, reportMissingImports=false
# mypy: disable-error-code="import-not-found,untyped-decorator"

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

TASK: dict[str, Any] = json.loads(sys.argv[1])
STATUS = {
    "create_claim": "editing",
    "submit_claim": "submitted",
    "start_review": "under_review",
    "require_action": "partner_action_required",
    "resubmit_claim": "submitted",
}
TABLES = """
CREATE TABLE claims (
    claim_id text PRIMARY KEY, version integer NOT NULL, status text NOT NULL, claim jsonb NOT NULL
)
"""
CREATE = sa.text("INSERT INTO claims VALUES (:claim_id, 1, 'editing', CAST(:data AS jsonb))")
CHANGE = sa.text(
    "UPDATE claims SET version = version + 1, status = coalesce(:status, status),"
    " claim = claim || CAST(:data AS jsonb) WHERE claim_id = :claim_id"
)
THREADS = max(int(threads) for threads in TASK["claims"])

DBOS(
    config={
        "name": "cpor-benchmarks",
        "system_database_url": TASK["database_url"],
        "sys_db_pool_size": THREADS,
        "log_level": "ERROR",
    }
)
claims = SQLAlchemyDatasource.create(TASK["database_url"], engine_kwargs={"pool_size": THREADS})


@claims.transaction()
def change(claim_id: str, command: str, data: str) -> None:
    """One change of a claim, and DBOS's record of it, in one transaction."""
    parameters = {"claim_id": claim_id, "data": data}
    if command == "create_claim":
        claims.sql_session().execute(CREATE, parameters)
    else:
        claims.sql_session().execute(CHANGE, parameters | {"status": STATUS.get(command)})


@DBOS.workflow()
def live(claim_id: str) -> None:
    """A whole life."""
    for step in TASK["steps"]:
        change(claim_id, step["command"], json.dumps(step["data"]))


def run(claim_id: str) -> None:
    """Start a claim's workflow, and wait for its end."""
    with SetWorkflowID(claim_id):
        live(claim_id)


def seconds(threads: int, ids: list[str]) -> float:
    """Seconds in which all of them lived."""
    with ThreadPoolExecutor(threads) as pool:
        start = perf_counter()
        for _ in pool.map(run, ids):
            pass
        return perf_counter() - start


def main() -> dict[str, float]:
    """Seconds by number of threads."""
    with claims.engine.begin() as connection:
        connection.execute(sa.text(TABLES))
    DBOS.launch()
    seconds(THREADS, TASK["warm_up"])
    measured = {threads: seconds(int(threads), ids) for threads, ids in TASK["claims"].items()}
    DBOS.destroy()
    return measured


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
