"""A peer: DBOS Transact, a workflow per claim whose steps are the same six changes."""

import json
from typing import Any

from benchmarks import peer
from benchmarks.bench import Bench
from benchmarks.lifecycle import LIFE
from benchmarks.process import output
from benchmarks.where import with_password

THREADS = (4, 16)
_WARM_UP = 32


async def measure(bench: Bench) -> dict[str, Any]:
    """Changes per second with the number of threads that suits it best; or why it is left out."""
    try:
        python = await peer.python()
    except peer.LeftOut as reason:
        return {"left_out": str(reason)}
    claims = max(100, bench.sizes.claims // 8)
    task = {
        "database_url": with_password(bench.database("dbos")),
        "steps": peer.life(),
        "warm_up": peer.ids("dbos/warm-up", _WARM_UP),
        "claims": {str(n): peer.ids(f"dbos/{n}", claims) for n in THREADS},
    }
    script = str(peer.HERE / "dbos_life.py")
    seconds: dict[str, float] = json.loads(await output(str(python), script, json.dumps(task)))
    best = min(seconds, key=lambda threads: seconds[threads])
    rates = {n: round(claims * len(LIFE) / each, 1) for n, each in seconds.items()}
    return {"rate": rates[best], "threads": int(best), "by_threads": rates, "version": _version()}


def _version() -> str:
    """As it is pinned."""
    pinned = (peer.HERE / "requirements.txt").read_text("utf-8")
    return pinned.partition("\ndbos==")[2].split(maxsplit=1)[0]
