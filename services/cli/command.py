"""`cpor send`: a command over NATS, and its outcome."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.actor import Actor
from domain.command import COMMANDS
from services import sender
from services.cli.actor import WrongActor, parse, usual_sender
from services.cli.broker import broker
from services.cli.ending import ExitCode, end
from services.cli.option import Json
from services.clock import real_now
from services.cloudevent import COMMAND_ID_PATTERN, command_event
from services.json_document import Unreadable, load
from services.settings import load as load_settings

SOURCE = "/cpor/cli"

_NEW = "new"


def register(app: typer.Typer) -> None:
    """Add `cpor send` to the command line."""
    app.command("send")(send)


def _command(name: str) -> str:
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}."
        raise typer.BadParameter(f"there is no command {name!r}: {hint}")
    return name


def _claim_id(text: str) -> UUID:
    if text == _NEW:
        return UUID(bytes=secrets.token_bytes(16), version=4)
    try:
        return UUID(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither a UUID nor `{_NEW}`") from error


def _command_id(text: str) -> str:
    if not COMMAND_ID_PATTERN.fullmatch(text):
        raise typer.BadParameter("1 to 64 of A-Z a-z 0-9 _ - are needed")
    return text


def _data(text: str) -> dict[str, Any]:
    """The command's data; whether it is what the command needs is for the claim to judge."""
    try:
        document = load(_content(text))
    except (OSError, Unreadable) as error:
        raise typer.BadParameter(str(error).replace("body", "it", 1)) from error
    if document.errors:
        wrong = "; ".join(f"{error.pointer} {error.detail}" for error in document.errors)
        raise typer.BadParameter(wrong)
    value: object = document.value
    if not isinstance(value, dict):
        raise typer.BadParameter("it is not a JSON object")
    return cast("dict[str, Any]", value)


def _content(text: str) -> bytes:
    if text == "-":
        return typer.get_binary_stream("stdin").read()
    if text.startswith("@"):
        return Path(text[1:]).expanduser().read_bytes()
    return text.encode()


def _sender(command: str, text: str | None) -> Actor:
    try:
        return usual_sender(command) if text is None else parse(text)
    except WrongActor as error:
        raise typer.BadParameter(str(error), param_hint="--as") from error


def send(
    command: Annotated[str, typer.Argument(callback=_command, help="E.g. start_review.")],
    claim_id: Annotated[
        UUID,
        typer.Argument(
            parser=_claim_id,
            metavar="CLAIM_ID",
            help="A UUID; `new` makes one up, for create_claim.",
        ),
    ],
    *,
    data: Annotated[
        dict[str, Any],
        typer.Option(
            parser=_data,
            metavar="JSON",
            help="The command's data: JSON, @FILE, or - for standard input.",
        ),
    ] = "{}",  # type: ignore[assignment] # parsed as what comes from outside
    as_: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="ROLE:ORG:ID",
            help="Who sends it, as in incentives_admin:1234567:ayse or reviewer::deniz. Can be left"
            " out where only one role may send the command, and it is no partner.",
        ),
    ] = None,
    command_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            parser=_command_id,
            metavar="TEXT",
            help="The command's id, made up when left out. The same command under the same id takes"
            " effect once, however often it is sent.",
        ),
    ] = None,
    expected_version: Annotated[
        int | None,
        typer.Option(min=0, help="Refuse it when the claim has changed since this version."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds to wait for the outcome.")
    ] = sender.PATIENCE,
    as_json: Json = False,
) -> None:
    """Send a command over NATS and print its outcome.

    Exit code: 0 accepted, 1 refused, 2 wrong usage, 3 no outcome.
    """
    command_id = command_id or f"cli-{secrets.token_hex(8)}"
    body = command_event(
        claim_id=claim_id,
        command=command,
        command_id=command_id,
        data=data,
        actor=_sender(command, as_),
        source=SOURCE,
        time=real_now(),
        expected_version=expected_version,
    )
    outcome = asyncio.run(_sent(body, claim_id, command, command_id, timeout))
    if as_json:
        typer.echo(json.dumps({"claim_id": str(claim_id), **outcome}, ensure_ascii=False, indent=2))
    else:
        _print(outcome, claim_id)
    if outcome["result"] != "accepted":
        raise typer.Exit(ExitCode.REFUSED)


async def _sent(
    body: bytes, claim_id: UUID, command: str, command_id: str, patience: float
) -> dict[str, Any]:
    async with broker(load_settings(), "cpor send") as nats:
        try:
            return await sender.send(
                nats,
                body,
                claim_id=claim_id,
                command=command,
                command_id=command_id,
                patience=patience,
            )
        except sender.NotStored as error:
            end(f"Nothing was recorded: {error}.", ExitCode.UNREACHABLE)
        except sender.OutcomeUnknown as error:
            end(
                f"{error}: it may be recorded or not. Send the same once more with"
                f" --id {command_id} (claim {claim_id}): it has its effect once.",
                ExitCode.UNREACHABLE,
            )


def _print(outcome: dict[str, Any], claim_id: UUID) -> None:
    accepted = outcome["result"] == "accepted"
    problem = outcome.get("problem", {})
    table = Table.grid("", "", padding=(0, 2))
    table.add_row(
        Text(outcome["result"], "bold green" if accepted else "bold red"), outcome["command"]
    )
    table.add_row("claim", str(claim_id))
    if outcome["version"] is not None:
        table.add_row("version", str(outcome["version"]))
    if accepted:
        table.add_row("events", ", ".join(outcome["events"]))
        table.add_row("position", str(outcome["position"]))
    for name, value in _reasons(problem):
        table.add_row(name, Text(value))
    table.add_row("id", outcome["command_id"])
    Console(highlight=False).print(table)


def _reasons(problem: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Why a command was refused, in the order in which a person asks."""
    if not problem:
        return
    yield "problem", problem["type"].rpartition("/")[2]
    errors = problem.get("errors", [])
    if not errors:
        yield "why", problem["detail"]
    for number, error in enumerate(errors):
        yield "" if number else "why", f"{error['pointer']}: {error['detail']}"
    if "claim_status" in problem:
        yield "status", problem["claim_status"]
    if "rule" in problem:
        yield "rule", problem["rule"]
    if "changed" in problem:
        yield "since then", ", ".join(problem["changed"])
