"""CPOR_EVENTS as those read it who keep their own position in the log."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import from_json

from domain.claim import ClaimEvent
from services.cloudevent import read_event
from services.connection import Connection
from services.message import Message
from services.streams import EVENTS


class Placed(NamedTuple):
    """An event and its position in the log."""

    position: int
    fact: ClaimEvent


class Unreadable(ValueError):  # noqa: N818 - named by what is wrong, as the sentence it holds
    """A message of the stream can't be read: whoever reads it stops there, and skips nothing."""


def read_batch(messages: Sequence[Message]) -> tuple[list[Placed], Unreadable | None]:
    """The events of messages, without repetitions; and what is wrong with the one they end at."""
    batch: list[Placed] = []
    for message in messages:
        try:
            placed = Placed(*read_event(message.data))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            unreadable = Unreadable(
                f"stopped at message {message.stream_sequence} of {message.stream}, which"
                f" can't be read: {error}"
            )
            unreadable.__cause__ = error
            return batch, unreadable
        if not batch or placed.position > batch[-1].position:  # else it is a repetition
            batch.append(placed)
    return batch, None


async def first_after(nats: Connection, place: int) -> int:
    """The sequence of the stream's first message that carries a position after this one.

    The one after its last message when there is none, as in a stream that is being filled anew.
    """
    await nats.until_up()
    state = (await nats.js.stream_info(EVENTS)).state
    first, end = max(state.first_seq, 1), state.last_seq + 1
    if not state.messages or not await _is_after(nats, state.last_seq, place):
        return end
    while first < end:
        middle = (first + end) // 2
        if await _is_after(nats, middle, place):
            end = middle
        else:
            first = middle + 1
    return first


async def _is_after(nats: Connection, sequence: int, place: int) -> bool:
    """Whether a message, or the next one where it was deleted, is still to be taken in.

    One that can't be read is, so that it stops its reader where it stands.
    """
    message = await nats.js.get_msg(EVENTS, sequence, subject=">", next=True)
    try:
        carried: int = from_json(message.data or b"")["sequence"]
    except (KeyError, TypeError, ValueError):
        return True
    return carried > place
