"""`cpor demo`: a life-like run on the simulated clock, in a data directory of its own."""

from typing import Annotated

import typer
from rich.console import Console

from services.cli.ending import ExitCode, end
from services.cli.up import FollowParent


def register(app: typer.Typer) -> None:
    """Add `cpor demo` to the command line."""
    app.command("demo")(demo)


def demo(
    *,
    wait: Annotated[bool, typer.Option(help="Stay open after the story, until Ctrl-C.")] = True,
    follow_parent: FollowParent = False,
) -> None:
    """Play forty invented claims through every ending, then leave the system open to look at.

    Everything is kept in .cpor-demo, or in CPOR_DATA_DIR when set, and made anew at every start.
    """
    from services.demo.show import run
    from services.demo.stage import StoryStopped
    from services.settings import load

    try:
        run(load(), Console(), wait=wait, follow_parent=follow_parent)
    except StoryStopped as error:
        end(f"The story can't go on. {error}", ExitCode.REFUSED)
