"""How connections to PostgreSQL notice that the server is gone without a word."""

import asyncio
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Final

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

KEEPALIVES: Final = MappingProxyType(
    {
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
)
"""Parameters of libpq: silence counts as an end after about ten seconds."""

SERVER_KEEPALIVES: Final = MappingProxyType(
    {
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        "client_connection_check_interval": "5s",
    }
)
"""Settings of a session: the server notices as soon that this side is gone, and frees its locks."""


def with_settings(database_url: str, **settings: str) -> str:
    """The same address, whose sessions have these settings besides those that it names."""
    own = conninfo_to_dict(database_url).get("options") or ""
    given = (f"-c {name}={value}" for name, value in settings.items())
    return make_conninfo(database_url, options=" ".join((str(own), *given)).strip())


@contextmanager
def limited(connection: AsyncConnection, seconds: float) -> Generator[None]:
    """Let nothing in the block wait longer for the server: its waits end in OperationalError then.

    A server that stands still keeps its end of a local socket open, and no keepalive tells. So the
    line is cut on this side, which is what every wait notices at once, and the connection is of no
    more use. Cancelling is no way: psycopg would ask the server to cancel, and wait for its answer.
    """
    cut = asyncio.get_running_loop().call_later(seconds, _cut, connection)
    try:
        yield
    finally:
        cut.cancel()


def _cut(connection: AsyncConnection) -> None:
    if connection.closed:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
