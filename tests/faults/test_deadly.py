"""A command over which the worker's process ends, as by a segmentation fault."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid5

import pytest

from services import dead_letter
from services.connection import Connection, connected
from services.settings import CHECKOUT, Settings, child_environment
from services.streams import command_subject, prepare
from tests.claims.orders import CREATE, PARTNER, REVIEWER, body, upload
from tests.faults.deadly import DEADLY
from tests.system.checker import check_outcomes, check_versions, log_of
from tests.system.upstream import Upstream

NAMESPACE = UUID("c1a10000-0000-4000-8000-000000000036")
NEIGHBOURS = 40


@asynccontextmanager
async def supervised(settings: Settings) -> AsyncGenerator[list[int]]:
    """The claims service with the defect, started again whenever it ends; its exit codes."""
    codes: list[int] = []
    processes: list[asyncio.subprocess.Process] = []

    async def keep() -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.deadly"),
                env=child_environment(settings),
                cwd=CHECKOUT,
            )
            processes.append(process)
            codes.append(await process.wait())

    keeping = asyncio.create_task(keep())
    try:
        yield codes
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        for process in processes:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def new_letters(nats: Connection) -> AsyncIterator[dead_letter.DeadLetter]:
    """The dead letters as they come, from the first one on."""
    last = 0
    while True:
        async for letter in dead_letter.letters(nats, after=last):
            yield letter
            last = letter.number
        await asyncio.sleep(0.1)


@pytest.mark.fault(36)
@pytest.mark.timeout(240)
@pytest.mark.parametrize("deadly", [1, pytest.param(3, marks=pytest.mark.long)])
async def test_a_command_that_ends_the_process_is_found_and_given_up(
    database_url: str, nats_url: str, deadly: int
) -> None:
    """After a few ends, which its neighbours survive: also those of its own claim."""
    settings = Settings(database_url=database_url, nats_url=nats_url, log_level="warning")
    await asyncio.to_thread(upload, database_url)
    await prepare(nats_url)
    claim_id = uuid5(NAMESPACE, "of the deadly ones")
    async with connected(nats_url, "upstream", 60.0) as nats:
        upstream = Upstream(nats)
        await upstream.listen()
        culprits = [
            body(claim_id, "post_comment", {"text": DEADLY}, actor=REVIEWER, command_id=f"{number}")
            for number in range(deadly)
        ]
        async with supervised(settings) as codes:
            await upstream.send(claim_id, "create_claim", CREATE, PARTNER)
            sending = [
                asyncio.create_task(
                    upstream.send(uuid5(NAMESPACE, str(number)), "create_claim", CREATE, PARTNER)
                )
                for number in range(NEIGHBOURS)
            ]
            for culprit in culprits:
                await nats.js.publish(command_subject("post_comment", claim_id), culprit)
            edit = {"name": "Renamed by a neighbour"}
            sending.append(
                asyncio.create_task(upstream.send(claim_id, "edit_claim", edit, PARTNER))
            )
            async with asyncio.timeout(180):
                await asyncio.gather(*sending)
                found = new_letters(nats)
                letters = [await anext(found) for _ in culprits]
                died = len(codes)
                await upstream.send(claim_id, "edit_claim", {"name": "Again"}, PARTNER, "again")

    assert {letter.data for letter in letters} == set(culprits)
    for letter in letters:
        assert letter.reason == "3 processes ended while they decided it"
    assert died == len(codes)
    assert set(codes) == {-9}
    log = log_of(database_url)
    check_versions(log)
    check_outcomes(log, upstream)
    assert len(upstream.accepted) == NEIGHBOURS + 3
