"""`cpor mails`: what the notifier has yet to send, and what came back."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_core import to_jsonable_python

from services.cli.database import on_database
from services.cli.option import Json

if TYPE_CHECKING:
    from services.notifier.oversight import Notice


class State(StrEnum):
    """What becomes of a mail."""

    WAITING = "waiting"
    PARKED = "parked"
    SENT = "sent"
    DROPPED = "dropped"


def register(app: typer.Typer) -> None:
    """Add `cpor mails` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Mails that wait, were parked, or came back.")
    group.command("list")(list_mails)
    group.command("resend")(resend)
    group.command("bounced")(bounced)
    app.add_typer(group, name="mails")


def list_mails(
    state: Annotated[State, typer.Option(help="What has become of them.")] = State.PARKED,
    before: Annotated[int | None, typer.Option(min=1, help="Only those before this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List mails, the last one first: those that the mail server refused for good, or others."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from services.notifier.oversight import notices

    found = on_database(lambda store: notices(store, state, before=before, limit=limit))
    if as_json:
        typer.echo(json.dumps([_described(each) for each in found], indent=2))
        return
    if not found:
        typer.echo(f"No mail is {state}.")
        return
    table = Table("mail", "claim", "to", "about", "tries", "since", "words")
    for each in found:
        since = f"{each.created_at:%Y-%m-%d %H:%M}Z"
        about = (str(each.claim_id), each.recipient, each.kind, str(each.attempts), since)
        table.add_row(str(each.notice_id), *about, Text(each.words))
    Console(highlight=False).print(table)
    if len(found) == limit:
        typer.echo(f"There may be more: --before {found[-1].notice_id}")


def resend(
    mail: Annotated[
        int | None, typer.Argument(min=1, metavar="[MAIL]", help="Its number, as in list.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are parked.")] = False,
    as_json: Json = False,
) -> None:
    """Let a parked mail be sent again, or all of them."""
    from services.cli.ending import ExitCode, end
    from services.notifier.oversight import send_again

    if (mail is None) != everything:
        raise typer.BadParameter("name one mail, or give --all.")
    again = on_database(lambda store: send_again(store, mail))
    if mail is not None and not again:
        end(f"Mail {mail} is not parked.", ExitCode.REFUSED)
    typer.echo(json.dumps({"waiting": again}) if as_json else f"{again} to be sent again.")


def bounced(
    message_id: Annotated[
        str, typer.Argument(metavar="MESSAGE-ID", help="Of the mail that came back.")
    ],
    words: Annotated[str, typer.Option(help="Why, as the other server says.")] = "no reason given",
    as_json: Json = False,
) -> None:
    """Note that a mail was sent and came back: it is parked, and its claim's page says so.

    For whatever reads the mails that come back to CPOR_MAIL_FROM.
    """
    from services.cli.ending import ExitCode, end
    from services.notifier.oversight import bounced as note

    notice_id = on_database(lambda store: note(store, message_id, words))
    if notice_id is None:
        end(f"{message_id} is no mail that was sent.", ExitCode.REFUSED)
    typer.echo(
        json.dumps({"parked": notice_id}) if as_json else f"Mail {notice_id} is parked: {words}"
    )


def _described(notice: "Notice") -> dict[str, object]:
    described: dict[str, object] = to_jsonable_python(notice._asdict())
    return described
