"""Messages that were given up: kept as they came, with the reason, until somebody looks at them."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from nats.errors import Error

from services.connection import Connection
from services.message import Message, parsed
from services.streams import DEAD_LETTERS, dead_letter_subject

REASON, SUBJECT, DELIVERIES = "cpor-reason", "cpor-subject", "cpor-deliveries"
LONGEST_REASON = 300
"""Characters of a reason."""
PATIENCE = 5.0
"""Seconds that the server has to take a letter in."""

_NOT_FOUND = 404


class DeadLetterError(Exception):
    """What was asked of the dead letters can't be done: the message is one sentence."""


class NoSuchLetterError(DeadLetterError):
    """There is no dead letter of this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no dead letter {number}.")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up."""

    number: int
    """Its sequence in the stream of dead letters, by which it is asked for."""
    service: str
    """Who gave it up."""
    subject: str
    """The subject it was sent to; what is no readable text in it is escaped."""
    reason: str
    deliveries: int
    """How often it was delivered before it was given up."""
    buried_at: datetime
    data: bytes
    """The payload, unchanged."""


async def bury(connection: Connection, service: str, message: Message, reason: str) -> None:
    """Give a message up: it becomes a dead letter, and only then is never delivered again.

    A message that is buried twice within two minutes, because the end of the first time was not
    known, becomes one letter. Raises `nats.errors.Error` when the letter may not have been stored;
    then the message comes again.
    """
    arrived_at = message.arrived_at.isoformat()
    headers = {
        REASON: _one_line(reason)[:LONGEST_REASON],
        SUBJECT: _one_line(message.subject),
        DELIVERIES: str(message.deliveries),
        "Nats-Msg-Id": f"{message.stream}/{message.stream_sequence}/{arrived_at}",
    }
    subject = dead_letter_subject(service)
    await connection.js.publish(subject, message.data, timeout=PATIENCE, headers=headers)
    await message.term()


async def letters(connection: Connection, *, after: int = 0) -> AsyncIterator[DeadLetter]:
    """The dead letters with a number above `after`, oldest first, one question each."""
    while True:
        letter = await _find(connection, {"seq": after + 1, "next_by_subj": dead_letter_subjects()})
        if letter is None:
            return
        yield letter
        after = letter.number


async def newest(
    connection: Connection, *, before: int | None = None, limit: int
) -> list[DeadLetter]:
    """At most so many dead letters with a number below `before`, the newest first.

    The stream can be asked forwards only: wider and wider stretches of it are looked at.
    """
    state = (await connection.js.stream_info(DEAD_LETTERS)).state
    high = state.last_seq if before is None else min(before - 1, state.last_seq)
    found: list[DeadLetter] = []
    width = limit
    while high >= state.first_seq and len(found) < limit:
        low = max(high - width, state.first_seq - 1)
        stretch: list[DeadLetter] = []
        async for letter in letters(connection, after=low):
            if letter.number > high:
                break
            stretch.append(letter)
        found += reversed(stretch)
        high, width = low, width * 2
    return found[:limit]


async def read(connection: Connection, number: int) -> DeadLetter:
    """One dead letter. Raises NoSuchLetterError."""
    letter = await _find(connection, {"seq": number})
    if letter is None:
        raise NoSuchLetterError(number)
    return letter


async def requeue(connection: Connection, number: int) -> DeadLetter:
    """Send the payload to its subject again; the letter is gone once a stream has taken it.

    Raises NoSuchLetterError, and DeadLetterError when no stream is known to have taken it: the
    letter stays.
    """
    letter = await read(connection, number)
    try:
        await connection.js.publish(letter.subject, letter.data, timeout=PATIENCE)
    except Error as error:
        raise DeadLetterError(
            f"Dead letter {number} stays: {letter.subject} did not take it ({error})."
        ) from error
    await connection.js.delete_msg(DEAD_LETTERS, number)
    return letter


class Requeued(NamedTuple):
    """What became of dead letters that were to be sent again."""

    sent: int
    stayed: int
    """No stream is known to have taken them."""


async def requeue_all(connection: Connection, *, up_to: int, limit: int) -> Requeued:
    """Send the oldest letters again, at most so many, and none with a number above `up_to`.

    A letter that is given up again meanwhile has a higher number: this comes to an end.
    """
    sent = stayed = 0
    async for letter in letters(connection):
        if letter.number > up_to or sent + stayed == limit:
            break
        try:
            await requeue(connection, letter.number)
        except NoSuchLetterError:
            continue  # somebody else has sent it
        except DeadLetterError:
            stayed += 1
        else:
            sent += 1
    return Requeued(sent, stayed)


def visible(data: bytes) -> str:
    """A payload as text that does nothing to a terminal or a page: signs of control are escaped."""
    text = data.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def dead_letter_subjects() -> str:
    """The subjects of all dead letters."""
    return f"{dead_letter_subject('x').removesuffix('x')}>"


async def _find(connection: Connection, which: dict[str, Any]) -> DeadLetter | None:
    reply = await connection.request(
        f"$JS.API.STREAM.MSG.GET.{DEAD_LETTERS}", json.dumps(which).encode(), timeout=PATIENCE
    )
    answer = json.loads(reply.data)
    if "error" in answer:
        if answer["error"]["code"] == _NOT_FOUND and "message" in answer["error"]["description"]:
            return None
        reason = answer["error"]["description"]
        raise DeadLetterError(f"The dead letters can't be read: {reason}.")
    message = answer["message"]
    headers = parsed(base64.b64decode(message.get("hdrs", "")))
    return DeadLetter(
        number=message["seq"],
        service=message["subject"].rpartition(".")[2],
        subject=headers.get(SUBJECT, ""),
        reason=headers.get(REASON, ""),
        deliveries=int(headers.get(DELIVERIES, "0")),
        buried_at=datetime.fromisoformat(message["time"]),
        data=base64.b64decode(message.get("data", "")),
    )


def _one_line(text: str) -> str:
    """`text` on one line, and of characters that can be seen: what can't is escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
