"""The admin step for streams and consumers, on a real nats-server."""

# pyright: reportUnknownMemberType=false
# nats-py's configurations take untyped keywords.

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
import pytest_asyncio
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

from services import streams
from services.connection import Connection, connect
from services.streams import ACK_WAIT, StreamsDiffer

CLAIM = UUID("6f1f6d5c-0d0e-4d55-8a39-27f9a3b1c9e1")


@pytest_asyncio.fixture
async def connection(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to the test's own nats-server."""
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


async def test_the_admin_step_makes_what_the_contract_names(
    nats_url: str, connection: Connection
) -> None:
    """On an empty server it makes all four streams and the consumer of the claims service."""
    done = await streams.prepare(nats_url)

    assert done == [
        "stream CPOR_COMMANDS created",
        "consumer claims of stream CPOR_COMMANDS created",
        "stream CPOR_EVENTS created",
        "stream CPOR_OUTCOMES created",
        "stream CPOR_DEAD_LETTERS created",
    ]
    assert await streams.verify(connection.js) == []
    commands = (await connection.js.stream_info("CPOR_COMMANDS")).config
    assert commands.subjects == ["cpor.commands.*.*"]
    assert commands.retention == RetentionPolicy.WORK_QUEUE
    assert commands.storage == StorageType.FILE
    assert commands.duplicate_window == 0.1
    assert commands.max_msg_size == 1024 * 1024
    events = (await connection.js.stream_info("CPOR_EVENTS")).config
    assert events.subjects == ["cpor.events.*.*"]
    assert events.retention == RetentionPolicy.LIMITS
    assert events.max_age == 0
    assert events.allow_atomic
    assert not events.deny_delete
    outcomes = (await connection.js.stream_info("CPOR_OUTCOMES")).config
    assert outcomes.storage == StorageType.MEMORY
    assert outcomes.max_msgs_per_subject == 1
    assert outcomes.max_age == 24 * 60 * 60
    letters = (await connection.js.stream_info("CPOR_DEAD_LETTERS")).config
    assert letters.subjects == ["cpor.dead_letters.>"]
    assert letters.storage == StorageType.FILE
    assert letters.max_age == 90 * 24 * 60 * 60
    claims = (await connection.js.consumer_info("CPOR_COMMANDS", "claims")).config
    assert claims.ack_policy == AckPolicy.EXPLICIT
    assert claims.ack_wait == ACK_WAIT
    assert claims.max_deliver == -1
    assert claims.max_ack_pending == 5000


async def test_the_admin_step_repeated_does_nothing(nats_url: str) -> None:
    """What is as it must be is left alone."""
    await streams.prepare(nats_url)

    assert await streams.prepare(nats_url) == []


async def test_findings_name_what_is_missing(connection: Connection) -> None:
    """Every stream and consumer that isn't there is a finding of its own."""
    findings = await streams.verify(connection.js)

    assert [str(finding) for finding in findings] == [
        "stream CPOR_COMMANDS is missing",
        "consumer claims of stream CPOR_COMMANDS is missing",
        "stream CPOR_EVENTS is missing",
        "stream CPOR_OUTCOMES is missing",
        "stream CPOR_DEAD_LETTERS is missing",
    ]
    assert all(finding.repairable for finding in findings)


async def test_a_limit_that_would_lose_events_is_repaired(
    nats_url: str, connection: Connection
) -> None:
    """Somebody gave the events an age; the admin step takes it away and keeps the messages."""
    await streams.prepare(nats_url)
    config = (await connection.js.stream_info("CPOR_EVENTS")).config
    await connection.js.update_stream(config.evolve(max_age=3600.0, allow_atomic=False))
    await connection.js.publish(streams.event_subject("created", CLAIM), b"{}")

    findings = await streams.verify(connection.js)
    done = await streams.prepare(nats_url)

    assert [str(finding) for finding in findings] == [
        "stream CPOR_EVENTS has max_age 3600.0, not 0.0",
        "stream CPOR_EVENTS has allow_atomic None, not True",
    ]
    assert len(done) == 2
    assert await streams.verify(connection.js) == []
    assert (await connection.js.stream_info("CPOR_EVENTS")).state.messages == 1


async def test_a_stream_of_another_kind_is_refused_in_one_sentence(
    nats_url: str, connection: Connection
) -> None:
    """Retention can't be changed without losing commands: the operator decides."""
    await connection.js.add_stream(StreamConfig(name="CPOR_COMMANDS", subjects=["cpor.*.*.*"]))

    with pytest.raises(StreamsDiffer) as refused:
        await streams.prepare(nats_url)

    assert "stream CPOR_COMMANDS has retention limits, not workqueue" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_subjects_taken_by_another_stream_are_refused_in_one_sentence(
    nats_url: str, connection: Connection
) -> None:
    """The server's own refusal reaches the operator as a sentence."""
    await connection.js.add_stream(StreamConfig(name="OTHER", subjects=["cpor.events.>"]))

    with pytest.raises(StreamsDiffer, match=r"stream CPOR_EVENTS is missing: .* refuses .*overlap"):
        await streams.prepare(nats_url)


async def test_a_consumer_that_differs_is_repaired(nats_url: str, connection: Connection) -> None:
    """The wait for acks and the filter of the durable consumer are put right in place."""
    await streams.prepare(nats_url)
    await connection.js.add_consumer(
        "CPOR_COMMANDS",
        ConsumerConfig(
            name="claims",
            durable_name="claims",
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=5.0,
            max_deliver=-1,
            max_ack_pending=5000,
            filter_subject="cpor.commands.create_claim.*",
        ),
    )

    done = await streams.prepare(nats_url)

    assert done == [
        "consumer claims of stream CPOR_COMMANDS has ack_wait 5.0, not 3.0: repaired",
        "consumer claims of stream CPOR_COMMANDS leaves some subjects out: repaired",
    ]
    assert await streams.verify(connection.js) == []


def test_subjects_are_built_from_words() -> None:
    """Names and ids become subjects as the contract writes them."""
    assert streams.command_subject("create_claim", CLAIM) == f"cpor.commands.create_claim.{CLAIM}"
    assert streams.event_subject("created", CLAIM) == f"cpor.events.created.{CLAIM}"
    assert streams.outcome_subject(CLAIM, "a-1") == f"cpor.outcomes.{CLAIM}.a-1"
    assert streams.dead_letter_subject("claims") == "cpor.dead_letters.claims"
    assert streams.health_subject("relay") == "cpor.health.relay"


@pytest.mark.fault(41)
@pytest.mark.parametrize("word", ["", "a.b", "*", ">", "a b", "a\r\nPUB x", "ü", "a\x00"])
def test_what_is_no_word_never_reaches_a_subject(word: str) -> None:
    """An id with dots, wildcards, blanks or line ends is refused before a subject is built."""
    with pytest.raises(ValueError, match="can't be a word"):
        streams.outcome_subject(CLAIM, word)
