"""Servers that are away, wiped, locked or crowded: it shows, and it mends itself."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection

from services.embedded.nats import NatsServer
from services.streams import CLAIMS_CONSUMER, COMMANDS, DEAD_LETTERS
from tests.claims.orders import CREATE, PARTNER
from tests.faults.conftest import Build, Plant, claim
from tests.web.conftest import AUDITOR, AYSE

CLIENTS = 100


async def create(plant: Plant, number: int) -> None:
    """Create a claim, however often it must be asked for."""
    await plant.upstream.send(claim(number), "create_claim", CREATE, PARTNER)


async def ask(plant: Plant, number: int) -> httpx.Response:
    """Ask for a claim by HTTP."""
    return await plant.site.send(
        str(claim(number)), "create_claim", CREATE, by=AYSE, Idempotency_Key="create_claim"
    )


async def put_back(plant: Plant) -> int:
    """How many commands came again."""
    return (await plant.nats.js.consumer_info(COMMANDS, CLAIMS_CONSUMER)).num_redelivered or 0


async def read(plant: Plant) -> httpx.Response:
    """Read the board by HTTP."""
    return await plant.site.read("/api/claims", by=AUDITOR, limit="500")


@pytest.mark.fault(11)
@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("wiped", "seconds"),
    [
        (True, 1),
        pytest.param(False, 1, marks=pytest.mark.long),
        pytest.param(False, 600, marks=pytest.mark.long),
    ],
)
@pytest.mark.timeout(900)
async def test_nats_away_leaves_reads_and_comes_back_by_itself(
    build: Build,
    nats_server: NatsServer,
    tmp_path: Path,
    *,
    wiped: bool,
    seconds: int,
) -> None:
    """Commands are unavailable meanwhile; wiped, its streams are made and filled again."""
    async with build() as plant:
        await asyncio.gather(*(create(plant, number) for number in range(20)))
        log = await plant.check()
        await nats_server.stop()
        await asyncio.sleep(seconds)

        assert len((await read(plant)).json()["items"]) == 20
        refused = await ask(plant, 20)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
        assert (await plant.site.client.get("/readyz")).status_code == 503
        assert (await plant.site.client.get("/livez")).status_code == 200

        if wiped:
            shutil.rmtree(tmp_path / "nats-server" / "nats" / "jetstream")
        await nats_server.start()
        await plant.site.until_ready()
        await create(plant, 20)
        assert (await plant.check())[:20] == log


@pytest.mark.fault(21)
@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.long)])
async def test_a_locked_table_piles_nothing_up(build: Build, seconds: int) -> None:
    """One batch waits for the lock, and gives up; the others wait where they can't be lost."""
    async with build() as plant, await AsyncConnection.connect(plant.database_url) as other:
        await other.execute("LOCK TABLE cpor.stored_events IN EXCLUSIVE MODE")
        creating = [asyncio.create_task(create(plant, number)) for number in range(20)]
        tick = asyncio.get_running_loop().time
        until = tick() + seconds
        waits: list[int] = []
        async with asyncio.timeout(seconds + 60):
            while tick() < until or not await put_back(plant):
                rows = await plant.store.execute(
                    "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND query LIKE '%append%'"
                )
                waits += await rows.fetchone() or ()
                await asyncio.sleep(0.1)
        assert not any(task.done() for task in creating)
        assert (await plant.nats.js.stream_info(COMMANDS)).state.messages >= 20
        assert (await read(plant)).status_code == 200
        await other.rollback()
        await asyncio.gather(*creating)

        assert max(waits) == 1
        assert len(await plant.check()) == 20
        assert (await plant.nats.js.stream_info(DEAD_LETTERS)).state.messages == 0


@pytest.mark.fault(22)
async def test_a_crowded_database_is_unavailable_and_blocks_nobody(build: Build) -> None:
    """No connection is left, and a hundred clients ask at once: each is answered."""
    async with build() as plant, AsyncExitStack() as crowd:
        await create(plant, 0)
        await plant.settle()
        while True:
            try:
                other = await AsyncConnection.connect(plant.database_url)
            except psycopg.OperationalError:
                break
            await crowd.enter_async_context(other)

        answers = await asyncio.gather(
            *(read(plant) for _ in range(CLIENTS)),
            *(ask(plant, number) for number in range(CLIENTS)),
        )

        statuses = {answer.status_code for answer in answers}
        assert statuses <= {HTTPStatus.OK, 503, 504}
        await crowd.aclose()
        for number in range(CLIENTS):
            outcome: dict[str, Any] = (await ask(plant, number)).json()
            assert outcome["events"] == ["created"]
        assert len(await plant.check()) == CLIENTS
