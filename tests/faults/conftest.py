"""The whole system in this process, with a line to each server that can be slowed, stalled, cut."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

import pytest
import structlog
from psycopg import AsyncConnection

from services.clock import real_now
from services.connection import Connection, connected
from services.embedded.address import resolved
from services.embedded.datadir import DataDir
from services.runtime import MODULES
from services.settings import Settings
from services.streams import prepare
from tests.claims.orders import TO_APPROVAL, upload
from tests.system import checker
from tests.system.line import Line
from tests.system.rig import until_settled
from tests.system.upstream import Upstream
from tests.web.conftest import Services, Site, opened

NAMESPACE: Final = UUID("c1a10000-0000-4000-8000-0000000000fa")
MONDAY: Final = datetime.fromisoformat("2031-03-03T08:00:00Z")
CONSENT_DUE: Final = datetime.fromisoformat("2031-03-11T00:00:00Z")
"""When the consent of a claim elapses that was approved on that Monday."""
EVERYBODY: Final = (*MODULES, "web")


@dataclass(frozen=True, slots=True)
class Plant:
    """What a test breaks, and what it looks with, which has lines of its own."""

    site: Site
    database: Line
    broker: Line
    nats: Connection
    upstream: Upstream
    store: AsyncConnection
    database_url: str
    near: Services
    """The services that reach the servers directly."""

    async def approve(self, *numbers: int) -> list[UUID]:
        """Take claims to their approval, all at once."""

        async def one(claim_id: UUID) -> None:
            for command, data, actor in TO_APPROVAL:
                await self.upstream.send(claim_id, command, data, actor)

        claims = [claim(number) for number in numbers]
        await asyncio.gather(*map(one, claims))
        return claims

    async def set_clock(self, instant: datetime) -> None:
        """Let the simulated clock jump, and tick from there."""
        now = real_now()
        await self.store.execute(
            "INSERT INTO cpor.simulated_clock (since, offset_by) VALUES (%s, %s)",
            [now, instant - now],
        )
        await self.store.execute("NOTIFY cpor_clock")

    async def settle(self) -> None:
        """Wait until everything is decided, published and on the board."""
        await until_settled(self.nats, self.database_url)

    async def check(self, now: datetime | None = None) -> list[checker.Entry]:
        """Every invariant, once everything has settled; the log."""
        await self.settle()
        await checker.check(self.database_url, self.nats, self.upstream, now)
        return await asyncio.to_thread(checker.log_of, self.database_url)

    async def until_logged(
        self, topic: str, count: int, *, of: Collection[UUID] = ()
    ) -> list[checker.Entry]:
        """Wait until so many events of a topic are in the log, of these claims or any; the log."""
        async with asyncio.timeout(90):
            while True:
                log = await asyncio.to_thread(checker.log_of, self.database_url)
                found = [entry.claim_id for entry in log if entry.topic == topic]
                if sum(not of or claim_id in of for claim_id in found) >= count:
                    return log
                await asyncio.sleep(0.05)


def claim(number: int) -> UUID:
    """A claim of the test's."""
    return uuid5(NAMESPACE, str(number))


@asynccontextmanager
async def built(
    database_url: str,
    nats_url: str,
    folder: Path,
    *,
    far: Collection[str] = (),
    without: Collection[str] = (),
) -> AsyncGenerator[Plant]:
    """A system on a Monday of 2031; the services that are `far` reach the servers by the lines."""
    await prepare(nats_url)
    await asyncio.to_thread(upload, database_url)
    DataDir(folder).make()
    direct = resolved(
        Settings(data_dir=folder, database_url=database_url, nats_url=nats_url, clock="simulated")
    )
    async with (
        Line(database_url) as database,
        Line(nats_url) as broker,
        connected(nats_url, "test", 30.0) as nats,
        await AsyncConnection.connect(database_url, autocommit=True) as store,
    ):
        wired = direct.model_copy(update={"database_url": database.url, "nats_url": broker.url})
        near, away = Services(direct), Services(wired)
        upstream = Upstream(nats)
        await upstream.listen()
        try:
            async with opened(wired if "web" in far else direct) as (app, client):
                site = Site(direct, app, client, away)
                plant = Plant(site, database, broker, nats, upstream, store, database_url, near)
                await plant.set_clock(MONDAY)
                for name in MODULES:
                    if name not in without:
                        (away if name in far else near).start(name)
                if not without:
                    await site.until_ready()
                yield plant
        finally:
            await asyncio.gather(near.stop_all(), away.stop_all())


@pytest.fixture(autouse=True)
def _plain_logs() -> Generator[None]:
    """Lines as a service writes them: structlog's own for developers take half a second each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()


Build = Callable[..., AbstractAsyncContextManager[Plant]]


@pytest.fixture
def build(database_url: str, nats_url: str, tmp_path: Path) -> Build:
    """Builds a plant on the test's own database and nats-server."""
    return partial(built, database_url, nats_url, tmp_path / "data")
