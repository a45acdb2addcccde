"""`cpor rebuild`: a projection made anew from the store, beside the live one."""

import asyncio
import json
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.option import Json

if TYPE_CHECKING:
    from services.rebuild import Progress


def register(app: typer.Typer) -> None:
    """Add `cpor rebuild` to the command line."""
    app.command("rebuild")(rebuild)


def rebuild(
    projection: Annotated[str, typer.Argument(help="board, open_clocks or stages.")],
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Processes that fold the log [default: one a core]."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Rebuild a read model beside the live one, then put it in its place.

    Everybody works on meanwhile. Needs a PostgreSQL role that owns the tables.
    """
    import psycopg

    from services.cli.ending import ExitCode, end
    from services.embedded.address import resolved
    from services.rebuild import RebuildFailedError, RebuildRefused
    from services.settings import load

    database_url = resolved(load()).database_url
    began = perf_counter()
    try:
        done = _rebuilt(database_url, projection, processes, quiet=as_json)
    except (RebuildRefused, RebuildFailedError) as error:
        end(str(error), ExitCode.REFUSED)
    except psycopg.errors.UndefinedTable as error:
        end(f"The database has no tables yet ({error.diag.message_primary}).", ExitCode.REFUSED)
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        end(f"The database can't be reached: {reason}", ExitCode.UNREACHABLE)
    seconds = perf_counter() - began
    if as_json:
        typer.echo(
            json.dumps({"projection": projection, **asdict(done), "seconds": round(seconds, 3)})
        )
    else:
        typer.echo(
            f"{projection} is rebuilt from {done.events:,} events in {seconds:.1f} s and stands at "
            f"position {done.position}."
        )


def _rebuilt(database_url: str, name: str, processes: int | None, *, quiet: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from services.rebuild import PROCESSES
    from services.rebuild import rebuild as run

    console = Console(stderr=True)
    columns = (
        *(TextColumn("{task.description}"), BarColumn()),
        *(MofNCompleteColumn(), TimeElapsedColumn()),
    )
    unseen = quiet or not console.is_terminal
    with Bar(*columns, console=console, disable=unseen, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def tell(progress: "Progress") -> None:
            bar.update(
                task,
                description=progress.phase.value,
                completed=progress.events,
                total=progress.total,
            )

        return asyncio.run(run(database_url, name, tell, processes=processes or PROCESSES))
