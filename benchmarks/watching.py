"""An open page: how long after a command was sent it shows the change.

It runs in a process of its own, `python -m benchmarks.watching TASK`, and prints as JSON the
seconds from sending each to its event on `/live`, and the row that is then asked for.
"""

import asyncio
import json
import sys
from itertools import chain
from time import perf_counter
from typing import Final
from uuid import UUID

import httpx

from benchmarks.browsing import HOST, signed_in
from benchmarks.lifecycle import LIFE, claim_ids, orders
from benchmarks.wire import wired

_RATE: Final = 20
"""Commands per second."""
_SECONDS: Final = 10
_PATIENCE: Final = 30.0


class Watch:
    """What was sent and is not shown yet, and how long it took until it was."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.sent: dict[str, float] = {}
        """When each claim's last command was sent, those whose change is shown left out."""
        self.took: list[float] = []
        self.is_listening = asyncio.Event()
        self.all_shown = asyncio.Event()

    def on_message(self, _subject: bytes, body: bytes) -> None:
        """Take a command's outcome. RuntimeError for a refusal."""
        if b'"result":"accepted"' not in body:
            raise RuntimeError(body.decode())

    async def listen(self) -> None:
        """Show what changes, as an open page does."""
        async with self._client.stream("GET", "/live") as answer:
            answer.raise_for_status()
            claims: list[str] = []
            async for line in answer.aiter_lines():
                self.is_listening.set()  # its first line tells that nothing is missed any more
                name, _, value = line.partition(": ")
                if name == "data":
                    claims.append(value)
                elif name == "id":
                    await self._show(claims)
                    claims.clear()

    async def _show(self, claims: list[str]) -> None:
        rows = await self._client.get("/claim-rows", params={"claim": claims})
        rows.raise_for_status()
        now = perf_counter()
        self.took += [now - self.sent.pop(each) for each in claims if each in self.sent]
        if not self.sent:
            self.all_shown.set()


async def main(port: int, nats_url: str, run: str) -> list[float]:
    """Send commands at an even rate: to each claim its next one, in turns."""
    cookie = await signed_in(port)
    ids = list(map(str, claim_ids(run, _RATE * _SECONDS // len(LIFE))))
    steps = zip(*(orders(UUID(each)) for each in ids), strict=True)
    async with (
        httpx.AsyncClient(
            base_url=f"http://{HOST}:{port}", headers={"Cookie": cookie}, timeout=_PATIENCE
        ) as client,
        asyncio.timeout(_SECONDS + _PATIENCE),
        asyncio.TaskGroup() as tasks,
    ):
        watch = Watch(client)
        listening = tasks.create_task(watch.listen())
        await watch.is_listening.wait()
        async with wired(nats_url, watch.on_message) as wire:
            await wire.listen("cpor.outcomes.>")
            start = perf_counter()
            sending = chain.from_iterable(zip(ids, step, strict=True) for step in steps)
            for number, (claim_id, order) in enumerate(sending):
                await asyncio.sleep(start + number / _RATE - perf_counter())
                watch.sent[claim_id] = perf_counter()
                watch.all_shown.clear()
                wire.write([order.frame])
            await watch.all_shown.wait()
        listening.cancel()
        return watch.took


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
