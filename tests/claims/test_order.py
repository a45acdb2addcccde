"""What counts is when a command arrived, also when a worker died with it (R18)."""

import asyncio
import json
from datetime import datetime
from uuid import UUID

import psycopg
import pytest
from nats.aio.msg import Msg

from services.claims import service
from services.claims.application import Claims
from services.clock import real_now
from services.connection import Connection, connected
from services.resource import load_catalogue, load_policy
from services.settings import Settings
from services.streams import CLAIMS_CONSUMER, COMMANDS, command_subject, prepare
from tests.claims.orders import CUSTOMER, TIMER, TO_APPROVAL, arrival, body, upload
from tests.service import running

CLAIM = UUID("c1a10000-0000-4000-8000-00000000000a")
DUE_AT = "2021-05-25T00:00:00Z"


def move_clock(database_url: str, to: str) -> None:
    """Let the simulated clock tick from this instant on."""
    now = real_now()
    with psycopg.connect(database_url) as store:
        store.execute(
            "INSERT INTO cpor.simulated_clock (since, offset_by) VALUES (%s, %s)",
            [now, datetime.fromisoformat(to) - now],
        )


async def approved(database_url: str, nats_url: str) -> Settings:
    """A claim whose consent is pending, in a system on the simulated clock; its settings."""
    settings = Settings(database_url=database_url, nats_url=nats_url, clock="simulated")
    upload(database_url)
    claims = Claims(database_url, policy=load_policy(settings), catalogue=load_catalogue())
    claims.handle([arrival(CLAIM, name, data, actor=by) for name, data, by in TO_APPROVAL])
    claims.close()
    await prepare(nats_url)
    return settings


async def publish(nats: Connection, command: str, message: bytes) -> None:
    """Put a command on the stream."""
    await nats.js.publish(command_subject(command, CLAIM), message)


@pytest.mark.rule("R18")
@pytest.mark.fault(1)
async def test_a_decline_that_arrived_first_wins_though_it_is_delivered_last(
    database_url: str, nats_url: str
) -> None:
    """A worker took the decline and died; the deadline is put back until the decline is decided."""
    settings = await approved(database_url, nats_url)
    async with connected(nats_url, "test", 10.0) as nats:
        outcomes: asyncio.Queue[Msg] = asyncio.Queue()
        await nats.listen("cpor.outcomes.>", outcomes.put)
        dead = await nats.js.pull_subscribe_bind(CLAIMS_CONSUMER, COMMANDS)
        move_clock(database_url, "2021-05-24T23:59:59Z")
        await publish(nats, "decline_consent", body(CLAIM, "decline_consent", actor=CUSTOMER))
        await dead.fetch(1)
        move_clock(database_url, DUE_AT)
        deadline = {"clock": "consent", "due_at": DUE_AT}
        await publish(nats, "pass_deadline", body(CLAIM, "pass_deadline", deadline, actor=TIMER))

        async with running(service(settings), settings, nats), asyncio.timeout(20):
            first, second = [json.loads((await outcomes.get()).data)["data"] for _ in range(2)]

    assert (first["command"], first["events"]) == (
        "decline_consent",
        ["consent_declined", "rejected"],
    )
    assert (second["command"], second["problem"]["rule"]) == ("pass_deadline", "R18")


@pytest.mark.rule("R18")
@pytest.mark.fault(1)
async def test_a_decline_between_the_commands_of_a_batch_comes_before_the_deadline(
    database_url: str, nats_url: str
) -> None:
    """What is taken together need not be without gaps: a worker died with one of them."""
    settings = await approved(database_url, nats_url)
    async with connected(nats_url, "test", 10.0) as nats:
        outcomes: asyncio.Queue[Msg] = asyncio.Queue()
        await nats.listen("cpor.outcomes.>", outcomes.put)
        dead = await nats.js.pull_subscribe_bind(CLAIMS_CONSUMER, COMMANDS)
        move_clock(database_url, "2021-05-24T23:59:59Z")
        await publish(nats, "post_comment", body(CLAIM, "post_comment", {"text": "Hello?"}))
        await publish(nats, "decline_consent", body(CLAIM, "decline_consent", actor=CUSTOMER))
        (other, _) = await dead.fetch(2)
        await other.nak()
        move_clock(database_url, DUE_AT)
        deadline = {"clock": "consent", "due_at": DUE_AT}
        await publish(nats, "pass_deadline", body(CLAIM, "pass_deadline", deadline, actor=TIMER))

        async with running(service(settings), settings, nats), asyncio.timeout(20):
            _, first, second = [json.loads((await outcomes.get()).data)["data"] for _ in range(3)]

    assert (first["command"], first["events"]) == (
        "decline_consent",
        ["consent_declined", "rejected"],
    )
    assert (second["command"], second["problem"]["rule"]) == ("pass_deadline", "R18")
