"""The commands of `cpor`: one module for each group of them, imported when it is asked for."""

import signal
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, Protocol, cast

import typer

from services.refused import StartRefused
from services.settings import SettingsError

COMMANDS = {
    "up": "up",
    "demo": "demo",
    "service": "service",
    "admin": "admin",
    "health": "health",
    "send": "command",
    "show": "read",
    "list": "read",
    "history": "read",
    "tail": "tail",
    "due": "due",
    "rebuild": "rebuild",
    "doctor": "doctor",
    "dead-letters": "dead_letters",
    "mails": "mails",
    "webhooks": "webhooks",
    "consent-keys": "consent_keys",
}
"""Each command's module in this package; `register(app)` there adds it to the application."""

_STARTERS = {"up", "demo"}
"""What starts everything, and from then on takes care of a Ctrl-C itself."""

_FAILED = 1
_WRONG_SETTINGS = 2


class _Group(Protocol):
    def register(self, app: typer.Typer) -> None:
        """Add this module's commands."""
        ...


def run(on_interrupt: Callable[[int, FrameType | None], Any] | int | None) -> None:
    """Run `cpor`: a fault that the user can mend is one sentence, wrong settings exit with 2.

    `on_interrupt` is what a Ctrl-C does to a command that has something to clear away.
    """
    application = _application(sys.argv[1:])
    if not {*sys.argv[1:2]} & _STARTERS:
        signal.signal(signal.SIGINT, on_interrupt)
    try:
        application(prog_name="cpor")
    except SettingsError as error:
        typer.echo(str(error), err=True)
        sys.exit(_WRONG_SETTINGS)
    except StartRefused as error:
        typer.echo(str(error), err=True)
        sys.exit(_FAILED)


def _application(arguments: list[str]) -> typer.Typer:
    """The application with the wanted command alone, so that a start is quick, or with all."""
    app = typer.Typer(
        name="cpor",
        help="Partner association claims, from a published command to the status board.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_cpor)
    wanted = arguments[0] if arguments else None
    modules = [COMMANDS[wanted]] if wanted in COMMANDS else dict.fromkeys(COMMANDS.values())
    for module in modules:
        cast("_Group", import_module(f"services.cli.{module}")).register(app)
    return app


def _cpor() -> None:
    """Partner association claims, from a published command to the status board."""
