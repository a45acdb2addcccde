"""`cpor consent-keys`: the keys that customers' links are signed with."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from psycopg import AsyncConnection

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_Result = TypeVar("_Result")


def register(app: typer.Typer) -> None:
    """Add `cpor consent-keys` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Keys that customers' links are signed with.")
    group.command("list")(list_keys)
    group.command("rotate")(rotate)
    group.command("remove")(remove)
    app.add_typer(group, name="consent-keys")


def list_keys(as_json: Json = False) -> None:
    """List the keys that links are checked with; the newest one signs."""
    from services.consent_key import known_keys

    numbers = sorted(_run(known_keys))
    if as_json:
        typer.echo(json.dumps({"keys": numbers, "signing": numbers[-1]}))
        return
    for number in numbers:
        typer.echo(f"{number} signs new links" if number == numbers[-1] else f"{number}")


def rotate(as_json: Json = False) -> None:
    """Make a new key; links that were signed before stay good."""
    from services import consent_key

    number = _run(consent_key.rotate)
    typer.echo(
        json.dumps({"signing": number}) if as_json else f"Key {number} signs new links from now on."
    )


def remove(
    number: Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="Of the key, as in list.")],
    as_json: Json = False,
) -> None:
    """Remove a key: the links that it signed are dead at once."""
    from services.cli.ending import ExitCode, end
    from services.consent_key import KeyNotRemoved
    from services.consent_key import remove as forget

    try:
        _run(lambda connection: forget(connection, number))
    except KeyNotRemoved as error:
        end(str(error), ExitCode.REFUSED)
    typer.echo(
        json.dumps({"removed": number})
        if as_json
        else f"Key {number} is removed, and every link that it signed is dead."
    )


def _run(work: "Callable[[AsyncConnection], Awaitable[_Result]]") -> _Result:
    """Do it on the database; one that is not there is a sentence and an exit code."""
    import psycopg

    from services.cli.ending import ExitCode, end
    from services.embedded.address import resolved
    from services.settings import load

    database_url = resolved(load()).database_url

    async def work_on_database() -> _Result:
        async with await psycopg.AsyncConnection.connect(
            database_url, autocommit=True
        ) as connection:
            return await work(connection)

    try:
        return asyncio.run(work_on_database())
    except psycopg.errors.UndefinedTable as error:
        end(f"The database has no tables yet ({error.diag.message_primary}).", ExitCode.REFUSED)
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        end(f"The database can't be reached: {reason}", ExitCode.UNREACHABLE)
