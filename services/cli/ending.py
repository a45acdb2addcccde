"""How a command of the command line ends when it has no result to show."""

from enum import IntEnum
from typing import NoReturn

import typer


class ExitCode(IntEnum):
    """What a calling program can tell the endings apart by; 0 is success."""

    REFUSED = 1
    """The answer is no, or something is not as it should be."""
    USAGE = 2
    UNREACHABLE = 3
    """The system, or a part that is needed, doesn't answer."""


def end(sentence: str, code: ExitCode) -> NoReturn:
    """End with one sentence on standard error."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
