"""The claims service with a defect: a comment that says so ends the process.

`python -m tests.faults.deadly` is `cpor service claims` otherwise.
"""

import os
import signal
from collections.abc import Sequence

from domain.command import PostComment
from services.claims import worker
from services.claims.application import Answer, Arrival, Claims
from services.cloudevent import CommandMessage
from services.runtime import run_service
from services.settings import load

DEADLY = "As a segmentation fault would."


class _Deadly(Claims):
    """Claims that end the process over a certain comment, in the middle of its batch."""

    def handle(self, arrivals: Sequence[Arrival]) -> list[Answer]:
        for arrival in arrivals:
            match arrival.message:
                case CommandMessage(command=PostComment(text=text)) if text == DEADLY:
                    os.kill(os.getpid(), signal.SIGKILL)
                case _:
                    pass
        return super().handle(arrivals)


def main() -> None:
    """Run until told to stop, or until the defect shows."""
    setattr(worker, "Claims", _Deadly)  # noqa: B010 - type checkers know that it is a constant
    run_service("claims", load())


if __name__ == "__main__":
    main()
