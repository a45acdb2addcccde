"""Which commands of the stream are known to be settled: answered, or given up."""

from collections.abc import Set as AbstractSet

from services.message import Message

MOST = 100_000
"""Sequences that are kept while one below them is open; beyond, the server is asked again."""


class Settled:
    """Up to where all commands are settled, as far as this process knows without asking."""

    def __init__(self) -> None:
        self._incarnation: object = None
        self._up_to = 0
        self._beyond: set[int] = set()

    def see(self, message: Message) -> None:
        """Take note of what comes: of a stream that was made anew nothing is known."""
        if message.incarnation is not self._incarnation:
            self._incarnation = message.incarnation
            self._forget()

    def settle(self, message: Message) -> None:
        """This one is."""
        if message.incarnation is not self._incarnation:
            return
        self._beyond.add(message.stream_sequence)
        self._advance()
        if len(self._beyond) > MOST:
            self._forget()

    def starts_at(self, first: int) -> None:
        """The stream, as the server says, has no message before this sequence."""
        self._up_to = max(self._up_to, first - 1)
        self._beyond = {sequence for sequence in self._beyond if sequence > self._up_to}
        self._advance()

    def up_to(self, together: AbstractSet[int]) -> int:
        """The sequence up to which each is settled, or one of these.

        0 when nothing is known, which is so as well while the stream still has its very first.
        """
        known = self._up_to
        while known and (known + 1 in together or known + 1 in self._beyond):
            known += 1
        return known

    def _advance(self) -> None:
        while self._up_to and self._up_to + 1 in self._beyond:
            self._up_to += 1
            self._beyond.remove(self._up_to)

    def _forget(self) -> None:
        self._up_to = 0
        self._beyond.clear()
