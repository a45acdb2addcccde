"""The system as it is deployed: real servers, and each service a process that can be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
from psycopg import AsyncConnection

from projections import position
from services.connection import Connection, connected
from services.embedded.datadir import DataDir
from services.embedded.nats import NatsServer, Sync
from services.embedded.postgres import Postgres
from services.embedded.process import Child
from services.health import State, ask_health
from services.schema import migrate
from services.settings import CHECKOUT, Settings, child_environment
from services.streams import COMMANDS, prepare
from tests.free_port import free_port

BACKSTAGE = ("claims", "relay", "projector", "timer")
"""The services that have no address."""

SERVERS = ("nats", "postgres")

_GLANCE = 0.05
_PATIENCE = 60.0


class System:
    """Real servers and services over one data directory."""

    def __init__(
        self,
        folder: Path,
        names: Sequence[str] = BACKSTAGE,
        clock: Literal["system", "simulated"] = "system",
        sync: Sync = "always",
    ) -> None:
        self.names = names
        self._datadir = DataDir(folder)
        self.postgres = Postgres(self._datadir)
        self.nats = NatsServer(self._datadir, free_port(), sync)
        self.settings = Settings(
            data_dir=folder,
            http_port=free_port(),
            database_url=self.postgres.url,
            nats_url=self.nats.url,
            nats_sync=sync,
            log_level="warning",
            clock=clock,
        )
        self.wired = self.settings
        """As the services have the settings: a test may lay lines between them and the servers."""
        self._children: dict[str, Child] = {}

    async def start(self) -> None:
        """Start the servers, make tables and streams, start the services."""
        await self.start_servers()
        await self.start_services()

    async def start_servers(self) -> None:
        """Start the servers, make tables and streams."""
        await asyncio.gather(self.postgres.start(), self.nats.start())
        await asyncio.to_thread(migrate, self.settings.database_url)
        await prepare(self.nats.url)

    async def start_services(self) -> None:
        """Start the services."""
        await asyncio.gather(*(self.start_service(name) for name in self.names))

    async def stop(self) -> None:
        """Stop everything, the servers last."""
        await self.stop_services()
        await self.nats.stop()
        await self.postgres.stop()

    async def stop_services(self) -> None:
        """Stop the services."""
        await asyncio.gather(*(self.stop_service(name) for name in self._children))

    def pids(self) -> dict[str, int]:
        """The process id of every server and service."""
        services = {name: child.pid for name, child in self._children.items()}
        return {"postgres": self.postgres.pid, "nats": self.nats.pid, **services}

    async def start_service(self, name: str, instance: str = "") -> None:
        """Start a service; a second one of the same name is another instance."""
        self._children[name + instance] = await Child.start(
            [sys.executable, "-m", "services.cli", "service", name],
            death_signal=signal.SIGKILL,
            environment=child_environment(self.wired),
            folder=CHECKOUT,
            log=self._datadir.logs / f"{name}{instance}.log",
        )

    async def stop_service(self, name: str) -> int:
        """End a service as its supervisor does; its exit code."""
        await self._children[name].stop((signal.SIGTERM, 15.0))
        return await self._children[name].wait()

    async def restart(self, name: str) -> None:
        """Stop a service, `postgres` or `nats` in order, and start it again at once."""
        match name:
            case "postgres":
                await self.postgres.stop()
                await self.start_server(name)
            case "nats":
                await self.nats.stop()
                await self.start_server(name)
            case _:
                code = await self.stop_service(name)
                assert code in {0, -signal.SIGTERM}, (
                    f"{name} ended with {code}"
                )  # the latter: while it starts
                await self.start_service(name)

    @contextmanager
    def frozen(self, name: str) -> Generator[None]:
        """Let a service, `postgres` or `nats` stand still (SIGSTOP) for the length of the block."""
        first = psutil.Process(self.pids()[name])
        first.suspend()
        stopped = [first]
        for each in first.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                each.suspend()
                stopped.append(each)
        try:
            yield
        finally:
            for each in reversed(stopped):
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    async def kill(self, name: str) -> None:
        """Kill -9 a service, `postgres` or `nats`, and start it again at once."""
        await self.kill_for_good(name)
        await (self.start_server(name) if name in SERVERS else self.start_service(name))

    async def start_server(self, name: str) -> None:
        """Start `postgres` or `nats` again."""
        await (self.postgres.start() if name == "postgres" else self.nats.start())

    async def kill_for_good(self, name: str) -> None:
        """Kill -9 a service, `postgres` or `nats`."""
        os.kill(self.pids()[name], signal.SIGKILL)
        match name:
            case "postgres":
                await self.postgres.wait()
            case "nats":
                await self.nats.wait()
            case _:
                await self._children[name].wait()

    async def until_running(self) -> None:
        """Wait until every service says that it runs."""
        async with asyncio.timeout(_PATIENCE), connected(self.nats.url, "rig", _PATIENCE) as nats:
            while True:
                answers = await ask_health(nats, [n for n in self.names if n != "web"])
                if all(answer["state"] == State.RUNNING for answer in answers.values()):
                    return

    async def until_settled(self) -> None:
        """Wait until all commands are decided, and all events are published and on the board."""
        async with connected(self.nats.url, "rig", _PATIENCE) as nats:
            await until_settled(nats, self.settings.database_url)


async def until_settled(nats: Connection, database_url: str) -> None:
    """Wait until all commands are decided, and all events are published and on the board."""
    async with (
        asyncio.timeout(_PATIENCE),
        await AsyncConnection.connect(database_url, autocommit=True) as store,
    ):
        while not await _settled(nats, store):  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(_GLANCE)


async def _settled(nats: Connection, store: AsyncConnection) -> bool:
    commands = (await nats.js.stream_info(COMMANDS)).state.messages
    recorded = await position.recorded(store)
    reached = await position.all_reached(store)
    return commands == 0 and recorded <= min(reached.values(), default=0)


@asynccontextmanager
async def running(
    folder: Path,
    names: Sequence[str] = BACKSTAGE,
    clock: Literal["system", "simulated"] = "system",
    sync: Sync = "always",
) -> AsyncGenerator[System]:
    """A system for the length of a test."""
    system = System(folder, names, clock, sync)
    try:
        await system.start()
        yield system
    finally:
        await system.stop()
