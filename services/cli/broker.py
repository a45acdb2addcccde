"""NATS as the command line reaches it: at once or not at all, without a word in between."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services import log
from services.cli.ending import ExitCode, end
from services.connection import Connection, UnreachableError, connected
from services.embedded.address import resolved
from services.settings import Settings

PATIENCE = 3.0
"""Seconds that the server has to take the connection."""


@asynccontextmanager
async def broker(settings: Settings, name: str) -> AsyncGenerator[Connection]:
    """A connection to the NATS server that the settings name; ends the program without one.

    `name` shows in monitoring.
    """
    log.configure("critical")
    url = resolved(settings).nats_url
    try:
        async with connected(url, name, PATIENCE) as connection:
            yield connection
    except UnreachableError as error:
        end(
            f"{error} ({log.blanked(url)}). Is cpor running? `make run` starts it.",
            ExitCode.UNREACHABLE,
        )
