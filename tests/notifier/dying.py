"""The notifier in processes that die at a step: of the database's or of the mail server's.

`python -m tests.notifier.dying` reads a number from each line, runs the notifier in a process that
ends before or after so many steps, as kill -9 ends it, 0 for one that goes on, and writes that
process's id and, when it has ended, its exit code.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiosmtplib import SMTP
from psycopg import AsyncConnection

from services.notifier import courier
from services.runtime import run_service
from services.settings import load

OUTSIDE, IN_THE_WINDOW = 60, 61
"""Exit codes: whether it died while the mail server may have had a mail that was not recorded."""

_STEPS: Final = ("execute_command", "data")
"""What the mail server is asked; a mail is handed over by the last one."""


class _Death:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, step: int) -> None:
        self._left = step
        self._in_window = False

    def watch(self, kind: type, name: str) -> None:
        """Count the calls of a coroutine method: a step before each, and one after it."""
        method: Callable[..., Awaitable[Any]] = getattr(kind, name)

        async def watched(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it takes
            if kind is SMTP:
                self._in_window = name == "data"
            self._step()
            result = await method(*given, **named)
            self._step()
            return result

        setattr(kind, name, watched)

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(IN_THE_WINDOW if self._in_window else OUTSIDE)


def main() -> None:
    """Run one notifier after the other."""
    settings = load()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            if step := int(line):
                death = _Death(step)
                death.watch(AsyncConnection, "wait")
                for name in _STEPS:
                    death.watch(SMTP, name)
            setattr(courier, "WORKERS", 1)  # noqa: B010 - type checkers know that it is a constant
            run_service("notifier", settings)
            os._exit(0)
        _say(pid)
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
