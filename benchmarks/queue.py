"""The rate at which JetStream itself lets the very messages that the load publishes pass a queue.

They are published, delivered and acknowledged, and with that removed, as the contract wants it of
commands; nothing is done with them. Where the server syncs always, a message is synced twice: when
it is stored, and when it is removed. So this is what is possible there, and not the rate of
publishing alone. Run by itself, `python -m benchmarks.queue TASK` prints the seconds that it took,
as JSON.
"""

import asyncio
import json
import sys
from itertools import islice
from time import perf_counter
from typing import Any

from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks.bench import Bench
from benchmarks.broker import STREAM, measured, messages, stream
from services import log
from services.connection import Connection, connected
from services.inbox import Durable, PullInbox

_CONSUMER = "bench"
_PATIENCE = 120.0
_GLANCE = 0.01


async def measure(bench: Bench) -> dict[str, Any]:
    """Messages per second that have come and gone."""
    return await measured(bench, "benchmarks.queue")


async def main(nats_url: str, run: str, claims: int, in_flight: int) -> float:
    """Let the commands of so many lives pass; seconds until the queue was empty again."""
    frames = list(messages(run, claims))
    async with (
        connected(nats_url, "benchmark", _PATIENCE) as nats,
        stream(nats),
        asyncio.timeout(_PATIENCE),
    ):
        await nats.js.add_consumer(  # pyright: ignore[reportUnknownMemberType] - untyped options
            STREAM,
            ConsumerConfig(
                durable_name=_CONSUMER, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=5000
            ),
        )
        return await _pass_through(nats, frames, in_flight)


async def _pass_through(nats: Connection, frames: list[bytes], in_flight: int) -> float:
    async with PullInbox(nats, Durable(STREAM, _CONSUMER)) as inbox:
        waiting = iter(frames)
        left = len(frames)
        start = perf_counter()
        await nats.send(islice(waiting, in_flight))
        while left:
            taken = await inbox.take()
            left -= len(taken)
            acknowledgements = [message.ack_frame() for message in taken]
            await nats.send([*acknowledgements, *islice(waiting, len(taken))])
        while (await nats.js.stream_info(STREAM)).state.messages:  # noqa: ASYNC110 - the server tells only when asked
            await asyncio.sleep(_GLANCE)
        return perf_counter() - start


if __name__ == "__main__":
    log.configure("warning")
    sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
