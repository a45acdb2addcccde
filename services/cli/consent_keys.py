"""`cpor consent-keys`: the keys that customers' links are signed with."""

import json
from typing import Annotated

import typer

from services.cli.database import on_database
from services.cli.option import Json


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

    numbers = sorted(on_database(known_keys))
    if as_json:
        typer.echo(json.dumps({"keys": numbers, "signing": numbers[-1]}))
        return
    for number in numbers:
        typer.echo(f"{number} signs new links" if number == numbers[-1] else f"{number}")


def rotate(as_json: Json = False) -> None:
    """Make a new key; links that were signed before stay good."""
    from services import consent_key

    number = on_database(consent_key.rotate)
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
        on_database(lambda connection: forget(connection, number))
    except KeyNotRemoved as error:
        end(str(error), ExitCode.REFUSED)
    typer.echo(
        json.dumps({"removed": number})
        if as_json
        else f"Key {number} is removed, and every link that it signed is dead."
    )
