"""Commands that work on the database itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_Result = TypeVar("_Result")


def on_database(work: "Callable[[AsyncConnection], Awaitable[_Result]]") -> _Result:
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
