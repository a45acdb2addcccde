"""kill -9 of the notifier at any step: every mail is sent, and none twice but in its one window."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from psycopg import AsyncConnection

from services.connection import Connection, connected
from services.settings import CHECKOUT, Settings, child_environment
from services.streams import prepare
from tests.claims.orders import TO_APPROVAL, upload
from tests.notifier.dying import IN_THE_WINDOW, OUTSIDE
from tests.notifier.mail_server import MailServer
from tests.notifier.rig import (
    CUSTOMER,
    PARTNER,
    REVIEWERS,
    all_ended,
    of,
    outbox,
    pending,
    waits,
)
from tests.projections.log import publish, store
from tests.system.rig import BACKSTAGE, System
from tests.system.upstream import Upstream

pytestmark = pytest.mark.rule("R26")

CLAIMS = 100
NAMESPACE = UUID("c1a10000-0000-4000-8000-00000000a000")


@asynccontextmanager
async def process(settings: Settings, *command: str) -> AsyncGenerator[Process]:
    """A program of ours, which is killed in the end."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        env=child_environment(settings) | {"PYTHONPATH": str(CHECKOUT)},
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def told(process: Process) -> int:
    """The next number that the process tells."""
    assert process.stdout is not None
    return int(await process.stdout.readline())


async def order(process: Process, step: int) -> int:
    """Have a notifier die at a step, or at none; its process id."""
    assert process.stdin is not None
    process.stdin.write(f"{step}\n".encode())
    await process.stdin.drain()
    return await told(process)


async def happen(database: AsyncConnection, nats: Connection, number: int, position: int) -> int:
    """Let a claim be approved whose consent ends tomorrow; the last event's position."""
    log = of(number, *pending(days=1), first=position + 1)
    await store(database, log)
    await publish(nats, log)
    return log[-1].position


@pytest.mark.fault(77)
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(range(1, 130, 12), marks=pytest.mark.timeout(300)),
        pytest.param(range(1, 130), marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
    ids=["some", "all"],
)
async def test_a_death_at_any_step_loses_and_doubles_nothing(
    database: AsyncConnection,
    nats_url: str,
    settings: Settings,
    office: MailServer,
    steps: range,
) -> None:
    """Between events and outbox, between reminder and notice, between notice, mail and record."""
    wired = settings.model_copy(update={"nats_url": nats_url, "log_level": "error"})
    await prepare(nats_url)
    position, ends = 0, Counter[int]()
    async with (
        connected(nats_url, "test", 10.0) as nats,
        process(wired, "tests.notifier.dying") as dying,
    ):
        for number in steps:
            before = len(office.mails)
            position = await happen(database, nats, number, position)
            await order(dying, number)
            ends[end := await told(dying)] += 1
            survivor = await order(dying, 0)
            await waits(
                database,
                "SELECT FROM cpor.notifier_position WHERE position = %s AND NOT EXISTS"
                " (SELECT FROM cpor.reminders)",
                [position],
            )
            await all_ended(database)
            os.kill(survivor, signal.SIGKILL)
            assert await told(dying) == -signal.SIGKILL

            mails = Counter(mail.message_id for mail in office.mails[before:])
            people = Counter(mail.to for mail in office.mails[before:])
            assert set(people) == {CUSTOMER, PARTNER, REVIEWERS}, number
            assert len(mails) == 4, number
            assert mails.total() <= 4 + (end == IN_THE_WINDOW), number
    assert set(ends) == {OUTSIDE, IN_THE_WINDOW}
    assert {state for _, state in await outbox(database)} == {"sent"}


@pytest.mark.fault(77)
@pytest.mark.timeout(240)
async def test_kills_in_the_middle_of_a_load_lose_and_double_nothing(
    database: AsyncConnection, nats_url: str, settings: Settings, office: MailServer
) -> None:
    """Two hundred mails, and three kills while no mail is between acceptance and record."""
    wired = settings.model_copy(update={"nats_url": nats_url, "log_level": "error"})
    permits = asyncio.Semaphore(0)

    async def slow(_address: str) -> str:
        await permits.acquire()
        return "250 OK"

    async def no_reviewers(address: str) -> str:
        return "550 nobody here" if address == REVIEWERS else "250 OK"

    office.to_mail, office.to_recipient = slow, no_reviewers
    await prepare(nats_url)
    position = 0
    async with connected(nats_url, "test", 10.0) as nats:
        for number in range(1, CLAIMS + 1):
            log = of(number, *pending(), first=position + 1)
            await store(database, log)
            await publish(nats, log)
            position = log[-1].position
    for _ in range(3):
        async with process(wired, "services.cli", "service", "notifier"):
            for _ in range(40):
                permits.release()
            await waits(
                database,
                "SELECT FROM cpor.notices WHERE state = 'sent' HAVING count(*) = %s",
                [len(office.mails) + 40],
            )
    async with process(wired, "services.cli", "service", "notifier"):
        for _ in range(2 * CLAIMS):
            permits.release()
        await waits(database, "SELECT FROM cpor.notifier_position WHERE position = %s", [position])
        await all_ended(database)

    assert len(office.mails) == 2 * CLAIMS
    assert set(office.message_ids.values()) == {1}
    links = Counter(mail.to for mail in office.mails)
    assert links == {CUSTOMER: CLAIMS, PARTNER: CLAIMS}


@pytest.mark.fault(78)
@pytest.mark.timeout(180)
async def test_a_mail_server_that_never_answers_delays_no_claim(
    tmp_path: Path, office: MailServer
) -> None:
    """Commands are decided and the board moves while every mail waits; then all are sent."""
    go_on = asyncio.Event()

    async def slow(_address: str) -> str:
        await go_on.wait()
        return "250 OK"

    office.to_mail = slow
    system = System(tmp_path / "data", (*BACKSTAGE, "notifier"))
    system.wired = system.settings.model_copy(
        update={"smtp_url": office.url, "reviewers_email": REVIEWERS, "mails_an_hour": 0}
    )
    numbers = count(1)
    try:
        await system.start()
        await system.until_running()
        upload(system.settings.database_url)
        async with (
            connected(system.nats.url, "upstream", 60.0) as nats,
            await AsyncConnection.connect(
                system.settings.database_url, autocommit=True
            ) as database,
        ):
            upstream = Upstream(nats)
            await upstream.listen()
            await approve(upstream, next(numbers))
            await office.until_asked(1)
            for _ in range(20):
                await approve(upstream, next(numbers))
            await system.until_settled()
            assert len(upstream.accepted) == 21 * len(TO_APPROVAL)
            assert office.mails == []

            go_on.set()
            await waits(
                database,
                "SELECT FROM cpor.notices WHERE state = 'sent' AND recipient <> 'reviewers'"
                " HAVING count(*) = 42",
            )
    finally:
        await system.stop()

    assert set(office.message_ids.values()) == {1}


async def approve(upstream: Upstream, number: int) -> None:
    """Take a claim to its approval."""
    claim_id = uuid5(NAMESPACE, str(number))
    for command, data, actor in TO_APPROVAL:
        await upstream.send(claim_id, command, data, actor)
