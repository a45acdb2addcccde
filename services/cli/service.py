"""`cpor service NAME`: one service alone."""

from typing import Annotated

import typer

from services.roster import EVERYTHING


def register(app: typer.Typer) -> None:
    """Add `cpor service` to the command line."""
    app.command("service")(service)


def service(
    name: Annotated[str, typer.Argument(help=", ".join(EVERYTHING), metavar="NAME")],
) -> None:
    """Run one service in the foreground, against the servers that the settings name."""
    from services.embedded.address import resolved
    from services.runtime import run_service
    from services.settings import load

    if name not in EVERYTHING:
        raise typer.BadParameter(f"there is no service {name}: there are {', '.join(EVERYTHING)}.")
    run_service(name, resolved(load()))
