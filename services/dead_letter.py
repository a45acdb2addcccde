"""Messages that were given up: kept as they came, with the reason, until somebody looks at them."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
