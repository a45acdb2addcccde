"""The desk: what it makes of messages that come again, and of commands that fail."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import pytest_asyncio
from nats.aio.msg import Msg

from services.claims.application import Claims
from services.claims.worker import Desk
from services.clock import SystemClock
from services.connection import Connection, connected
from services.inbox import Durable, PullInbox
from services.message import Message
from services.resource import load_catalogue, load_policy
from services.settings import Settings
from services.streams import CLAIMS_CONSUMER, COMMANDS, command_subject, prepare
from tests.claims.orders import CREATE, DOCUMENT, body, upload

CLAIM = UUID("c1a10000-0000-4000-8000-00000000000a")


class Office(NamedTuple):
    """A desk, the messages that come to it, and the outcomes that it gives."""

    nats: Connection
    desk: Desk
    inbox: PullInbox
    outcomes: asyncio.Queue[Msg]

    async def message(self, command: str, data: dict[str, Any] | None = None) -> Message:
        """Send a command; the message as it is delivered."""
        await self.nats.js.publish(command_subject(command, CLAIM), body(CLAIM, command, data))
        return await self.next()

    async def next(self) -> Message:
        """The next delivery."""
        async with asyncio.timeout(20):
            (message,) = await self.inbox.take(1)
        return message

    async def outcome_of(self, message: Message) -> dict[str, Any]:
        """Let the desk work on it."""
        await self.desk.work([message])
        async with asyncio.timeout(20):
            data: dict[str, Any] = json.loads((await self.outcomes.get()).data)["data"]
        return data


@pytest_asyncio.fixture
async def office(database_url: str, nats_url: str) -> AsyncGenerator[Office]:
    """A desk on real servers."""
    await asyncio.to_thread(upload, database_url)
    await prepare(nats_url)
    claims = Claims(database_url, policy=load_policy(Settings()), catalogue=load_catalogue())
    async with (
        connected(nats_url, "test", 10.0) as nats,
        PullInbox(nats, Durable(COMMANDS, CLAIMS_CONSUMER)) as inbox,
    ):
        outcomes: asyncio.Queue[Msg] = asyncio.Queue()
        await nats.listen("cpor.outcomes.>", outcomes.put)
        yield Office(nats, Desk(nats, claims, SystemClock(), "this process"), inbox, outcomes)
    await asyncio.to_thread(claims.close)


@pytest.mark.fault(45)
async def test_a_refusal_stays_when_its_message_comes_again_but_not_when_it_is_sent_again(
    office: Office,
) -> None:
    """An acknowledgement was lost: what was possible only later must not happen by itself."""
    await office.outcome_of(await office.message("create_claim", CREATE))
    submit = await office.message("submit_claim")
    await submit.nak()
    redelivered = await office.next()
    refused = await office.outcome_of(submit)
    await office.outcome_of(await office.message("attach_poe", {"document": DOCUMENT}))

    again = await office.outcome_of(redelivered)
    sent_again = await office.outcome_of(await office.message("submit_claim"))

    assert redelivered.deliveries == 2
    assert refused["problem"]["rule"] == "R2"
    assert again == refused
    assert sent_again["events"] == ["submitted"]
