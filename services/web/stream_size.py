"""How much each stream holds, and what waits in it to be decided."""

from asyncio import timeout
from collections.abc import Mapping
from typing import Final, NamedTuple

from services.streams import CLAIMS_CONSUMER, COMMANDS, DEAD_LETTERS, EVENTS, OUTCOMES
from services.web.backend import Backend

_PATIENCE: Final = 2.0
"""Seconds that the server has to answer."""


class StreamSize(NamedTuple):
    """What a stream holds."""

    messages: int
    bytes: int


class StreamSizes(NamedTuple):
    """What all streams hold, by name, and how many commands no claims service has taken yet."""

    streams: Mapping[str, StreamSize]
    pending_commands: int


async def stream_sizes(backend: Backend) -> StreamSizes:
    """Ask the server.

    Raises Unavailable, `nats.errors.Error` and TimeoutError where it can't be asked.
    """
    js = backend.broker.connection.js
    sizes: dict[str, StreamSize] = {}
    async with timeout(_PATIENCE):
        for stream in (COMMANDS, EVENTS, OUTCOMES, DEAD_LETTERS):
            state = (await js.stream_info(stream)).state
            sizes[stream] = StreamSize(state.messages, state.bytes)
        consumer = await js.consumer_info(COMMANDS, CLAIMS_CONSUMER)
    return StreamSizes(sizes, consumer.num_pending or 0)
