"""`cpor webhooks`: upstream systems that are told of events over HTTP."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic_core import to_jsonable_python

from services.cli.database import on_database
from services.cli.option import Json

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from services.webhook import Webhook

Id = Annotated[int, typer.Argument(min=1, metavar="ID", help="Of the webhook, as in list.")]

_Result = TypeVar("_Result")


def register(app: typer.Typer) -> None:
    """Add `cpor webhooks` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Systems that are told of events over HTTP.")
    group.command("add")(add)
    group.command("list")(list_webhooks)
    group.command("remove")(remove)
    group.command("replay")(replay)
    group.command("resume")(resume)
    app.add_typer(group, name="webhooks")


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://…, where events are sent.")],
    org: Annotated[
        str | None,
        typer.Option(help="A partner's system: only this organisation's claims, as it sees them."),
    ] = None,
    events: Annotated[
        str, typer.Option(help="Names with commas between, such as approved,rejected.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Tell an address of what happens from now on; shows its secret, once."""
    from services import webhook

    names = [name.strip() for name in events.split(",") if name.strip()]
    added = _on_webhooks(lambda store: webhook.add(store, url, org, names))
    if as_json:
        typer.echo(json.dumps({"id": added.webhook_id, "secret": added.secret}))
        return
    typer.echo(f"Webhook {added.webhook_id} is told of what happens from now on.")
    typer.echo(f"Its secret, which is not shown again: {added.secret}")


def list_webhooks(as_json: Json = False) -> None:
    """List webhooks, and how it goes with each."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from services.webhook import webhooks

    found = _on_webhooks(webhooks)
    if as_json:
        typer.echo(json.dumps([_described(each) for each in found], indent=2))
        return
    if not found:
        typer.echo("There are no webhooks.")
        return
    table = Table("id", "address", "org", "events", "position", "behind", "state", "words")
    for each in found:
        about = (each.org or "all", ", ".join(each.events or ["all"]))
        standing = (str(each.position), str(each.behind), each.state)
        address, words = Text(each.url, overflow="fold"), Text(each.words)
        table.add_row(str(each.webhook_id), address, *about, *standing, words)
    Console(highlight=False).print(table)


def remove(webhook_id: Id, as_json: Json = False) -> None:
    """Tell an address nothing any more, and forget its secret."""
    from services import webhook

    _on_webhooks(lambda store: webhook.remove(store, webhook_id))
    typer.echo(
        json.dumps({"removed": webhook_id}) if as_json else f"Webhook {webhook_id} is removed."
    )


def replay(
    webhook_id: Id,
    position: Annotated[
        int, typer.Option("--from", min=1, help="Position of the first event to be told again.")
    ],
    as_json: Json = False,
) -> None:
    """Tell again, at once, from a position of the event log on."""
    from services import webhook

    _on_webhooks(lambda store: webhook.replay(store, webhook_id, position))
    typer.echo(
        json.dumps({"replayed": webhook_id, "from": position})
        if as_json
        else f"Webhook {webhook_id} is told again from position {position} on."
    )


def resume(webhook_id: Id, as_json: Json = False) -> None:
    """Try a parked or failing webhook at once, from where it stood."""
    from services import webhook

    _on_webhooks(lambda store: webhook.resume(store, webhook_id))
    typer.echo(
        json.dumps({"resumed": webhook_id})
        if as_json
        else f"Webhook {webhook_id} goes on from where it stood."
    )


def _on_webhooks(work: "Callable[[AsyncConnection], Awaitable[_Result]]") -> _Result:
    """Do it on the database; what is refused is a sentence and an exit code."""
    from services.cli.ending import ExitCode, end
    from services.webhook import WebhookRefused

    try:
        return on_database(work)
    except WebhookRefused as error:
        end(str(error), ExitCode.REFUSED)


def _described(webhook: "Webhook") -> dict[str, Any]:
    described: dict[str, Any] = to_jsonable_python(
        {
            "id": webhook.webhook_id,
            "url": webhook.url,
            "org": webhook.org,
            "events": webhook.events,
            "created_at": webhook.created_at,
            "position": webhook.position,
            "behind": webhook.behind,
            "state": webhook.state,
            "attempts": webhook.attempts,
            "failing_since": webhook.failing_since,
            "next_at": webhook.next_at,
            "words": webhook.words,
        }
    )
    return described
