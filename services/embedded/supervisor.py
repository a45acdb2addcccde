"""`cpor up`: the servers, the admin step, the services; and their end, in the opposite order."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, closing, suppress
from time import monotonic
from typing import Any

import psutil
import typer

from services import log
from services.embedded.address import resolved
from services.embedded.datadir import DataDir, Fence, fenced
from services.embedded.nats import NatsServer, require_free
from services.embedded.parent import parent_ends
from services.embedded.postgres import Postgres
from services.embedded.process import end, survivors
from services.embedded.unit import Say, Service, Unit, keep
from services.refused import StartRefused
from services.roster import EVERYTHING, SERVICES
from services.settings import Settings, child_environment

_GRACE = 10.0
"""Seconds for services of an earlier run to end."""
_GLANCE = 0.1
"""Seconds between two questions whether everything is ready."""
_ANSWER_TIMEOUT = 5.0

WhenReady = Callable[[], Awaitable[None]]


def up(
    settings: Settings,
    *,
    follow_parent: bool = False,
    when_ready: WhenReady | None = None,
    services: Sequence[Unit] | None = None,
) -> None:
    """Run everything until a signal says stop (or, with `follow_parent`, the parent ends).

    `when_ready` is run once everything is ready; `services` are the project's unless given.
    Raises StartRefused and SettingsError when something is wrong that whoever started it can mend;
    nothing runs any more then.
    """
    log.configure(settings.log_level)
    supervisor = Supervisor(settings, services)
    asyncio.run(_until_told(supervisor.run(when_ready), follow_parent=follow_parent))


async def _until_told(work: Coroutine[Any, Any, None], *, follow_parent: bool) -> None:
    """Run `work` until it ends or is to end; told once or several times, it ends once."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if name is signal.SIGHUP and signal.getsignal(name) is signal.SIG_IGN:
            continue  # nohup
        loop.add_signal_handler(name, told.set)
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(told.wait())]
    if follow_parent:
        waits.append(asyncio.create_task(parent_ends()))
    task = asyncio.create_task(work)
    await asyncio.wait([task, *waits], return_when=asyncio.FIRST_COMPLETED)
    for each in (task, *waits):
        each.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Supervisor:
    """Everything of one run. `services` are those of the project unless given."""

    def __init__(
        self, settings: Settings, services: Sequence[Unit] | None = None, say: Say | None = None
    ) -> None:
        self.settings = resolved(settings)
        """The settings, with the addresses of the servers."""
        self._datadir = DataDir(settings.data_dir)
        self._postgres = None if settings.database_url else Postgres(self._datadir)
        self._nats = (
            None
            if settings.nats_url
            else NatsServer(self._datadir, settings.nats_port, settings.nats_sync)
        )
        environment = child_environment(self.settings)
        names = SERVICES if settings.smtp_url else EVERYTHING
        self._services = services or [Service(name, environment) for name in names]
        self._say = say or _say
        self._started = False

    async def run(self, when_ready: WhenReady | None = None) -> None:
        """Start everything and keep it running; stop everything when cancelled, or on failure."""
        self._datadir.make()
        async with fenced(self._datadir) as fence, self._stopping(fence), _first_failure():
            began = monotonic()
            await self._start_servers()
            self._started = True
            self._say(f"Starting the services on {self.settings.public_url} …")
            await asyncio.gather(*(service.start() for service in self._services))
            async with asyncio.TaskGroup() as group:
                if self._postgres:
                    group.create_task(keep(self._postgres, self._say))
                if self._nats:
                    group.create_task(keep(self._nats, self._say, self._prepare_streams))
                for service in self._services:
                    group.create_task(keep(service, self._say))
                await self._until_ready()
                self._say(
                    f"cpor is ready after {monotonic() - began:.1f} s: "
                    f"{self.settings.public_url} (Ctrl-C stops it)"
                )
                if when_ready:
                    await when_ready()

    async def _start_servers(self) -> None:
        await end(survivors(self._is_our_service), (signal.SIGTERM, _GRACE))
        require_free(self.settings.http_host, self.settings.http_port, "CPOR_HTTP_PORT")
        self._say(f"Starting cpor in {self._datadir.root} …")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_database())
            group.create_task(self._start_broker())
            group.create_task(asyncio.to_thread(_require_policy, self.settings))

    async def _start_database(self) -> None:
        """Start PostgreSQL, unless it is external, and bring what it holds up to date."""
        if self._postgres:
            await self._postgres.start()
        import psycopg

        from services.new_projection import fill_new
        from services.schema import DatabaseTooNew, migrate

        try:
            await asyncio.to_thread(migrate, self.settings.database_url)
            for told in await fill_new(self.settings.database_url):
                self._say(told)
        except DatabaseTooNew as error:
            raise StartRefused(str(error)) from error
        except psycopg.OperationalError as error:
            raise StartRefused(f"The database can't be reached: {error}") from error

    async def _start_broker(self) -> None:
        """Start nats-server, unless it is external, and make the streams."""
        if self._nats:
            await self._nats.start()
        await self._prepare_streams()

    async def _prepare_streams(self) -> None:
        from services.connection import UnreachableError
        from services.streams import StreamsDiffer, prepare

        try:
            await prepare(self.settings.nats_url)
        except (StreamsDiffer, UnreachableError) as error:
            raise StartRefused(str(error)) from error

    async def _until_ready(self) -> None:
        while not await _answers_ready(self.settings.reachable_host, self.settings.http_port):
            await asyncio.sleep(_GLANCE)

    @asynccontextmanager
    async def _stopping(self, fence: Fence) -> AsyncGenerator[None]:
        """Stop the services, then nats-server, then PostgreSQL, however the run ends."""
        try:
            yield
        finally:
            fence.say_stopping()
            if self._started:
                self._say("Stopping cpor …")
            await asyncio.gather(*(service.stop() for service in self._services))
            if self._nats:
                await self._nats.stop()
            if self._postgres:
                await self._postgres.stop()
            if self._started:
                self._say("cpor has stopped.")

    def _is_our_service(self, process: psutil.Process) -> bool:
        return Service.is_one(process, str(self._datadir.root))


@asynccontextmanager
async def _first_failure() -> AsyncGenerator[None]:
    """Raise the first of a group of failures as it is: one sentence is enough."""
    try:
        yield
    except ExceptionGroup as group:
        raise group.exceptions[0] from group


def _require_policy(settings: Settings) -> None:
    """Raise SettingsError when the policy profile can't be used."""
    from services.resource import load_policy

    load_policy(settings)


async def _answers_ready(host: str, port: int) -> bool:
    """Whether `GET /readyz` answers 200."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            with closing(writer):
                writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                status = await reader.readline()
    except OSError:
        return False
    return status.split()[1:2] == [b"200"]


def _say(sentence: str) -> None:
    with suppress(OSError):  # nobody listens any more: no reason to stop
        typer.echo(sentence)
