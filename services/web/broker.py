"""The web's connection to NATS, which may be away at any time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import structlog

from services.backoff import Backoff
from services.connection import Connection, UnreachableError
from services.web.problem import Unavailable

_log = structlog.get_logger(__name__)


class Broker:
    """NATS as far as it can be reached right now."""

    def __init__(self) -> None:
        self.link = Connection()
        """The connection, whether it is up or not."""

    @property
    def connection(self) -> Connection:
        """The connection. Raises Unavailable when it is not up: what is sent then may be lost."""
        if not self.link.is_connected:
            raise Unavailable("NATS can't be reached at the moment")
        return self.link

    async def keep(self, url: str) -> None:
        """Connect, and connect anew whenever the connection was closed for good; never ends."""
        backoff = Backoff(0.5, 5.0)
        while True:
            try:
                await self.link.open(url, "cpor web")
                backoff.reset()
                await self.link.closed.wait()
            except UnreachableError as error:
                _log.error("nats_unreachable", reason=str(error))
            finally:
                await self.link.close()
            await asyncio.sleep(backoff.next())
            self.link = Connection()


@asynccontextmanager
async def open_broker(url: str) -> AsyncGenerator[Broker]:
    """A broker that looks for NATS in the background, so that nobody waits for it at the start."""
    broker = Broker()
    keeping = asyncio.create_task(broker.keep(url), name="nats")
    try:
        yield broker
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
