"""The load: lives of claims over NATS, so many in flight, each command waiting for its outcome.

It runs in a process of its own, `python -m benchmarks.load TASK`, and prints what it saw as JSON:
when each command was published, and how many seconds later its outcome was there and its event was
on the board.
"""

import asyncio
import json
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from time import perf_counter, process_time
from typing import Any

from psycopg import AsyncConnection

from benchmarks.arrival import Board, seconds_until_relayed
from benchmarks.lifecycle import Order, claim_ids, orders
from benchmarks.wire import Wire, wired
from services import log
from services.connection import connected

_PATIENCE = 120.0
_TICK = 0.001
_ACCEPTED = b'"result":"accepted"'
_POSITION = re.compile(rb'"position":(\d+)')

Life = Iterator[Order]


class Load:
    """One run, and what it measures. A rate of 0 is as fast as it goes."""

    def __init__(self, lives: Sequence[Sequence[Order]], in_flight: int, rate: float) -> None:
        self._left = len(lives)
        self._lives = map(iter, lives)
        self._ready: deque[Life] = deque(islice(self._lives, in_flight))
        """Claims that wait for nothing: their next command may go out."""
        self._rate = rate
        self._freely = False
        """Whether an outcome lets the next command go out at once."""
        self._waiting: dict[bytes, tuple[Life, float]] = {}
        self._refused = b""
        self._done = asyncio.Event()
        self.published: list[float] = []
        self.to_outcome: list[float] = []
        """Seconds from publishing a command to its outcome."""
        self.positions: list[int] = []
        """Of each command's last event."""

    async def run(self, nats_url: str) -> float:
        """Let all claims live; seconds that it took. RuntimeError when a command is refused."""
        async with wired(nats_url, self._on_message, self._on_read) as self._wire:
            await self._wire.listen("cpor.outcomes.>")
            start = perf_counter()
            sending = asyncio.create_task(self._send_on(start))
            await self._until_done(self._wire)
            seconds = perf_counter() - start
            sending.cancel()
        if self._refused:
            raise RuntimeError(self._refused.decode())
        return seconds

    async def _send_on(self, start: float) -> None:
        """Send what is to go out by itself; without a rate that is what comes first."""
        sent = 0
        while self._rate:
            sent += self._send(int((perf_counter() - start) * self._rate) + 1 - sent)
            await asyncio.sleep(_TICK)
        self._freely = True
        self._send(len(self._ready))

    async def _until_done(self, wire: Wire) -> None:
        ends: list[asyncio.Future[Any]] = [asyncio.create_task(self._done.wait()), wire.failed]
        async with asyncio.timeout(_PATIENCE):
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if wire.failed.done():
            wire.failed.result()

    def _send(self, most: int) -> int:
        """Send the next commands, at most so many; how many it were."""
        frames: list[bytes] = []
        now = perf_counter()
        while self._ready and len(frames) < most:
            life = self._ready.popleft()
            order = next(life, None)
            if order is None:
                self._left -= 1
                self._ready.extend(islice(self._lives, 1))
                continue
            self._waiting[order.outcome] = life, now
            frames.append(order.frame)
        if frames:
            self._wire.write(frames)
        if not self._left:
            self._done.set()
        return len(frames)

    def _on_message(self, subject: bytes, body: bytes) -> None:
        waiting = self._waiting.pop(subject, None)
        if waiting is None:
            return  # sent by somebody else
        life, published = waiting
        position = _POSITION.search(body)
        if position is None or _ACCEPTED not in body:
            self._refused = body
            self._done.set()
            return
        self.published.append(published)
        self.to_outcome.append(perf_counter() - published)
        self.positions.append(int(position[1]))
        self._ready.append(life)

    def _on_read(self) -> None:
        if self._freely:
            self._send(len(self._ready))


async def main(
    *, nats_url: str, database_url: str, run: str, claims: int, in_flight: int, rate: float
) -> dict[str, Any]:
    """One run, as a result."""
    async with (
        connected(nats_url, "benchmark", _PATIENCE) as nats,
        await AsyncConnection.connect(database_url, autocommit=True) as store,
    ):
        board = Board(store)
        watching = asyncio.create_task(board.watch())
        load = Load([orders(claim_id) for claim_id in claim_ids(run, claims)], in_flight, rate)
        cpu = process_time()
        seconds = await load.run(nats_url)
        cpu = process_time() - cpu
        last = max(load.positions)
        relay_lag, board_lag = await asyncio.gather(
            seconds_until_relayed(nats, last), board.seconds_until(last)
        )
        watching.cancel()
        return {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "relay_lag": relay_lag,
            "board_lag": board_lag,
            "published": load.published,
            "to_outcome": load.to_outcome,
            "to_board": [
                board.seen_at(position) - published
                for position, published in zip(load.positions, load.published, strict=True)
            ],
        }


if __name__ == "__main__":
    log.configure("warning")
    sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
