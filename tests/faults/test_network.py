"""Networks that swallow, delay and break: what is on its way is neither lost nor done twice."""

import asyncio
from typing import Any

import httpx
import pytest

from services import connection
from services.streams import COMMANDS, DEAD_LETTERS
from tests.claims.orders import CREATE, PARTNER
from tests.faults.conftest import EVERYBODY, Build, Plant, claim

COUNT = 20


async def create(plant: Plant, first: int = 0) -> None:
    """Send commands that create claims, all at once, until each has its outcome."""
    await asyncio.gather(
        *(
            plant.upstream.send(claim(number), "create_claim", CREATE, PARTNER)
            for number in range(first, first + COUNT)
        )
    )


async def components(plant: Plant) -> dict[str, Any]:
    """How everything is."""
    parts: dict[str, Any] = (await plant.site.client.get("/readyz")).json()["components"]
    return parts


async def until_not_ready(plant: Plant, name: str) -> None:
    """Wait until a part of the system says that it does not run."""
    async with asyncio.timeout(60):
        while (await components(plant))[name]["state"] == "running":  # noqa: ASYNC110 - of services
            await asyncio.sleep(0.1)


@pytest.mark.fault(14)
async def test_a_connection_to_nats_that_hangs_shows_and_is_replaced(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says that it is gone: pings that stay unanswered do."""
    monkeypatch.setattr(connection, "PING_INTERVAL", 1)
    async with build(far=EVERYBODY) as plant:
        await create(plant)
        plant.broker.stall()
        await until_not_ready(plant, "nats")
        assert (await plant.site.client.get("/livez")).status_code == httpx.codes.OK
        creating = asyncio.create_task(create(plant, COUNT))
        plant.broker.flow()
        await plant.site.until_ready()
        await creating

        assert len(await plant.check()) == 2 * COUNT


@pytest.mark.fault(15)
async def test_a_slow_network_doubles_nothing(build: Build) -> None:
    """Two seconds to the broker and back, longer than commands wait for their acknowledgement."""
    async with build(far=["claims"]) as plant:
        plant.broker.delay, plant.database.delay = 1.0, 0.1
        await create(plant)
        await plant.upstream.send(claim(0), "create_claim", CREATE, PARTNER)
        plant.broker.delay = plant.database.delay = 0.0

        assert len(await plant.check()) == COUNT


@pytest.mark.fault(16)
@pytest.mark.parametrize("way", ["broken", pytest.param("stalled", marks=pytest.mark.long)])
async def test_a_worker_without_its_database_loses_no_command(build: Build, way: str) -> None:
    """Commands are put back, again and again, and none is given up; then each is decided once."""
    async with build(far=["claims"]) as plant:
        if way == "broken":
            await plant.database.part()
        else:
            plant.database.stall()
        creating = asyncio.create_task(create(plant))
        if way == "broken":
            await until_not_ready(plant, "claims")
        await asyncio.wait([creating], timeout=3.0)
        assert not creating.done()
        assert (await plant.nats.js.stream_info(COMMANDS)).state.messages >= COUNT
        plant.database.broken = False
        plant.database.flow()
        await creating

        assert len(await plant.check()) == COUNT
        assert (await plant.nats.js.stream_info(DEAD_LETTERS)).state.messages == 0
