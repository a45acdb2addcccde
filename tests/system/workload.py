"""Lives of claims by chance, from a seed: sensible steps, and what senders do by mistake."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from nats.errors import Error

from domain.actor import Actor
from services.cloudevent import MAX_COMMAND_BYTES
from services.streams import command_subject
from tests.claims.orders import CREATE, CUSTOMER, PARTNER, REVIEWER, STRANGER, TO_APPROVAL, body
from tests.system.upstream import Upstream

Step = tuple[str, dict[str, Any], Actor]

NAMESPACE = UUID("c1a10000-0000-4000-8000-00000000f000")
IN_FLIGHT = 20

DECLINE: Step = ("decline_consent", {"reason": "Not our partner"}, CUSTOMER)
WITHDRAW: Step = ("request_rejection", {"explanation": "Wrong customer"}, PARTNER)
REJECT: Step = ("reject_claim", {"reasons": ["insufficient_poe"], "note": "Who?"}, REVIEWER)
ASK: Step = (
    "require_action",
    {"reasons": ["missing_or_old_dates"], "comment": "Please date it."},
    REVIEWER,
)
RESUBMIT: Step = ("resubmit_claim", {}, PARTNER)
DISPUTE: Step = ("open_dispute", {"justification": "It is there."}, PARTNER)
UPHOLD: Step = ("uphold_dispute", {"note": "So it is."}, REVIEWER)
DISMISS: Step = ("dismiss_dispute", {"note": "It is not."}, REVIEWER)
COMMENT: Step = ("post_comment", {"text": "How is it going?"}, PARTNER)

LIVES: tuple[tuple[Step, ...], ...] = (
    TO_APPROVAL,
    (*TO_APPROVAL, DECLINE),
    (*TO_APPROVAL, COMMENT, WITHDRAW),
    (*TO_APPROVAL[:3], COMMENT, WITHDRAW),
    (*TO_APPROVAL[:4], ASK),
    (*TO_APPROVAL[:4], ASK, RESUBMIT, TO_APPROVAL[3], TO_APPROVAL[4]),
    (*TO_APPROVAL[:4], REJECT),
    (*TO_APPROVAL[:4], REJECT, DISPUTE, UPHOLD),
    (*TO_APPROVAL[:4], REJECT, DISPUTE, DISMISS),
    TO_APPROVAL[:2],
)
RIVALS: tuple[Sequence[Step], ...] = (
    (TO_APPROVAL[4], REJECT, ASK),
    (DECLINE, WITHDRAW),
    (UPHOLD, DISMISS),
    (COMMENT, COMMENT, WITHDRAW),
)
"""Commands of which the first that is decided settles the others."""


class Workload:
    """Senders that go on until they are told to stop; the same seed sends the same."""

    def __init__(self, upstream: Upstream, seed: str) -> None:
        self._upstream = upstream
        self._seed = seed
        self._stopping = asyncio.Event()
        self.lives = 0
        """How many claims have come to the end of what was planned for them."""

    def stop(self) -> None:
        """Let each claim come to the end of its life, and begin no other."""
        self._stopping.set()

    async def run(self, lives: int | None = None) -> None:
        """Live until told to stop, or so many lives."""
        numbers = iter(range(lives if lives is not None else 1_000_000))

        async def sender() -> None:
            for number in numbers:
                if self._stopping.is_set():
                    return
                await self._live(number)
                self.lives += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(sender())

    async def _live(self, number: int) -> None:
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - to be played again
        claim_id = uuid5(NAMESPACE, f"{self._seed}/{number}")
        for place, step in enumerate(chance.choice(LIVES)):
            if chance.random() < 0.15:
                await self._mistake(chance, claim_id, place)
            if chance.random() < 0.1:
                await self._rival(chance, claim_id, place)
            await self._send(claim_id, step, f"{place}-{step[0]}", twice=chance.random() < 0.1)

    async def _send(
        self, claim_id: UUID, step: Step, command_id: str, *, twice: bool = False
    ) -> None:
        """Send a command; some senders are impatient, and send it twice at once."""
        command, data, actor = step
        await asyncio.gather(
            *(
                self._upstream.send(claim_id, command, data, actor, command_id)
                for _ in range(1 + twice)
            )
        )

    async def _rival(self, chance: random.Random, claim_id: UUID, place: int) -> None:
        """Commands that exclude each other, at the same instant."""
        rivals = list(chance.choice(RIVALS))
        chance.shuffle(rivals)
        await asyncio.gather(
            *(
                self._send(claim_id, step, f"{place}-rival-{number}")
                for number, step in enumerate(rivals)
            )
        )

    async def _mistake(self, chance: random.Random, claim_id: UUID, place: int) -> None:
        """What is refused or buried, and must change nothing."""
        command_id = f"{place}-mistake"
        match chance.randrange(7):
            case 0:
                await self._blindly(claim_id, b"\xff\xfe no UTF-8")
            case 1:
                await self._blindly(claim_id, body(claim_id, "submit_claim", command_id="no.id"))
            case 2:
                await self._upstream.send(
                    claim_id, "post_comment", {"text": "x", "txet": "y"}, PARTNER, command_id
                )
            case 3:  # a reused id
                other = {**CREATE, "name": f"Other {chance.random()}"}
                await self._upstream.send(
                    claim_id, "create_claim", other, PARTNER, "0-create_claim-reused"
                )
                await self._upstream.send(
                    claim_id, "create_claim", CREATE, PARTNER, "0-create_claim-reused"
                )
            case 4:  # somebody else's claim
                await self._upstream.send(claim_id, *WITHDRAW[:2], STRANGER, command_id)
            case 5:  # sent in the past or the future
                sent = json.loads(
                    body(claim_id, *COMMENT[:2], actor=PARTNER, command_id=command_id)
                )
                sent["time"] = chance.choice(["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
                await self._upstream.send_as_is(
                    claim_id, "post_comment", command_id, json.dumps(sent).encode()
                )
            case _:  # as large as may be, and a byte more
                sized = body(claim_id, *COMMENT[:2], actor=PARTNER, command_id=command_id)
                size = MAX_COMMAND_BYTES + chance.randrange(2)
                await self._upstream.send_as_is(
                    claim_id, "post_comment", command_id, sized.ljust(size)
                )

    async def _blindly(self, claim_id: UUID, message: bytes) -> None:
        """Send what nobody can be answered for."""
        try:
            await self._upstream.nats.publish(command_subject("submit_claim", claim_id), message)
        except Error:  # lost on its way: nobody waits for it
            return
