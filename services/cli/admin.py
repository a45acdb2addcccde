"""`cpor admin`: the one step that makes tables, streams and consumers on external servers."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer

from services.cli.option import Json


def register(app: typer.Typer) -> None:
    """Add `cpor admin` to the command line."""
    app.command("admin")(admin)


def admin(
    replicas: Annotated[
        int,
        typer.Option(min=1, max=5, help="Copies of each stream in a cluster; never made fewer."),
    ] = 1,
    as_json: Json = False,
) -> None:
    """Bring tables, streams and consumers up to date, once; what is in order stays as it is.

    Needs a PostgreSQL role that may create a schema, and a NATS user that may make streams.
    Services need neither.
    """
    from services import log
    from services.embedded.address import resolved
    from services.schema import revisions
    from services.settings import load

    settings = resolved(load())
    log.configure("critical")
    _migrate(settings.database_url)
    changes = asyncio.run(_prepare(settings.nats_url, replicas))
    changes += asyncio.run(_fill(settings.database_url))
    result = {"revision": revisions()[-1], "changes": changes}
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo(f"The database is at revision {result['revision']}.")
    for change in changes or ["Streams and consumers are as they must be."]:
        typer.echo(change)


def _migrate(database_url: str) -> None:
    import psycopg

    from services.cli.ending import ExitCode, end
    from services.schema import DatabaseTooNew, migrate

    try:
        migrate(database_url)
    except DatabaseTooNew as error:
        end(str(error), ExitCode.REFUSED)
    except psycopg.errors.InsufficientPrivilege as error:
        end(f"PostgreSQL does not let this role change the tables: {error}", ExitCode.REFUSED)
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        end(f"The database can't be reached: {reason}", ExitCode.UNREACHABLE)


async def _fill(database_url: str) -> Sequence[str]:
    from services.new_projection import fill_new

    return await fill_new(database_url)


async def _prepare(nats_url: str, replicas: int) -> list[str]:
    from nats.errors import Error

    from services.cli.ending import ExitCode, end
    from services.connection import UnreachableError
    from services.streams import StreamsDiffer, prepare

    try:
        return await prepare(nats_url, replicas=replicas)
    except StreamsDiffer as error:
        end(str(error), ExitCode.REFUSED)
    except UnreachableError as error:
        end(str(error), ExitCode.UNREACHABLE)
    except Error as error:
        end(
            f"NATS did not make the streams ({error}): may this user do it, and is JetStream on?",
            ExitCode.REFUSED,
        )
