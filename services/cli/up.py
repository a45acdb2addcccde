"""`cpor up`: everything on one machine, in the foreground."""

from typing import Annotated

import typer

FollowParent = Annotated[
    bool,
    typer.Option(
        "--follow-parent",
        hidden=True,
        help="Stop, too, when the starting process ends or has been told to end.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add `cpor up` to the command line."""
    app.command("up")(up)


def up(*, follow_parent: FollowParent = False) -> None:
    """Start PostgreSQL, nats-server, all services and the HTTP API, and stop them on Ctrl-C."""
    from services.embedded import supervisor
    from services.settings import load

    supervisor.up(load(), follow_parent=follow_parent)
