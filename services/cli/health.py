"""`cpor health NAME`: how one service is, by an exit code, as container runtimes ask for it."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.option import Json
from services.roster import EVERYTHING

if TYPE_CHECKING:
    from services.settings import Settings

_PATIENCE = 3.0
"""Seconds that an answer may take."""
_WELL = ("running", "standby")
"""A standby does its duty: it waits."""


def register(app: typer.Typer) -> None:
    """Add `cpor health` to the command line."""
    app.command("health")(health)


def health(
    name: Annotated[str, typer.Argument(help=", ".join(EVERYTHING), metavar="NAME")],
    as_json: Json = False,
) -> None:
    """Ask one service how it is: exit code 0 when it runs or stands by, else 1."""
    from services import log
    from services.embedded.address import resolved
    from services.settings import load

    if name not in EVERYTHING:
        raise typer.BadParameter(f"there is no service {name}: there are {', '.join(EVERYTHING)}.")
    settings = resolved(load())
    log.configure("critical")
    answer = _web(settings) if name == "web" else asyncio.run(_service(settings, name))
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(f"{name}: {answer['state']}{' – ' * bool(answer['detail'])}{answer['detail']}")
    if answer["state"] not in _WELL:
        raise typer.Exit(1)


async def _service(settings: "Settings", name: str) -> dict[str, Any]:
    from services.connection import UnreachableError, connected
    from services.health import ask_health

    try:
        async with connected(settings.nats_url, "cpor health", _PATIENCE) as nats:
            answers = await ask_health(nats, [name])
    except UnreachableError as error:
        return _answer(name, "absent", str(error))
    answer: dict[str, Any] = answers[name]
    return answer


def _web(settings: "Settings") -> dict[str, Any]:
    """The web answers for itself: it lives on without NATS and PostgreSQL, and says so."""
    from http import HTTPStatus
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    from services.cli.api import base_url

    address = urlsplit(base_url(settings))
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return _answer("web", "absent", str(error))
    finally:
        connection.close()
    if status == HTTPStatus.OK:
        return _answer("web", "running", "")
    return _answer("web", "failing", f"/livez answers {status}")


def _answer(name: str, state: str, detail: str) -> dict[str, Any]:
    return {"service": name, "state": state, "detail": detail, "since": None}
