"""The load: lives of claims over NATS, so many in flight, each command waiting for its outcome.

It runs in a process of its own, `python -m benchmarks.load NATS DATABASE RUN CLAIMS FLYING
RATE`, and prints what it saw as JSON. RATE is in commands per second; 0: as fast as it goes.
"""

import asyncio
import json
import sys
from bisect import bisect_left
from collections.abc import Iterator
from time import perf_counter
from typing import Any
from uuid import UUID

from nats.aio.msg import Msg
from psycopg import AsyncConnection

from benchmarks.lifecycle import LIFE, claim_ids
from projections.position import CHANNEL
from services import log
from services.clock import real_now
from services.cloudevent import CONTENT_TYPE, command_event
from services.connection import Connection, connected
from services.streams import command_subject

_HEADERS = {"Content-Type": CONTENT_TYPE}
_PATIENCE = 60.0


class Load:
    """One run, and what it measures."""

    def __init__(self, nats: Connection, rate: float) -> None:
        self._nats = nats
        self._rate = rate
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._started = 0.0
        self._sent = 0
        self.to_outcome: list[float] = []
        """Seconds from publishing a command to its outcome."""
        self.positions: list[tuple[int, float]] = []
        """Position of each command's last event, and when it was published."""

    async def run(self, claims: Iterator[UUID], in_flight: int) -> float:
        """Let all claims live; seconds that it took."""
        await self._nats.listen("cpor.outcomes.>", self._on_outcome)
        await self._nats.flush()
        self._started = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(self._live(claims))
        return perf_counter() - self._started

    async def _live(self, claims: Iterator[UUID]) -> None:
        for claim_id in claims:
            for number, (command, data, actor) in enumerate(LIFE):
                await self._pace()
                body = command_event(
                    claim_id=claim_id,
                    command=command,
                    command_id=f"step-{number}",
                    data=data,
                    actor=actor,
                    source="/benchmarks",
                    time=real_now(),
                )
                await self._send(command, claim_id, f"{claim_id}.step-{number}", body)

    async def _pace(self) -> None:
        """Wait for this command's turn at the rate that is asked for."""
        if self._rate:
            turn = self._started + self._sent / self._rate
            self._sent += 1
            await asyncio.sleep(max(0.0, turn - perf_counter()))

    async def _send(self, command: str, claim_id: UUID, key: str, body: bytes) -> None:
        outcome = asyncio.get_running_loop().create_future()
        self._waiting[key] = outcome
        published = perf_counter()
        await self._nats.publish(command_subject(command, claim_id), body, headers=_HEADERS)
        async with asyncio.timeout(_PATIENCE):
            answer = await outcome
        if answer["result"] != "accepted":
            raise RuntimeError(answer["problem"])
        self.to_outcome.append(perf_counter() - published)
        self.positions.append((answer["position"], published))

    async def _on_outcome(self, message: Msg) -> None:
        waiting = self._waiting.pop(message.subject.removeprefix("cpor.outcomes."), None)
        if waiting:
            waiting.set_result(json.loads(message.data)["data"])


class Board:
    """When each position became visible on the board."""

    def __init__(self, store: AsyncConnection) -> None:
        self._store = store
        self._positions: list[int] = []
        self._seen: list[float] = []

    async def watch(self) -> None:
        """Note every commit of the projector, until cancelled."""
        await self._store.execute(f"LISTEN {CHANNEL}")
        async for notification in self._store.notifies():
            self._positions.append(int(notification.payload))
            self._seen.append(perf_counter())

    async def until(self, position: int) -> float:
        """Seconds until the board has come to a position."""
        start = perf_counter()
        while not self._positions or self._positions[-1] < position:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.01)
        return perf_counter() - start

    def latencies(self, positions: list[tuple[int, float]]) -> list[float]:
        """Seconds from publishing to visible."""
        return [
            self._seen[bisect_left(self._positions, position)] - published
            for position, published in positions
        ]


def percentile(values: list[float], share: float) -> float:
    """The value that this share of values does not exceed, in milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


async def main(
    nats_url: str, database_url: str, run: str, claims: int, in_flight: int, rate: float
) -> dict[str, Any]:
    """One run, as a result."""
    async with (
        connected(nats_url, "benchmark", _PATIENCE) as nats,
        await AsyncConnection.connect(database_url, autocommit=True) as store,
    ):
        board = Board(store)
        watching = asyncio.create_task(board.watch())
        load = Load(nats, rate)
        seconds = await load.run(claim_ids(run, claims), in_flight)
        lag = await board.until(max(position for position, _ in load.positions))
        watching.cancel()
        visible = board.latencies(load.positions)
        commands = claims * len(LIFE)
        return {
            "commands": commands,
            "seconds": round(seconds, 3),
            "rate": round(commands / seconds, 1),
            "outcome_p50_ms": percentile(load.to_outcome, 0.5),
            "outcome_p99_ms": percentile(load.to_outcome, 0.99),
            "board_p50_ms": percentile(visible, 0.5),
            "board_p99_ms": percentile(visible, 0.99),
            "board_lag_s": round(lag, 3),
        }


if __name__ == "__main__":
    log.configure("warning")
    nats, database, name, claims, in_flight, rate = sys.argv[1:]
    result = asyncio.run(main(nats, database, name, int(claims), int(in_flight), float(rate)))
    sys.stdout.write(json.dumps(result))
