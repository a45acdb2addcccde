"""When events have arrived: in the event stream, and on the board."""

import asyncio
from bisect import bisect_left
from time import perf_counter

from psycopg import AsyncConnection
from pydantic_core import from_json

from projections.position import CHANNEL
from services.connection import Connection
from services.streams import EVENTS

_GLANCE = 0.05
"""Looking at a stream costs the server something."""


async def seconds_until_relayed(nats: Connection, position: int) -> float:
    """Seconds until the event stream has come to a position."""
    start = perf_counter()
    while await _relayed(nats) < position:  # noqa: ASYNC110 - the server tells only when asked
        await asyncio.sleep(_GLANCE)
    return perf_counter() - start


async def _relayed(nats: Connection) -> int:
    """The position of the stream's last event."""
    state = (await nats.js.stream_info(EVENTS)).state
    if not state.messages:
        return 0
    message = await nats.js.get_msg(EVENTS, state.last_seq)
    carried: int = from_json(message.data or b"{}")["sequence"]
    return carried


class Board:
    """When each position became visible on the board."""

    def __init__(self, store: AsyncConnection) -> None:
        self._store = store
        self._positions: list[int] = []
        self._seen: list[float] = []
        self._moved = asyncio.Event()

    async def watch(self) -> None:
        """Note every commit of the projector, until cancelled."""
        await self._store.execute(f"LISTEN {CHANNEL}")
        async for notification in self._store.notifies():
            self._positions.append(int(notification.payload))
            self._seen.append(perf_counter())
            self._moved.set()

    async def seconds_until(self, position: int) -> float:
        """Seconds until the board has come to a position."""
        start = perf_counter()
        while not self._positions or self._positions[-1] < position:
            self._moved.clear()
            await self._moved.wait()
        return perf_counter() - start

    def seen_at(self, position: int) -> float:
        """When it came to a position that it has come to."""
        return self._seen[bisect_left(self._positions, position)]
