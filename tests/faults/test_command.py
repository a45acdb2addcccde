"""Commands that come twice, at once, contradict each other, or break what handles them."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError, StoredEvent
from nats.js.errors import APIError

from domain.actor import Actor
from services import dead_letter, runtime
from services.claims import worker
from services.claims.application import Answer, Arrival, Claims
from services.cloudevent import CommandMessage
from services.store import EventRecorder
from services.streams import (
    ACK_WAIT,
    CLAIMS_CONSUMER,
    COMMANDS,
    DEAD_LETTERS,
    command_subject,
    outcome_subject,
)
from tests.claims.orders import CREATE, PARTNER, REVIEWER, STRANGER, TO_APPROVAL, body
from tests.faults.conftest import Build, Plant, claim
from tests.system.upstream import Outcome

BURST = 2000
"""More than all that an inbox holds and asks for."""


def code(outcome: Outcome) -> str:
    """Why a command was refused, or that it was not."""
    problem: dict[str, str] = outcome.get("problem", {"type": "accepted"})
    return problem["type"].rpartition("/")[2]


async def create(plant: Plant, number: int) -> Outcome:
    """Create a claim."""
    return await plant.upstream.send(claim(number), "create_claim", CREATE, PARTNER)


@pytest.mark.fault(28)
@pytest.mark.fault(30)
async def test_what_is_sent_again_has_one_effect_and_one_answer(build: Build) -> None:
    """At once and later, by NATS and by HTTP; other content under the same id is a conflict."""
    async with build() as plant:
        first = await asyncio.gather(*(create(plant, 0) for _ in range(50)))
        again = await create(plant, 0)
        by_http = await plant.site.send(
            str(claim(0)),
            "create_claim",
            CREATE,
            by=f"{PARTNER.role};{PARTNER.org};{PARTNER.id}",
            Idempotency_Key="create_claim",
        )
        await plant.settle()  # else what is still on its way answers the next one, too
        await plant.nats.flush()
        other = {**CREATE, "name": "Other"}
        reused = await plant.upstream.send(claim(0), "create_claim", other, PARTNER)

        assert all(outcome == again for outcome in first)
        assert by_http.json() == again
        assert code(reused) == "command_id_reused"
        assert len(await plant.check()) == 1


@pytest.mark.fault(33)
async def test_of_conflicting_commands_at_once_each_version_has_one_winner(build: Build) -> None:
    """Fifty who decided on the same version: one succeeds, the others are told what changed."""
    async with build() as plant:
        for command, data, actor in TO_APPROVAL[:4]:
            await plant.upstream.send(claim(0), command, data, actor)
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("approve_claim", {}),
            ("reject_claim", {"reasons": ["insufficient_poe"], "note": "Who?"}),
            ("require_action", {"reasons": ["missing_or_old_dates"], "comment": "When?"}),
        ]

        async def decide(number: int) -> Outcome:
            command, data = kinds[number % 3]
            command_id = f"at-once-{number}"
            message = body(
                claim(0),
                command,
                data,
                actor=REVIEWER,
                command_id=command_id,
                expected_version=4 if number % 2 else None,
            )
            return await plant.upstream.send_as_is(claim(0), command, command_id, message)

        outcomes = await asyncio.gather(*(decide(number) for number in range(50)))

        codes = Counter(map(code, outcomes))
        assert codes["accepted"] == 1
        assert codes.keys() <= {"accepted", "not_possible", "stale_version", "version_conflict"}
        assert [entry.version for entry in await plant.check()] == [1, 2, 3, 4, 5]


@pytest.mark.fault(34)
async def test_a_claim_that_two_create_at_once_is_one_claim(build: Build) -> None:
    """Of two organisations, or with two command ids: the second is told that it exists."""
    senders: tuple[tuple[Actor, str], ...] = (
        *((PARTNER, f"mine-{number}") for number in range(5)),
        *((STRANGER, f"theirs-{number}") for number in range(5)),
    )
    async with build() as plant:
        for number in range(5):
            outcomes = await asyncio.gather(
                *(
                    plant.upstream.send(claim(number), "create_claim", CREATE, actor, command_id)
                    for actor, command_id in senders
                )
            )
            codes = Counter(map(code, outcomes))
            assert codes == {"accepted": 1, "already_exists": len(senders) - 1}
        assert len(await plant.check()) == 5


@pytest.mark.fault(35)
async def test_a_command_that_always_fails_is_given_up_and_holds_nobody_up(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried a few times with pauses, and kept with its bytes; its claim goes on."""
    monkeypatch.setattr(worker, "SHORTEST_DELAY", 0.05)
    decide = Claims._decide  # pyright: ignore[reportPrivateUsage]

    def fail(self: Claims, message: CommandMessage, *rest: Any) -> Any:  # noqa: ANN401 - as it is
        if message.envelope.command_id == "poison":
            raise ZeroDivisionError
        return decide(self, message, *rest)

    monkeypatch.setattr(Claims, "_decide", fail)
    async with build() as plant:
        await create(plant, 0)
        poison = body(claim(0), "post_comment", {"text": "x"}, command_id="poison")
        await plant.nats.js.publish(command_subject("post_comment", claim(0)), poison)
        after = await plant.upstream.send(claim(0), "edit_claim", {"name": "After"}, PARTNER)
        await asyncio.gather(*(create(plant, number) for number in range(1, 20)))
        assert code(after) == "accepted"
        assert len(await plant.check()) == 21

        letters = [letter async for letter in dead_letter.letters(plant.nats)]
        assert [(letter.data, letter.deliveries) for letter in letters] == [(poison, worker.TRIES)]
        assert "ZeroDivisionError" in letters[0].reason


@pytest.mark.fault(43)
async def test_a_database_that_fails_for_a_while_costs_no_command(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oftener than a command that fails by itself is tried: it is no reason to give one up."""
    monkeypatch.setattr(worker, "SHORTEST_DELAY", 0.02)
    monkeypatch.setattr(runtime, "_LONGEST_PAUSE", 0.2)
    insert = EventRecorder.insert_events
    failures = iter(range(worker.TRIES + 2))

    def fail(
        self: EventRecorder,
        events: Sequence[StoredEvent],
        **beside: Any,  # noqa: ANN401 - as it is
    ) -> Sequence[int]:
        for _ in failures:
            raise OperationalError("deadlock detected")
        return insert(self, events, **beside)

    monkeypatch.setattr(EventRecorder, "insert_events", fail)
    async with build() as plant:
        await asyncio.gather(*(create(plant, number) for number in range(5)))

        assert next(failures, None) is None
        assert len(await plant.check()) == 5
        assert (await plant.nats.js.stream_info(DEAD_LETTERS)).state.messages == 0


@pytest.mark.fault(44)
async def test_a_batch_that_takes_long_keeps_its_commands(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the server waits for an acknowledgement: they are not delivered again."""
    handle = Claims.handle

    def dawdle(self: Claims, arrivals: Sequence[Arrival]) -> list[Answer]:
        time.sleep(ACK_WAIT + 1)
        return handle(self, arrivals)

    async with build() as plant:
        monkeypatch.setattr(Claims, "handle", dawdle)
        message = body(claim(0), "create_claim", CREATE)
        await plant.nats.js.publish(command_subject("create_claim", claim(0)), message)
        await plant.settle()

        info = await plant.nats.js.consumer_info(COMMANDS, CLAIMS_CONSUMER)
        assert info.delivered is not None
        assert info.delivered.consumer_seq == info.delivered.stream_seq == 1
        assert len(await plant.check()) == 1


@pytest.mark.fault(40)
async def test_odd_messages_are_refused_and_the_connection_lives(build: Build) -> None:
    """Too large for the stream, with a huge id for deduplication, with thousands of headers."""
    async with build() as plant:
        subject = command_subject("create_claim", claim(0))
        message = body(claim(0), "create_claim", CREATE)
        with pytest.raises(APIError, match="message size exceeds maximum allowed"):
            await plant.nats.js.publish(subject, b"x" * (1024 * 1024 + 1))
        outcomes = await plant.nats.subscribe(outcome_subject(claim(0), "create_claim"))  # pyright: ignore[reportUnknownMemberType]
        for headers in (
            {"Nats-Msg-Id": "x" * 900},
            {f"X-{number}": "x" for number in range(5000)},
        ):
            await plant.nats.js.publish(subject, message, headers=headers)
            assert b"accepted" in (await outcomes.next_msg(timeout=60)).data
        assert plant.nats.generation == 0
        assert len(await plant.check()) == 1


@pytest.mark.fault(54)
async def test_a_burst_larger_than_any_buffer_is_decided(build: Build) -> None:
    """Sent as fast as it goes, while nobody reads; then all of it is decided, each once."""
    async with build() as plant:
        await plant.near.stop("claims")
        await create_blindly(plant, BURST)
        plant.near.start("claims")
        await plant.settle()

        assert len(await plant.check()) == BURST


async def create_blindly(plant: Plant, count: int) -> None:
    """Publish commands; the stream has them when this returns."""
    for first in range(0, count, 500):
        await asyncio.gather(
            *(
                plant.nats.js.publish(
                    command_subject("create_claim", claim(number)),
                    body(claim(number), "create_claim", CREATE),
                    timeout=60,
                )
                for number in range(first, min(first + 500, count))
            )
        )
