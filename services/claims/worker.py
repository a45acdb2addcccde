"""The claims service: decides as one batch what arrived while the last commit ran, and answers."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Generic, NamedTuple, TypeVar

import structlog
from eventsourcing.persistence import PersistenceError
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from domain.command import PassDeadline
from domain.refusal import NotYetDue
from services.claims.application import Answer, Arrival, Behind, Claims, Early, Fault
from services.claims.settled import Settled
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
from services.connection import Connection, header_block
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
TOGETHER = 2
"""How often a command is delivered to be decided with others: then alone, as it may be deadly."""
DEATHS = 3
"""How many processes may end over a command that they decide alone."""
HEARTBEAT = 1.0
"""Seconds after which a batch that takes long is said to be in progress, well within `ack_wait`."""
EARLY = timedelta(seconds=10)
"""How far ahead of its instant a timer's command may be to wait for it; beyond, it is refused."""
MEMORY = 10_000
"""How many of the latest messages something is remembered of."""
SHORTEST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_OUTCOME = header_block({"Content-Type": CONTENT_TYPE})

_log = structlog.get_logger(__name__)


class _Work(NamedTuple):
    """A message, and the command that it carries."""

    message: Message
    arrival: Arrival


class ClaimsService:
    """Decides commands, as the only active one of its kind."""

    name = "claims"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process = token_hex(8)

    async def run(self, context: Context) -> None:
        """Decide commands until told to stop, or until the leadership is lost."""
        settings = self._settings
        async with (
            leadership(settings.database_url, self.name, context.report) as term,
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
                    desk = Desk(context.nats, claims, clock, self._process, context.stopping)
                    while not term.lost.is_set() and (messages := await inbox.take()):
                        await desk.work(messages, inbox.waiting)
            finally:
                await asyncio.to_thread(claims.close)


class Desk:
    """Reads, decides and answers batches of messages."""

    def __init__(
        self,
        nats: Connection,
        claims: Claims,
        clock: Clock,
        process: str,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self._nats = nats
        self._claims = claims
        self._clock = clock
        self._process = process
        self._stopping = stopping or asyncio.Event()
        self._faults: Recent[int] = Recent(MEMORY)
        """How often each message failed by a defect of ours."""
        self._refused: Recent[Outcome] = Recent(MEMORY)
        """What was refused lately: a message that comes again was not sent again."""
        self._settled = Settled()

    async def work(self, messages: Sequence[Message], waiting: Sequence[Message] = ()) -> None:
        """Bring a batch to its end: each message is answered, put back, or given up.

        Those that are `waiting` for their turn are kept from coming again meanwhile. Raises the
        library's PersistenceError when the database can't be used, after the batch was put back.
        """
        await self._clock.refresh()
        for message in messages:
            self._settled.see(message)
        in_order = sorted(messages, key=lambda message: message.stream_sequence)
        rest = [message for message in in_order if message.deliveries <= TOGETHER]
        doubtful = [message for message in in_order if message.deliveries > TOGETHER]
        decided = {message.stream_sequence for message in rest}
        tick = asyncio.get_running_loop().time
        try:
            await self._work_together(rest, decided, (*doubtful, *waiting))
            beat_at = tick()
            while doubtful and not self._stopping.is_set():
                if tick() - beat_at >= HEARTBEAT:
                    await _keep(*doubtful, *waiting)
                    beat_at = tick()
                decided.add(doubtful[0].stream_sequence)
                await self._work_alone(doubtful.pop(0), decided, (*doubtful, *waiting))
        finally:
            for message in doubtful:  # for whoever comes next
                await message.nak(_delay(message.deliveries))

    async def _work_alone(
        self, message: Message, together: set[int], waiting: Sequence[Message]
    ) -> None:
        """Decide a command that came often, and may be what the processes before ended over.

        How many did is counted where it outlasts this one. Those who did no harm are acknowledged
        before, so that they don't share its fate.
        """
        await self._nats.flush()
        key = message.stream_sequence, message.arrived_at
        recorder = self._claims.recorder
        try:
            processes = await asyncio.to_thread(recorder.begin_attempt, key, self._process)
        except PersistenceError:
            await message.nak(_delay(message.deliveries))
            raise
        if processes > DEATHS:
            await self._give_up(message, f"{processes - 1} processes ended while they decided it")
        else:
            await self._work_together([message], together, waiting)
        await asyncio.to_thread(recorder.end_attempt, key)

    async def _work_together(
        self,
        messages: Sequence[Message],
        together: set[int],
        waiting: Sequence[Message],
    ) -> None:
        """Decide messages as one batch.

        `together` are the sequences of those that are decided now or were just before: what is put
        back is taken out of it.
        """
        work: list[_Work] = []
        hopeless: list[tuple[Message, str]] = []
        for message in messages:
            try:
                if (arrival := await self._read(message)) is not None:
                    work.append(_Work(message, arrival))
            except Unreadable as unreadable:
                hopeless.append((message, str(unreadable)))
            except NatsError:
                raise
            except Exception as error:  # noqa: BLE001 - one message must not stop the others
                together.discard(message.stream_sequence)
                hopeless += await self._put_back(message, error)
        work = await self._without_early_deadlines(work, together)
        if work:
            hopeless += await self._decide_and_answer(work, together, waiting)
        for message, reason in hopeless:
            await self._give_up(message, reason)

    async def _give_up(self, message: Message, reason: str) -> None:
        _log.warning("dead_letter", subject=message.subject, reason=reason)
        await bury(self._nats, ClaimsService.name, message, reason)
        self._settled.settle(message)

    async def _read(self, message: Message) -> Arrival | None:
        """The command that a message carries; none when the message was dealt with.

        Raises Unreadable when nobody could be answered.
        """
        known = self._refused.get(message) if message.deliveries > 1 else None
        if known is not None:
            await self._nats.send(self._farewell(message, known))
            return None
        readable = parse_envelope(message.subject, message.data)
        if len(message.data) > MAX_COMMAND_BYTES:
            size = too_large(len(message.data))
            return Arrival(BadCommand(readable.envelope, None, size), self._arrived_at(message))
        command = parse_command(readable, message.content_type)
        if isinstance(command, CommandMessage) and isinstance(command.command, PassDeadline):
            return Arrival(command, self._deadline_instant(message, command.command.due_at))
        return Arrival(command, self._arrived_at(message))

    def _arrived_at(self, message: Message) -> datetime:
        """The instant that counts for a command (R18)."""
        return self._clock.at(message.arrived_at)

    def _deadline_instant(self, message: Message, due_at: datetime) -> datetime:
        """A timer's command that was put back until its due instant counts from then on."""
        arrived_at = self._arrived_at(message)
        waited = message.deliveries > 1 and arrived_at < due_at <= self._clock.now()
        return due_at if waited else arrived_at

    async def _without_early_deadlines(
        self, work: Sequence[_Work], together: AbstractSet[int]
    ) -> list[_Work]:
        """The work but for the timer's commands that an older command must come before (R18)."""
        deadlines = [each for each in work if each.arrival.passes_deadline]
        if deadlines:
            deadlines = await self._perhaps_early(deadlines, together)
        if not deadlines:
            return list(work)
        older = await asyncio.gather(
            *(self._older_is_undecided(each, together) for each in deadlines)
        )
        early = [each for each, behind in zip(deadlines, older, strict=True) if behind]
        for each in early:
            await each.message.nak(SHORTEST_DELAY)
        return [each for each in work if each not in early]

    async def _perhaps_early(
        self, deadlines: Sequence[_Work], together: AbstractSet[int]
    ) -> list[_Work]:
        """Those before which there is a command of which neither we nor the server know the end.

        Between the commands of a batch may be one that a worker died with.
        """
        latest = max(each.message.stream_sequence for each in deadlines)
        if self._settled.up_to(together) < latest:
            self._settled.starts_at((await self._nats.js.stream_info(COMMANDS)).state.first_seq)
        known = self._settled.up_to(together)
        return [each for each in deadlines if each.message.stream_sequence > known]

    async def _older_is_undecided(self, work: _Work, together: AbstractSet[int]) -> bool:
        """Whether a command that arrived earlier for the same claim is on its way here once more.

        What arrived before the deadline comes before it, also when a worker died with it.
        """
        message, claim_id = work.message, work.arrival.message.envelope.claim_id
        subject = f"cpor.commands.*.{claim_id}"
        sequence = 0
        while sequence < message.stream_sequence:
            try:
                found = await self._nats.js.get_msg(
                    COMMANDS, seq=sequence + 1, subject=subject, next=True
                )
            except NotFoundError:
                return False
            sequence = found.seq or message.stream_sequence
            if sequence not in together:
                return sequence < message.stream_sequence
        return False

    async def _decide_and_answer(
        self, work: Sequence[_Work], together: set[int], waiting: Sequence[Message]
    ) -> list[tuple[Message, str]]:
        """Decide, answer, and return what is to be given up."""
        try:
            answers = await self._decide(work, waiting)
        except PersistenceError:
            for each in work:
                await each.message.nak(_delay(each.message.deliveries))
            raise
        hopeless: list[tuple[Message, str]] = []
        frames: list[bytes] = []
        undone: list[tuple[Message, Early | Behind | Exception]] = []
        for each, answer in zip(work, answers, strict=True):
            try:
                match answer:
                    case Fault(error=error):
                        undone.append((each.message, error))
                    case Behind():
                        undone.append((each.message, answer))
                    case Early() if answer.wait <= EARLY:
                        undone.append((each.message, answer))
                    case Early(outcome=outcome) | (Outcome() as outcome):
                        frames += self._farewell(each.message, outcome)
            except Exception as error:  # noqa: BLE001 - one message must not stop the others
                undone.append((each.message, error))
        await self._nats.send(frames)
        for message, why in undone:
            together.discard(message.stream_sequence)
            match why:
                case Behind():
                    await message.nak(SHORTEST_DELAY)
                case Early():
                    await message.nak(max(why.wait.total_seconds(), SHORTEST_DELAY))
                case _:
                    hopeless += await self._put_back(message, why)
        return hopeless

    async def _decide(self, work: Sequence[_Work], waiting: Sequence[Message]) -> list[Answer]:
        """Decide in a thread of its own; the server hears that it takes a while when it does."""
        deciding = asyncio.create_task(
            asyncio.to_thread(self._claims.handle, [each.arrival for each in work])
        )
        try:
            while not (await asyncio.wait([deciding], timeout=HEARTBEAT))[0]:
                await _keep(*(each.message for each in work), *waiting)
        finally:
            await asyncio.wait([deciding])  # the thread can't be cancelled, and uses the store
        return await deciding

    async def _put_back(self, message: Message, error: Exception) -> list[tuple[Message, str]]:
        """Let a command that failed by a defect of ours be tried again; not for ever."""
        _log.error("command_failed", subject=message.subject, exc_info=error)
        times = (self._faults.get(message) or 0) + 1
        self._faults.put(message, times)
        if times >= TRIES:
            return [(message, f"failed {times} times: {error!r}")]
        await message.nak(_delay(times))
        return []

    def _farewell(self, message: Message, outcome: Outcome) -> tuple[bytes, bytes]:
        """What answers a command and ends its message, to be sent in this order, and at once.

        Nobody waits for the server: an outcome is derived again whenever its command comes again.
        """
        self._settled.settle(message)
        if outcome.refusal is not None and not isinstance(outcome.refusal, NotYetDue):
            self._refused.put(message, outcome)
        envelope = outcome.envelope
        subject = outcome_subject(envelope.claim_id, envelope.command_id)
        return self._nats.frame(subject, outcome.message(), _OUTCOME), message.ack_frame()


_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """Something about each of the latest messages, the oldest leaving first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[tuple[int, datetime], _Value] = OrderedDict()

    def get(self, message: Message) -> _Value | None:
        """What is known of a message."""
        return self._values.get((message.stream_sequence, message.arrived_at))

    def put(self, message: Message, value: _Value) -> None:
        """Remember something of a message."""
        self._values[message.stream_sequence, message.arrived_at] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)


async def _keep(*messages: Message) -> None:
    """Keep messages from coming again while they wait for their turn here."""
    for message in messages:
        await message.in_progress()


def _delay(times: int) -> float:
    """Seconds until the next try: longer each time."""
    return min(SHORTEST_DELAY * 2.0 ** min(times, 10), _LONGEST_DELAY)


def service(settings: Settings) -> ClaimsService:
    """The claims service, as the service runner takes it."""
    return ClaimsService(settings)
