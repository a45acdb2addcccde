"""Running a service's main loop inside a test, on the real servers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services.connection import Connection
from services.health import State
from services.runtime import Context, Service
from services.settings import Settings


class Reports:
    """What a service has told of itself."""

    def __init__(self) -> None:
        self.states: list[tuple[State, str]] = []

    def __call__(self, state: State, detail: str) -> None:
        """Take a report."""
        self.states.append((state, detail))


@asynccontextmanager
async def running(
    service: Service, settings: Settings, nats: Connection
) -> AsyncGenerator[Reports]:
    """The service's loop, for the length of the block; a failure of the loop is raised."""
    stopping, reports = asyncio.Event(), Reports()
    loop = asyncio.create_task(service.run(Context(settings, nats, stopping, reports)))
    try:
        yield reports
    finally:
        stopping.set()
        await loop
