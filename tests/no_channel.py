"""A message's way back where no answer is expected."""


class NoChannel:
    """Takes no answers."""

    def frame(self, reply: str, body: bytes) -> bytes:
        """Fail: nobody was to answer."""
        raise AssertionError(reply, body)

    async def send(self, frame: bytes) -> None:
        """Fail: nobody was to answer."""
        raise AssertionError(frame)
