"""What the web leans on: built once at the start, and nowhere else."""

import select
from asyncio import Event, Semaphore
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.catalogue import Catalogue
from domain.policy import Policy
from services.clock import Clock, SimulatedClock, SystemClock
from services.database import limited, with_settings
from services.document_store import DocumentStore
from services.inspection.inspector import Inspector
from services.resource import load_catalogue, load_policy
from services.settings import Settings
from services.web.broker import Broker, open_broker
from services.web.metric import Metrics
from services.web.rebuilding import Rebuilds

_PATIENCE = 3.0
"""Seconds that a request waits for a connection to PostgreSQL."""
_SIGN_OF_LIFE = 2.0
"""Seconds that PostgreSQL has to show that it still serves a connection."""
_LONGEST_USE = 5.0
"""Seconds that a request may use a connection for."""
_LONGEST_STATEMENT = "4500ms"
"""A server that works lets go by itself, before the line is cut: its connections stay of use."""
_WORKBOOKS = 2


class Pool(AsyncConnectionPool[AsyncConnection]):
    """Connections that nobody waits for without end, also while PostgreSQL stands still."""

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncGenerator[AsyncConnection]:
        """A connection for a few seconds; psycopg.OperationalError when they are not enough."""
        async with super().connection(timeout) as connection:
            with limited(connection, _LONGEST_USE):
                yield connection


async def _check(connection: AsyncConnection) -> None:
    """Raise OperationalError for a connection that the server has ended.

    It says so, or closes its end: while nothing is there to be read, there is nothing to ask about.
    A server that stands still says nothing either; whoever waits for it then does so for a few
    seconds, as while it is used.
    """
    line = select.poll()
    line.register(connection.fileno(), select.POLLIN)
    if line.poll(0):
        with limited(connection, _SIGN_OF_LIFE):
            await Pool.check_connection(connection)


@dataclass(frozen=True, slots=True)
class Backend:
    """Servers that may be away at any time, and what does not change while the process runs."""

    settings: Settings
    pool: Pool
    broker: Broker
    clock: Clock
    policy: Policy
    catalogue: Catalogue
    documents: DocumentStore
    inspector: Inspector
    metrics: Metrics
    move_failed: Event = field(default_factory=Event)
    """Set when a move of the simulated clock failed, and may have left it standing still."""
    rebuilds: Rebuilds = field(default_factory=Rebuilds)
    workbooks: Semaphore = field(default_factory=lambda: Semaphore(_WORKBOOKS))
    """For whoever writes one: each takes room on the disk."""

    async def now(self) -> datetime:
        """The instant that counts for this request."""
        await self.clock.refresh()
        return self.clock.now()


@asynccontextmanager
async def open_backend(settings: Settings, metrics: Metrics) -> AsyncGenerator[Backend]:
    """Everything that the settings name; PostgreSQL and NATS are looked for in the background.

    Raises SettingsError for an unknown policy profile or calendar.
    """
    policy, catalogue = load_policy(settings), load_catalogue()
    pool = Pool(
        with_settings(settings.database_url, statement_timeout=_LONGEST_STATEMENT),
        kwargs={
            "autocommit": True,
            "application_name": "cpor web",
            "connect_timeout": int(_PATIENCE),
        },
        min_size=2,
        max_size=10,
        max_waiting=200,
        check=_check,
        timeout=_PATIENCE,
        reconnect_timeout=_PATIENCE,  # then the next request asks anew, without a grown delay
        open=False,
        name="web",
    )
    documents = DocumentStore(settings.data_dir / "documents")
    async with open_broker(settings.nats_url) as broker:
        await pool.open(wait=False)
        try:
            yield Backend(
                settings=settings,
                pool=pool,
                broker=broker,
                clock=SystemClock() if settings.clock == "system" else SimulatedClock(pool),
                policy=policy,
                catalogue=catalogue,
                documents=documents,
                inspector=Inspector(documents, settings.data_dir / "previews"),
                metrics=metrics,
            )
        finally:
            await pool.close()


async def _served(request: Request) -> Backend:  # not awaiting: else a thread would run it
    backend: Backend = request.app.state.backend
    return backend


Served = Annotated[Backend, Depends(_served)]
