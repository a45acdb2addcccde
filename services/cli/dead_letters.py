"""`cpor dead-letters`: look at messages that were given up, and send them again."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from services.cli.option import Json
from services.connection import Connection
from services.dead_letter import DeadLetter

Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="Of the letter, as in list.")]


def register(app: typer.Typer) -> None:
    """Add `cpor dead-letters` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Messages that were given up.")
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("requeue")(requeue)
    app.add_typer(group, name="dead-letters")


def list_letters(
    after: Annotated[int, typer.Option(min=0, help="Only those with a higher number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, the oldest first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = asyncio.run(_listed(after, limit))
    if as_json:
        _print_json([_described(letter) for letter in found])
        return
    if not found:
        typer.echo("There are no dead letters.")
        return
    table = Table("number", "given up", "by", "deliveries", "subject", "reason")
    for letter in found:
        given_up = f"{letter.buried_at:%Y-%m-%d %H:%M:%S}Z"
        words = (str(letter.number), given_up, letter.service, str(letter.deliveries))
        table.add_row(*words, Text(letter.subject), Text(letter.reason))
    Console(highlight=False).print(table)
    if len(found) == limit:
        typer.echo(f"There may be more: --after {found[-1].number}")


def show(number: Number, as_json: Json = False) -> None:
    """Show a dead letter with its payload."""
    from services.dead_letter import visible

    letter = asyncio.run(_shown(number))
    if as_json:
        _print_json(_described(letter, payload=True))
        return
    for name, value in _described(letter).items():
        typer.echo(f"{name}: {value}")
    typer.echo()
    typer.echo(visible(letter.data))


def requeue(
    numbers: Annotated[
        list[int], typer.Argument(min=1, metavar="NUMBER...", help="Of letters, as in list.")
    ],
    as_json: Json = False,
) -> None:
    """Send dead letters to their subjects again; each is gone once it was taken."""
    sent: list[DeadLetter] = []
    try:
        asyncio.run(_requeued(numbers, sent, quiet=as_json))
    finally:
        if as_json:
            _print_json([_described(letter) for letter in sent])


async def _listed(after: int, limit: int) -> list[DeadLetter]:
    from services.dead_letter import letters

    found: list[DeadLetter] = []
    async with _broker() as nats:
        async for letter in letters(nats, after=after):
            found.append(letter)
            if len(found) == limit:
                break
    return found


async def _shown(number: int) -> DeadLetter:
    from services.dead_letter import read

    async with _broker() as nats:
        return await read(nats, number)


async def _requeued(numbers: list[int], sent: list[DeadLetter], *, quiet: bool) -> None:
    """Send each, and add it to those that were sent: one that can't be is the last."""
    from services.dead_letter import requeue

    async with _broker() as nats:
        for number in numbers:
            letter = await requeue(nats, number)
            sent.append(letter)
            if not quiet:
                typer.echo(f"Dead letter {number} was sent to {letter.subject} again.")


@asynccontextmanager
async def _broker() -> AsyncGenerator[Connection]:
    """NATS; what goes wrong with the letters becomes a sentence and an exit code."""
    from nats.errors import Error

    from services.cli.broker import broker
    from services.cli.ending import ExitCode, end
    from services.dead_letter import DeadLetterError
    from services.settings import load

    async with broker(load(), "cpor dead-letters") as nats:
        try:
            yield nats
        except DeadLetterError as error:
            end(str(error), ExitCode.REFUSED)
        except Error as error:
            end(f"No answer in time: {error}.", ExitCode.UNREACHABLE)


def _described(letter: DeadLetter, *, payload: bool = False) -> dict[str, Any]:
    described: dict[str, Any] = {
        "number": letter.number,
        "given_up_at": f"{letter.buried_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "service": letter.service,
        "subject": letter.subject,
        "reason": letter.reason,
        "deliveries": letter.deliveries,
        "bytes": len(letter.data),
    }
    if payload:
        described["payload_base64"] = base64.b64encode(letter.data).decode()
    return described


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
