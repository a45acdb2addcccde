"""A peer: Emmett on PostgreSQL, a stream per claim and an inline projection."""

import json
from typing import Any

from benchmarks import peer
from benchmarks.bench import Bench
from benchmarks.lifecycle import LIFE
from benchmarks.process import output
from benchmarks.where import with_password

LANES = 16
_WARM_UP = 32


async def measure(bench: Bench) -> dict[str, Any]:
    """Changes per second; or why it is left out."""
    try:
        node, folder = await peer.node()
    except peer.LeftOut as reason:
        return {"left_out": str(reason)}
    claims = max(100, bench.sizes.claims // 4)
    task = {
        "database_url": with_password(bench.database("emmett")),
        "steps": peer.life(),
        "lanes": LANES,
        "warm_up": peer.ids("emmett/warm-up", _WARM_UP),
        "claims": peer.ids("emmett", claims),
    }
    seconds: float = json.loads(await output(node, "emmett.mjs", json.dumps(task), folder=folder))
    pinned = json.loads((peer.HERE / "package.json").read_text("utf-8"))["dependencies"]
    return {
        "rate": round(claims * len(LIFE) / seconds, 1),
        "lanes": LANES,
        "version": pinned["@event-driven-io/emmett"],
    }
