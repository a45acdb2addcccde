"""The command line `cpor`, whose parts are imported when a Ctrl-C is already taken care of."""

import os
import signal
from types import FrameType

_INTERRUPTED = 130
"""The exit code by which shells tell that it was a Ctrl-C."""


def main() -> None:
    """Run `cpor`; a Ctrl-C while nothing is under way yet ends it without a word."""
    handler = signal.signal(signal.SIGINT, _leave)
    from services.cli.application import run

    run(handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End at once: an exception would get lost in some library's import, or be shown."""
    os._exit(_INTERRUPTED)
