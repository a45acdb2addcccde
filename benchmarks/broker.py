"""The rate at which JetStream itself acknowledges the very messages that the load publishes.

They go to a stream of the same configuration from which nobody reads. Run by itself, `python -m
benchmarks.broker TASK` prints the seconds that it took, as JSON.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import islice
from time import perf_counter
from typing import Any

from nats.js.errors import NotFoundError

from benchmarks.bench import IN_FLIGHT, Bench
from benchmarks.lifecycle import LIFE, body, claim_ids
from benchmarks.process import ask
from benchmarks.wire import frame, wired
from services import log
from services.connection import Connection, connected
from services.streams import COMMANDS

STREAM = "BENCH_COMMANDS"
_REPLY = "_INBOX.benchmark.acknowledged"
_PATIENCE = 120.0


async def measure(bench: Bench) -> dict[str, Any]:
    """Publishes per second that are acknowledged."""
    return await measured(bench, "benchmarks.broker")


async def measured(bench: Bench, module: str) -> dict[str, Any]:
    """Messages per second that this module's `main` gets done."""
    claims = bench.sizes.claims
    seconds: float = await ask(
        module,
        nats_url=bench.system.settings.nats_url,
        run=bench.next_run(),
        claims=claims,
        in_flight=IN_FLIGHT,
    )
    return {"rate": round(claims * len(LIFE) / seconds, 1)}


async def main(nats_url: str, run: str, claims: int, in_flight: int) -> float:
    """Publish the commands of so many lives; seconds until all were acknowledged."""
    frames = list(messages(run, claims, _REPLY))
    async with connected(nats_url, "benchmark", _PATIENCE) as nats, stream(nats):
        return await _publish(nats_url, frames, in_flight)


def messages(run: str, claims: int, reply: str = "") -> Iterator[bytes]:
    """The commands of so many lives; claims take turns, as they do under load."""
    ids = list(claim_ids(run, claims))
    for number, step in enumerate(LIFE):
        for claim_id in ids:
            message = body(claim_id, step, f"step-{number}")
            yield frame(f"bench.commands.{step.command}.{claim_id}", message, reply)


@asynccontextmanager
async def stream(nats: Connection) -> AsyncGenerator[None]:
    """A stream configured as that of commands, for the length of a block."""
    config = (await nats.js.stream_info(COMMANDS)).config
    with suppress(NotFoundError):  # an earlier run was killed
        await nats.js.delete_stream(STREAM)
    await nats.js.add_stream(  # pyright: ignore[reportUnknownMemberType] - untyped options
        replace(config, name=STREAM, subjects=["bench.commands.*.*"])
    )
    try:
        yield
    finally:
        await nats.js.delete_stream(STREAM)


async def _publish(nats_url: str, frames: list[bytes], in_flight: int) -> float:
    waiting = iter(frames)
    acknowledged = fresh = 0
    done = asyncio.Event()
    wrong: list[bytes] = []

    def on_message(_subject: bytes, answer: bytes) -> None:
        nonlocal acknowledged, fresh
        acknowledged += 1
        fresh += 1
        if b'"error"' in answer:
            wrong.append(answer)

    def on_read() -> None:
        nonlocal fresh
        if fresh:
            wire.write(islice(waiting, fresh))
            fresh = 0
        if wrong or acknowledged == len(frames):
            done.set()

    async with asyncio.timeout(_PATIENCE), wired(nats_url, on_message, on_read) as wire:
        await wire.listen(_REPLY)
        start = perf_counter()
        fresh = in_flight
        on_read()
        await done.wait()
        seconds = perf_counter() - start
    if wrong:
        raise RuntimeError(wrong[0].decode())
    return seconds


if __name__ == "__main__":
    log.configure("warning")
    sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
