"""One active instance of a service: whoever holds its advisory lock in PostgreSQL.

The lock lives and dies with a connection of its own. That a leader has lost it may show a few
seconds late: what leaders do must be right with two of them, which their own writes see to.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from psycopg import AsyncConnection, Error
from psycopg.conninfo import make_conninfo

from services.database import KEEPALIVES, SERVER_KEEPALIVES, with_settings
from services.health import Report, State

_CONNECT_TIMEOUT = 10
_PATIENT: Final = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
}
"""Settings of a session that waits for the lock, however long."""
FAREWELL = 2.0
"""Seconds that the work has to end by itself when the leadership is lost."""

_log = structlog.get_logger(__name__)


_LED: Final = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = %s
)
"""
"""How PostgreSQL shows a lock by one key: its upper half, and its lower half."""


class LeadershipLostError(Exception):
    """The connection that held the lock broke: another instance may be active by now."""


class Term:
    """The time as the active instance."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        """Set when the lock was lost. The work then has two seconds before it is cancelled."""


@asynccontextmanager
async def leadership(
    database_url: str, name: str, report: Report | None = None
) -> AsyncGenerator[Term]:
    """Wait until this is the active instance of `name`, and be it for the length of the block.

    Tells `report` that it stands by, and when it leads that it is starting: that it runs is for
    the work to say. When the lock is lost the block is cancelled, after a moment to end by itself,
    and LeadershipLostError raised instead. Raises `psycopg.OperationalError` when the database is
    out of reach.
    """
    connection = await AsyncConnection.connect(
        make_conninfo(
            with_settings(database_url, **SERVER_KEEPALIVES, **_PATIENT),
            application_name=f"cpor {name} leadership",
            connect_timeout=_CONNECT_TIMEOUT,
            **KEEPALIVES,
        ),
        autocommit=True,
    )
    term = Term()
    try:
        await _lead(connection, name, report or _nobody)
        async with asyncio.timeout(None) as limit:
            watch = asyncio.create_task(_watch(connection, name, term, limit), name="leadership")
            try:
                yield term
            finally:
                watch.cancel()
                await asyncio.wait([watch])
    except TimeoutError:
        if not term.lost.is_set():
            raise
    finally:
        await connection.close()
    if term.lost.is_set():
        raise LeadershipLostError(f"the lock of {name} was lost with its connection")


async def is_led(connection: AsyncConnection, name: str) -> bool:
    """Whether an instance of `name` is active by now."""
    rows = await connection.execute(_LED, [lock_key(name)])
    return await rows.fetchone() == (True,)


def lock_key(name: str) -> int:
    """The key of a service's lock: the same on every machine and in every version."""
    digest = hashlib.sha256(f"cpor.leadership.{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def _lead(connection: AsyncConnection, name: str, tell: Report) -> None:
    key = lock_key(name)
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [key])).fetchone()
    if row != (True,):
        _log.info("standing_by", service=name)
        tell(State.STANDBY, "another instance is active")
        await connection.execute("SELECT pg_advisory_lock(%s)", [key])
    _log.info("leading", service=name)
    tell(State.STARTING, "")


async def _watch(
    connection: AsyncConnection, name: str, term: Term, limit: asyncio.Timeout
) -> None:
    """Until the connection breaks: then say so, and end the work if it doesn't end by itself."""
    try:
        async for _ in connection.notifies():
            pass  # nothing is listened to: the end of this wait is the news
    except Error as error:
        _log.warning("leadership_lost", service=name, error=str(error).strip())
    term.lost.set()
    limit.reschedule(asyncio.get_running_loop().time() + FAREWELL)


def _nobody(_state: State, _detail: str) -> None:
    """Nobody wants to know."""
