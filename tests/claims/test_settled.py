"""What a claims service knows of the command stream without asking the server."""

import pytest

from services.claims.settled import MOST, Settled
from services.message import Message
from tests.no_channel import NoChannel

STREAM = NoChannel()


def message(sequence: int, stream: NoChannel = STREAM) -> Message:
    """A command as an incarnation of the stream delivers it."""
    reply = b"$JS.ACK.CPOR_COMMANDS.claims.1.%d.1.1795360898345338908.0" % sequence
    return Message(stream, b"cpor.commands.x.y", reply, b"", b"")


def settled(*sequences: int) -> Settled:
    """These are, and nobody has asked the server."""
    known = Settled()
    known.see(message(1))
    for sequence in sequences:
        known.settle(message(sequence))
    return known


NOTHING: frozenset[int] = frozenset()


def test_nothing_is_known_before_the_server_was_asked() -> None:
    """What came before this process is no more known for having settled what came after."""
    known = settled(7)
    assert known.up_to({6, 8}) == 0

    known.starts_at(7)
    assert known.up_to({8}) == 8


@pytest.mark.rule("R18")
def test_an_open_command_stops_what_is_known() -> None:
    """Those behind it count once it is settled; those that are decided together count at once."""
    known = settled(2, 3, 6, 5)
    assert known.up_to(NOTHING) == 0

    known.starts_at(2)
    assert known.up_to(NOTHING) == 3
    assert known.up_to({4}) == 6
    assert known.up_to({4, 7, 9}) == 7

    known.settle(message(4))
    assert known.up_to(NOTHING) == 6


def test_what_the_server_has_no_more_is_settled() -> None:
    """By another instance, or purged; what the server tells late takes nothing back."""
    known = settled()
    known.starts_at(5)
    known.settle(message(5))
    known.starts_at(3)
    assert known.up_to(NOTHING) == 5


@pytest.mark.rule("R18")
def test_a_stream_that_was_made_anew_is_not_taken_for_the_old_one() -> None:
    """Its sequences begin again; what is still answered of the old one says nothing of it."""
    known = settled(8, 9)
    known.starts_at(8)
    assert known.up_to(NOTHING) == 9

    known.see(message(9, NoChannel()))
    known.settle(message(10))
    assert known.up_to({9, 10}) == 0


def test_the_memory_is_bounded() -> None:
    """A command that stays open for long is asked about again."""
    known = settled()
    known.starts_at(2)
    for sequence in range(3, MOST + 4):
        known.settle(message(sequence))
    assert known.up_to({2}) == 0
