"""The streams and consumers on JetStream: what they are, the step that makes them, and a check."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final
from uuid import UUID

import structlog
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    PersistMode,
    ReplayPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from services.connection import connected

COMMANDS: Final = "CPOR_COMMANDS"
EVERY_EVENT: Final = "cpor.events.*.*"
"""Matches the subject of every event."""
EVENTS: Final = "CPOR_EVENTS"
OUTCOMES: Final = "CPOR_OUTCOMES"
DEAD_LETTERS: Final = "CPOR_DEAD_LETTERS"
CLAIMS_CONSUMER: Final = "claims"
"""The durable consumer of the claims service on COMMANDS."""

ACK_WAIT = 3.0
"""Seconds after which a command comes again that a claims service took and died with."""

_DAY = 24 * 60 * 60.0
_SHORTEST_WINDOW = 0.1
"""Seconds. The store remembers command ids, so the streams do as briefly as a server allows."""
_PATIENCE = 10.0
"""Seconds that the admin step waits for a server."""
_WORD = re.compile(r"[A-Za-z0-9_-]+")

_log = structlog.get_logger(__name__)


class StreamsDiffer(Exception):  # noqa: N818 - named by what is wrong, as the sentence it holds
    """Something on the server can't be made what it must be without loss; says what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a stream or consumer that is not as it must be."""

    where: str
    """Such as `stream CPOR_EVENTS` or `consumer claims of stream CPOR_COMMANDS`."""
    problem: str
    repairable: bool = True
    """Whether `prepare` puts it right, losing nothing."""

    def __str__(self) -> str:
        return f"{self.where} {self.problem}"


_MISSING = "is missing"


@dataclass(frozen=True, slots=True)
class _Definition:
    """A stream and its durable consumers by name: settings that must hold, as nats-py has them."""

    name: str
    settings: Mapping[str, Any]
    consumers: Mapping[str, Mapping[str, Any]]


def _stream(
    name: str, subject: str, consumers: Mapping[str, Mapping[str, Any]] | None = None, **own: object
) -> _Definition:
    settings: dict[str, object] = {
        "subjects": [subject],
        "retention": RetentionPolicy.LIMITS,
        "storage": StorageType.FILE,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0.0,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "duplicate_window": _SHORTEST_WINDOW,
    }
    return _Definition(name, settings | own, consumers or {})


_DEFINITIONS: Final = (
    _stream(
        COMMANDS,
        "cpor.commands.*.*",
        {
            CLAIMS_CONSUMER: {
                "deliver_policy": DeliverPolicy.ALL,
                "ack_policy": AckPolicy.EXPLICIT,
                "ack_wait": ACK_WAIT,
                "max_deliver": -1,
                "max_ack_pending": 5000,
                "replay_policy": ReplayPolicy.INSTANT,
            }
        },
        retention=RetentionPolicy.WORK_QUEUE,
        max_msg_size=1024 * 1024,
    ),
    _stream(EVENTS, EVERY_EVENT, allow_atomic=True),
    _stream(
        OUTCOMES,
        "cpor.outcomes.*.*",
        storage=StorageType.MEMORY,
        max_msgs_per_subject=1,
        max_age=_DAY,
        max_bytes=256 * 1024 * 1024,
    ),
    _stream(DEAD_LETTERS, "cpor.dead_letters.>", max_age=90 * _DAY, duplicate_window=120.0),
)

_FIXED = frozenset({"retention", "storage", "deliver_policy", "ack_policy", "replay_policy"})
"""Settings that can't be changed in place, or not without losing messages."""


def command_subject(command: str, claim_id: UUID | str) -> str:
    """`cpor.commands.<command>.<claim_id>`; ValueError for what can't be a word of a subject."""
    return f"cpor.commands.{_word(command)}.{_word(str(claim_id))}"


def event_subject(event: str, claim_id: UUID | str) -> str:
    """`cpor.events.<event>.<claim_id>`; ValueError for what can't be a word of a subject."""
    return f"cpor.events.{_word(event)}.{_word(str(claim_id))}"


def outcome_subject(claim_id: UUID | str, command_id: str) -> str:
    """`cpor.outcomes.<claim_id>.<command_id>`; ValueError for what can't be a word of it."""
    return f"cpor.outcomes.{_word(str(claim_id))}.{_word(command_id)}"


def dead_letter_subject(service: str) -> str:
    """`cpor.dead_letters.<service>`; ValueError for what can't be a word of a subject."""
    return f"cpor.dead_letters.{_word(service)}"


def health_subject(service: str) -> str:
    """`cpor.health.<service>`, where it says how it is; ValueError for what can't be a word."""
    return f"cpor.health.{_word(service)}"


async def prepare(nats_url: str, *, replicas: int = 1) -> list[str]:
    """The admin step: make the streams and consumers that are missing, repair what may be.

    Returns what was done, a sentence each. Raises StreamsDiffer when something that exists can't
    be repaired without loss, UnreachableError when NATS doesn't answer within ten seconds.
    """
    async with connected(nats_url, "cpor admin", _PATIENCE) as connection:
        return await restore(connection.js, replicas=replicas)


async def restore(js: JetStreamContext, *, replicas: int = 1) -> list[str]:
    """What `prepare` does, on a connection that is there; safe at any time, by several at once."""
    done: list[str] = []
    for definition in _DEFINITIONS:
        done += await _restore_stream(js, definition, replicas)
        for name, settings in definition.consumers.items():
            done += await _restore_consumer(js, definition.name, name, settings)
    for sentence in done:
        _log.info("streams_changed", change=sentence)
    return done


async def verify(js: JetStreamContext, *, replicas: int = 1) -> list[Finding]:
    """What is not as it must be: nothing when all is well. Changes nothing."""
    findings: list[Finding] = []
    for definition in _DEFINITIONS:
        of_stream, _ = await _check_stream(js, definition, replicas)
        findings += of_stream
        for name, settings in definition.consumers.items():
            findings += await _check_consumer(js, definition.name, name, settings)
    return findings


async def _restore_stream(
    js: JetStreamContext, definition: _Definition, replicas: int
) -> list[str]:
    findings, actual = await _check_stream(js, definition, replicas)
    if not findings:
        return []
    async with _changing(findings):
        if actual is None:
            await js.add_stream(  # pyright: ignore[reportUnknownMemberType]
                StreamConfig(name=definition.name, num_replicas=replicas, **definition.settings)
            )
        else:
            replicas = max(replicas, actual.num_replicas or 1)
            await js.update_stream(  # pyright: ignore[reportUnknownMemberType]
                replace(actual, num_replicas=replicas, **definition.settings)
            )
    return _repaired(findings)


async def _restore_consumer(
    js: JetStreamContext, stream: str, name: str, settings: Mapping[str, Any]
) -> list[str]:
    findings = await _check_consumer(js, stream, name, settings)
    if not findings:
        return []
    async with _changing(findings):
        await js.add_consumer(  # pyright: ignore[reportUnknownMemberType]
            stream, ConsumerConfig(name=name, durable_name=name, **settings)
        )
    return _repaired(findings)


@asynccontextmanager
async def _changing(findings: list[Finding]) -> AsyncGenerator[None]:
    """Change what was found; StreamsDiffer when that can't be, or the server refuses."""
    problems = "; ".join(map(str, findings))
    if not all(finding.repairable for finding in findings):
        raise StreamsDiffer(
            f"{problems}: this can't be changed in place. "
            "Delete it, with what it holds, and run the admin step again."
        )
    try:
        yield
    except ServiceUnavailableError:
        raise
    except APIError as error:
        raise StreamsDiffer(f"{problems}: the server refuses ({error.description}).") from error


def _repaired(findings: list[Finding]) -> list[str]:
    return [
        f"{finding.where} created" if finding.problem == _MISSING else f"{finding}: repaired"
        for finding in findings
    ]


async def _check_stream(
    js: JetStreamContext, definition: _Definition, replicas: int
) -> tuple[list[Finding], StreamConfig | None]:
    where = f"stream {definition.name}"
    try:
        actual = (await js.stream_info(definition.name)).config
    except NotFoundError:
        return [Finding(where, _MISSING)], None
    findings = _differences(where, definition.settings, actual)
    if (actual.num_replicas or 1) < replicas:
        findings.append(Finding(where, f"has {actual.num_replicas} replicas, not {replicas}"))
    if actual.persist_mode == PersistMode.ASYNC:
        findings.append(Finding(where, "acknowledges before it writes", repairable=False))
    if actual.sealed:
        findings.append(Finding(where, "is sealed", repairable=False))
    return findings, actual


async def _check_consumer(
    js: JetStreamContext, stream: str, name: str, settings: Mapping[str, Any]
) -> list[Finding]:
    where = f"consumer {name} of stream {stream}"
    try:
        actual = (await js.consumer_info(stream, name)).config
    except NotFoundError:
        return [Finding(where, _MISSING)]
    findings = _differences(where, settings, actual)
    if actual.deliver_subject:
        findings.append(Finding(where, "pushes, where it must be pulled", repairable=False))
    if actual.filter_subject or actual.filter_subjects:
        findings.append(Finding(where, "leaves some subjects out"))
    return findings


def _differences(
    where: str, wanted: Mapping[str, Any], actual: StreamConfig | ConsumerConfig
) -> list[Finding]:
    return [
        Finding(
            where,
            f"has {setting} {_shown(found)}, not {_shown(value)}",
            repairable=setting not in _FIXED,
        )
        for setting, value in wanted.items()
        if (found := getattr(actual, setting)) != value and (found or value)
    ]


def _shown(value: object) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError(f"{value!r} can't be a word of a subject")
    return value
