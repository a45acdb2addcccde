"""The baseline: the `eventsourcing` library as it comes; load, decide and save for each command.

Run by itself, `python -m benchmarks.library TASK` prints changes per second for each number of
threads, as JSON.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from time import perf_counter
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict

from benchmarks.bench import Bench
from benchmarks.lifecycle import LIFE, claim_ids
from benchmarks.process import ask
from benchmarks.where import password
from tests.claims.orders import CREATE, DOCUMENT

THREADS = (1, 2, 4, 8)
DUE_AT = "2026-03-10T00:00:00+00:00"


class Claim(Aggregate):
    """A claim in the library's own style."""

    @event("Created")
    def __init__(self, details: dict[str, Any]) -> None:
        self.details = details
        self.documents: list[dict[str, Any]] = []
        self.status = "editing"
        self.due_at = ""

    @staticmethod
    def create_id(details: dict[str, Any]) -> UUID:
        """An id that the sender chose, as upstream systems do."""
        return UUID(details["id"])

    @event("PoeAttached")
    def attach(self, document: dict[str, Any]) -> None:
        """Attach a document."""
        self.documents.append(document)

    @event("Submitted")
    def submit(self, due_at: str) -> None:
        """Hand it in."""
        self.status, self.due_at = "submitted", due_at

    @event("ReviewStarted")
    def start_review(self, reviewer: str, due_at: str) -> None:
        """Begin the review."""
        self.status, self.reviewer, self.due_at = "under_review", reviewer, due_at

    @event("ActionRequired")
    def require_action(self, reasons: list[str], comment: str, due_at: str) -> None:
        """Ask for more."""
        self.status, self.due_at = "partner_action_required", due_at
        self.reasons, self.comment = reasons, comment

    @event("Resubmitted")
    def resubmit(self, comment: str, due_at: str) -> None:
        """Hand it in again."""
        self.status, self.comment, self.due_at = "submitted", comment, due_at


class Claims(Application[UUID]):
    """One method a command: load, decide, save."""

    def create(self, claim_id: UUID) -> None:
        """Begin a claim."""
        self.save(Claim(details={**CREATE, "id": str(claim_id)}))

    def live(self, claim_id: UUID) -> None:
        """A whole life: six commands, each by itself."""
        self.create(claim_id)
        claim: Claim = self.repository.get(claim_id)
        claim.attach(DOCUMENT)
        self.save(claim)
        claim = self.repository.get(claim_id)
        claim.submit(DUE_AT)
        self.save(claim)
        claim = self.repository.get(claim_id)
        claim.start_review("deniz", DUE_AT)
        self.save(claim)
        claim = self.repository.get(claim_id)
        claim.require_action(["missing_or_old_dates"], "The statement is not dated.", DUE_AT)
        self.save(claim)
        claim = self.repository.get(claim_id)
        claim.resubmit("Dated, see page 2.", DUE_AT)
        self.save(claim)


async def measure(bench: Bench) -> dict[str, Any]:
    """Changes per second with the number of threads that suits it best."""
    rates: dict[str, float] = await ask(
        "benchmarks.library",
        database_url=bench.database("library"),
        claims=max(100, bench.sizes.claims // 4),
    )
    best = max(rates, key=lambda threads: rates[threads])
    return {
        "rate": round(rates[best], 1),
        "threads": int(best),
        "by_threads": {threads: round(rate, 1) for threads, rate in rates.items()},
        "version": version("eventsourcing"),
    }


def main(database_url: str, claims: int) -> dict[int, float]:
    """Changes per second for each number of threads."""
    where = conninfo_to_dict(database_url)
    application = Claims(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": str(where["dbname"]),
            "POSTGRES_HOST": str(where["host"]),
            "POSTGRES_PORT": str(where.get("port", "5432")),
            "POSTGRES_USER": str(where["user"]),
            "POSTGRES_PASSWORD": password(database_url),
            "POSTGRES_POOL_SIZE": str(max(THREADS)),
        }
    )
    rates = {threads: _rate(application, threads, claims) for threads in THREADS}
    application.close()
    return rates


def _rate(application: Claims, threads: int, claims: int) -> float:
    ids = claim_ids(f"library/{threads}", claims)
    with ThreadPoolExecutor(threads) as pool:
        start = perf_counter()
        for done in [pool.submit(application.live, claim_id) for claim_id in ids]:
            done.result()
        return claims * len(LIFE) / (perf_counter() - start)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(**json.loads(sys.argv[1]))))
