"""kill -9 of anything, in the middle of a load: nothing lost, nothing twice."""

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID, uuid5

import pytest
import pytest_asyncio

from services.connection import connected
from tests.claims.orders import TO_APPROVAL, upload
from tests.system import checker
from tests.system.rig import System, running
from tests.system.upstream import Upstream
from tests.system.workload import Workload

CLAIMS = 150
IN_FLIGHT = 25
NAMESPACE = UUID("c1a10000-0000-4000-8000-000000000000")


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncGenerator[System]:
    """The services without the web, on servers that sync every write."""
    async with running(tmp_path / "data") as system:
        upload(system.settings.database_url)
        await system.until_running()
        yield system


async def load(upstream: Upstream, claims: int = CLAIMS) -> None:
    """Take claims to their approval, so many at once."""
    numbers = iter(range(claims))

    async def live() -> None:
        for number in numbers:
            claim_id = uuid5(NAMESPACE, str(number))
            for command, data, actor in TO_APPROVAL:
                await upstream.send(claim_id, command, data, actor)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(live())


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "victims",
    [
        pytest.param(
            ["claims"], marks=[pytest.mark.fault(1), pytest.mark.fault(2), pytest.mark.fault(3)]
        ),
        pytest.param(["relay"], marks=[pytest.mark.fault(4), pytest.mark.fault(5)]),
        pytest.param(["projector"], marks=[pytest.mark.fault(6)]),
        pytest.param(["nats"], marks=[pytest.mark.fault(8)]),
        pytest.param(["postgres"], marks=[pytest.mark.fault(18)]),
        pytest.param(["claims", "relay", "projector", "timer", "nats", "postgres"]),
    ],
    ids=["claims", "relay", "projector", "nats", "postgres", "everything"],
)
async def test_kills_under_load_lose_and_double_nothing(system: System, victims: list[str]) -> None:
    """However often it is killed: acknowledged is stored, published once, and on the board."""
    chance = random.Random(f"kills of {victims}")  # noqa: S311 - to be played again
    async with connected(system.nats.url, "upstream", 60.0) as nats:
        upstream = Upstream(nats)
        await upstream.listen()
        loading = asyncio.create_task(load(upstream))
        for _ in range(max(3, len(victims))):
            await asyncio.wait([loading], timeout=chance.uniform(0.3, 1.0))
            for victim in victims:
                await system.kill(victim)
        await loading
        await system.until_settled()

        assert len(upstream.accepted) == CLAIMS * len(TO_APPROVAL)
        await checker.check(system.settings.database_url, nats, upstream)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("victim", "kills"),
    [
        pytest.param(
            "claims", 30, marks=[pytest.mark.fault(1), pytest.mark.fault(2), pytest.mark.fault(3)]
        ),
        pytest.param("relay", 30, marks=[pytest.mark.fault(4), pytest.mark.fault(5)]),
        pytest.param("projector", 30, marks=pytest.mark.fault(6)),
        pytest.param("timer", 30, marks=pytest.mark.fault(7)),
        pytest.param("nats", 30, marks=pytest.mark.fault(8)),
        pytest.param("postgres", 10, marks=pytest.mark.fault(18)),
    ],
)
async def test_many_kills_under_load_lose_and_double_nothing(
    system: System, victim: str, kills: int
) -> None:
    """After each of them work goes on, without anybody's help."""
    chance = random.Random(f"kills of {victim}")  # noqa: S311 - to be played again
    async with connected(system.nats.url, "upstream", 60.0) as nats:
        upstream = Upstream(nats)
        await upstream.listen()
        workload = Workload(upstream, f"kills of {victim}")
        working = asyncio.create_task(workload.run())
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            await system.kill(victim)
            accepted = len(upstream.accepted)
            async with asyncio.timeout(60):
                while len(upstream.accepted) == accepted:  # noqa: ASYNC110 - it hears outcomes
                    await asyncio.sleep(0.05)
        workload.stop()
        await working
        await system.until_settled()

        await checker.check(system.settings.database_url, nats, upstream)


@pytest.mark.timeout(240)
@pytest.mark.fault(20)
@pytest.mark.fault(73)
async def test_rolling_restarts_under_load_lose_and_double_nothing(system: System) -> None:
    """Each service ends in order, and comes back to servers that were started again themselves."""
    async with connected(system.nats.url, "upstream", 60.0) as nats:
        upstream = Upstream(nats)
        await upstream.listen()
        workload = Workload(upstream, "rolling")
        working = asyncio.create_task(workload.run())
        for name in system.names:
            assert await system.stop_service(name) == 0
            await system.start_service(name)
            await system.until_running()
        for server in ("postgres", "nats"):
            await system.restart(server)
            await system.until_running()
        workload.stop()
        await working
        await system.until_settled()

        await checker.check(system.settings.database_url, nats, upstream)


@pytest.mark.fault(11)
async def test_a_wiped_event_stream_is_filled_again_from_the_store(system: System) -> None:
    """The stream is deleted while the system runs: it comes back, complete and in order."""
    async with connected(system.nats.url, "upstream", 60.0) as nats:
        upstream = Upstream(nats)
        await upstream.listen()
        await load(upstream, claims=20)
        await system.until_settled()
        await nats.js.delete_stream("CPOR_EVENTS")
        await load_more(upstream)
        await system.until_settled()

        await checker.check(system.settings.database_url, nats, upstream)


async def load_more(upstream: Upstream) -> None:
    """Let the claims go on: their partner gives them up."""
    for number in range(20):
        claim_id = uuid5(NAMESPACE, str(number))
        _, _, partner = TO_APPROVAL[0]
        await upstream.send(
            claim_id, "request_rejection", {"explanation": "Wrong customer"}, partner
        )


@pytest.mark.timeout(180)
@pytest.mark.fault(50)
async def test_two_instances_of_everything_take_turns(system: System) -> None:
    """Standbys wait, and take over when the active ones are killed for good."""
    for name in system.names:
        await system.start_service(name, instance="-2")
    async with connected(system.nats.url, "upstream", 60.0) as nats:
        upstream = Upstream(nats)
        await upstream.listen()
        loading = asyncio.create_task(load(upstream))
        for name in system.names:
            await asyncio.wait([loading], timeout=0.5)
            await system.kill_for_good(name)
        await loading
        await system.until_settled()

        assert len(upstream.accepted) == CLAIMS * len(TO_APPROVAL)
        await checker.check(system.settings.database_url, nats, upstream)
