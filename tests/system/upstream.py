"""An upstream system: when in doubt it sends a command again, until it has the outcome."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from nats.aio.msg import Msg
from nats.errors import Error

from domain.actor import Actor
from services.connection import Connection
from services.streams import command_subject, outcome_subject
from tests.claims.orders import body

Outcome = dict[str, Any]
"""An outcome's data."""

_IN_DOUBT = 2.0
"""Seconds without an outcome after which the command is sent again."""


@dataclass(slots=True)
class Upstream:
    """What was sent, and what came back."""

    nats: Connection
    accepted: dict[tuple[UUID, str], Outcome] = field(
        default_factory=dict[tuple[UUID, str], Outcome]
    )
    refused: dict[tuple[UUID, str], Outcome] = field(
        default_factory=dict[tuple[UUID, str], Outcome]
    )
    differing: list[tuple[Outcome, Outcome]] = field(default_factory=list[tuple[Outcome, Outcome]])
    """Accepted commands whose outcome was another one the second time."""
    _waiting: dict[str, asyncio.Future[Outcome]] = field(
        default_factory=dict[str, asyncio.Future[Outcome]]
    )

    async def listen(self) -> None:
        """Hear all outcomes."""
        await self.nats.listen("cpor.outcomes.>", self._on_outcome)
        await self.nats.flush()

    async def send(
        self,
        claim_id: UUID,
        command: str,
        data: dict[str, Any] | None,
        actor: Actor,
        command_id: str = "",
    ) -> Outcome:
        """Send until there is an outcome; the outcome's data."""
        message = body(claim_id, command, data, actor=actor, command_id=command_id)
        return await self.send_as_is(claim_id, command, command_id or command, message)

    async def send_as_is(
        self, claim_id: UUID, command: str, command_id: str, message: bytes
    ) -> Outcome:
        """The same, for a message that the caller made."""
        key = outcome_subject(claim_id, command_id)
        outcome = self._waiting.get(key)
        if outcome is None or outcome.done():
            outcome = self._waiting[key] = asyncio.get_running_loop().create_future()
        while not outcome.done():
            try:
                await self.nats.publish(command_subject(command, claim_id), message)
                async with asyncio.timeout(_IN_DOUBT):
                    await asyncio.shield(outcome)
            except (TimeoutError, Error):
                await self.nats.until_up()
        return await outcome

    async def _on_outcome(self, message: Msg) -> None:
        data = json.loads(message.data)["data"]
        waiting = self._waiting.get(message.subject)
        if waiting and not waiting.done():
            waiting.set_result(data)
        claim_id = UUID(message.subject.split(".")[2])
        key = claim_id, data["command_id"]
        if data["result"] == "refused":
            self.refused[key] = data
        elif (first := self.accepted.setdefault(key, data)) != data:
            self.differing.append((first, data))
