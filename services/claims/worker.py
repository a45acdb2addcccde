"""The claims service: decides as one batch what arrived while the last commit ran, and answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from domain.command import PassDeadline
from services.claims.application import (
    OUT_OF_REACH,
    Answer,
    Arrival,
    Claims,
    Early,
    Fault,
)
from services.clock import Clock, open_clock
from services.cloudevent import (
    CONTENT_TYPE,
    MAX_COMMAND_BYTES,
    BadCommand,
    CommandMessage,
    Outcome,
    parse_command,
    parse_envelope,
    too_large,
)
from services.connection import Connection
from services.dead_letter import bury
from services.inbox import Durable, PullInbox
from services.json_document import Unreadable
from services.leadership import leadership
from services.message import Message
from services.resource import load_catalogue, load_policy
from services.runtime import Context
from services.settings import Settings
from services.streams import CLAIMS_CONSUMER, COMMANDS, outcome_subject, restore

TRIES = 5
"""How often a command that fails by a defect of ours is tried before it becomes a dead letter."""
HEARTBEAT = 1.0
"""Seconds after which a batch that takes long is said to be in progress, well within `ack_wait`."""
EARLY = timedelta(seconds=10)
"""How far ahead of its instant a timer's command may be to wait for it; beyond, it is refused."""
_LONGEST_DELAY = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """A message, and the command that it carries."""

    message: Message
    arrival: Arrival


class ClaimsService:
    """Decides commands, as the only active one of its kind."""

    name = "claims"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self, context: Context) -> None:
        """Decide commands until told to stop, or until the leadership is lost."""
        settings = self._settings
        async with (
            leadership(settings.database_url, self.name, context.report),
            open_clock(settings) as clock,
        ):
            claims = await asyncio.to_thread(
                Claims,
                settings.database_url,
                policy=load_policy(settings),
                catalogue=load_catalogue(),
            )
            durable = Durable(COMMANDS, CLAIMS_CONSUMER, lambda: restore(context.nats.js))
            try:
                async with PullInbox(
                    context.nats, durable, stopping=context.stopping, report=context.report
                ) as inbox:
                    desk = Desk(context.nats, claims, clock)
                    while messages := await inbox.take():
                        await desk.work(messages)
            finally:
                await asyncio.to_thread(claims.close)


class Desk:
    """Reads, decides and answers batches of messages."""

    def __init__(self, nats: Connection, claims: Claims, clock: Clock) -> None:
        self._nats = nats
        self._claims = claims
        self._clock = clock

    async def work(self, messages: Sequence[Message]) -> None:
        """Bring a batch to its end: each message is answered, put back, or given up.

        Raises OUT_OF_REACH when the database is, after the batch was put back.
        """
        await self._clock.refresh()
        work = [each for message in messages if (each := await self._read(message))]
        if not work:
            return
        try:
            answers = await self._decide(work)
        except OUT_OF_REACH:
            for each in work:
                await each.message.nak(_delay(each.message))
            raise
        for each, answer in zip(work, answers, strict=True):
            await self._answer(each, answer)

    async def _decide(self, work: Sequence[_Work]) -> list[Answer]:
        """Decide in a thread of its own; the server hears that it takes a while when it does."""
        deciding = asyncio.create_task(
            asyncio.to_thread(self._claims.handle, [each.arrival for each in work])
        )
        while not (await asyncio.wait([deciding], timeout=HEARTBEAT))[0]:
            for each in work:
                await each.message.in_progress()
        return await deciding

    async def _read(self, message: Message) -> _Work | None:
        """The command that a message carries; none when it was buried."""
        try:
            readable = parse_envelope(message.subject, message.data)
        except Unreadable as reason:
            await self._give_up(message, str(reason))
            return None
        command = (
            parse_command(readable)
            if len(message.data) <= MAX_COMMAND_BYTES
            else BadCommand(readable.envelope, None, too_large(len(message.data)))
        )
        return _Work(message, Arrival(command, self._instant(message, command)))

    def _instant(self, message: Message, command: CommandMessage | BadCommand) -> datetime:
        """When the command arrived (R18); a timer's that was put back, from its due instant on."""
        arrived_at = self._clock.at(message.arrived_at)
        if isinstance(command, CommandMessage) and isinstance(command.command, PassDeadline):
            due_at = command.command.due_at
            if arrived_at < due_at <= self._clock.now():
                return due_at
        return arrived_at

    async def _answer(self, work: _Work, answer: Answer) -> None:
        match answer:
            case Outcome():
                await self._tell(answer)
                await work.message.ack()
            case Early(refusal=refusal, outcome=outcome, instant=instant):
                wait = refusal.due_at - instant
                if wait <= EARLY:
                    await work.message.nak(wait.total_seconds())
                else:
                    await self._tell(outcome)
                    await work.message.ack()
            case Fault(error=error):
                _log.error("command_failed", subject=work.message.subject, exc_info=error)
                if work.message.deliveries < TRIES:
                    await work.message.nak(_delay(work.message))
                else:
                    await self._give_up(work.message, f"failed {TRIES} times: {error!r}")

    async def _tell(self, outcome: Outcome) -> None:
        """Publish an outcome, unwaited: it is derived again whenever the command comes again."""
        envelope = outcome.envelope
        await self._nats.publish(
            outcome_subject(envelope.claim_id, envelope.command_id),
            outcome.message(),
            headers={"Content-Type": CONTENT_TYPE},
        )

    async def _give_up(self, message: Message, reason: str) -> None:
        _log.warning("dead_letter", subject=message.subject, reason=reason)
        await bury(self._nats, ClaimsService.name, message, reason)


def _delay(message: Message) -> float:
    """Seconds until the next try: longer each time."""
    return min(0.5 * 2.0 ** min(message.deliveries, 10), _LONGEST_DELAY)


def service(settings: Settings) -> ClaimsService:
    """The claims service, as the service runner takes it."""
    return ClaimsService(settings)
