"""`cpor tail`: events as they happen."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

import typer
from nats.js.errors import NotFoundError, ServiceUnavailableError
from pydantic_core import from_json
from rich.console import Console
from rich.text import Text

from services import log
from services.cli.broker import broker
from services.cli.ending import ExitCode, end
from services.cli.instant import Utc, shown
from services.connection import Connection
from services.event_log import first_after
from services.inbox import From, PullInbox, StreamChangedError
from services.settings import Settings, load
from services.streams import EVENTS

Show = Callable[[bytes, dict[str, Any]], None]
"""Prints an event: as it was received, and read."""


def register(app: typer.Typer) -> None:
    """Add `cpor tail` to the command line."""
    app.command("tail")(tail)


def tail(
    *,
    claim_id: Annotated[
        UUID | None, typer.Option("--claim", help="Only the events of this claim.")
    ] = None,
    position: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="POSITION",
            min=0,
            help="Begin with the event at this position of the log; 0 is its beginning. Without"
            " it, only what happens from now on.",
        ),
    ] = None,
    utc: Utc = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as JSON, one a line.")
    ] = False,
) -> None:
    """Follow the events, one a line, until Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)

    def show(body: bytes, event: dict[str, Any]) -> None:
        if as_json:
            typer.echo(body)
        else:
            console.print(_line(event, utc=utc))

    with suppress(KeyboardInterrupt):
        asyncio.run(_follow(load(), claim_id, position, show))


async def _follow(
    settings: Settings, claim_id: UUID | None, position: int | None, show: Show
) -> None:
    async with broker(settings, "cpor tail") as nats:
        log.configure("warning")  # from now on a lost connection is worth a word
        try:
            start = await _start(nats, position)
        except (NotFoundError, ServiceUnavailableError):
            end("This NATS server has no event stream: is it cpor's?", ExitCode.UNREACHABLE)
        seen = 0
        while True:
            try:
                async with PullInbox(nats, From(EVENTS, "tail", start)) as inbox:
                    while messages := await inbox.take():
                        for message in messages:
                            event = from_json(message.data)
                            seen = event["sequence"]
                            if claim_id is None or event["subject"] == str(claim_id):
                                show(message.data, event)
            except StreamChangedError:
                start = await first_after(nats, seen)


async def _start(nats: Connection, position: int | None) -> int:
    """The stream's sequence to begin with."""
    if position is None:
        return (await nats.js.stream_info(EVENTS)).state.last_seq + 1
    return await first_after(nats, position - 1)


def _line(event: dict[str, Any], *, utc: bool) -> Text:
    actor = f"{event['actorid']} ({event['actorrole']})"
    return Text.assemble(
        (shown(event["time"], utc=utc, seconds=True), "dim"),
        f"  {event['sequence']:>6}  {event['subject']}  v{event['claimversion']:<3}",
        (f" {event['type'].removeprefix('cpor.event.'):<26}", "bold"),
        actor if event["actorid"] != event["actorrole"] else event["actorid"],
    )
