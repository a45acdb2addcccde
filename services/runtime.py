"""The shell of a service: a FastStream application around one supervised main loop.

The shell connects, answers health questions, runs the loop, starts it again with growing pauses
when it fails, lets it finish when the process is told to stop, and ends the process with an exit
code for the supervisor when it can do its work no more.
"""

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from importlib import import_module
from threading import Timer
from types import FrameType
from typing import Any, Final, Protocol, cast

import structlog
from faststream import ExceptionMiddleware, FastStream
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services import log
from services.backoff import Backoff
from services.clock import real_now
from services.connection import Connection, UnreachableError
from services.garbage import collect_seldom
from services.health import Health, Report, State, ask_health
from services.inbox import StreamChangedError
from services.leadership import LeadershipLostError
from services.refused import StartRefused
from services.settings import Settings, SettingsError
from services.streams import StreamsDiffer, health_subject

__all__ = ["Context", "Report", "Service", "Shell", "State", "ask_health", "run_service"]

MODULES: Final = {
    "claims": "services.claims",
    "relay": "services.relay",
    "projector": "services.projector",
    "timer": "services.timer",
    "notifier": "services.notifier",
    "mailbox": "services.mailbox",
}
"""Where the function `service(settings)` of each service stands; imported when it is started."""
PATIENT: Final = frozenset({"notifier", "mailbox"})
"""Services whose work may wait: they leave the processors to those that somebody waits for."""
WEB: Final = "services.web"
"""Where `serve(settings)` stands: it answers for its health over HTTP, in no shell."""

NICE = 10
"""How much lower the priority of those is, as nice(2) counts it."""
GRACE = 5.0
"""Seconds that the main loop has to finish what it does."""
CANCELLED_GRACE = 2.0
"""Seconds that it has to end when it is cancelled."""
LIMIT = 9.0
"""Seconds after which a process that must end is ended, whatever it does."""
SETTLED = 30.0
"""Seconds of running after which the pauses between failures start from the shortest again."""
STUCK = 70
"""Exit code of a process that could not end in order."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0

_WITHOUT_TRACE = (
    NatsError,
    ConnectionError,
    TimeoutError,
    LeadershipLostError,
    StreamChangedError,
    StreamsDiffer,
    StartRefused,
    SettingsError,
)
"""Faults that come from outside, or say in a sentence what somebody must mend."""
_DATABASE_FAULTS = frozenset({"OperationalError", "InterfaceError"})
"""What every Python library calls it when the database is out of reach (PEP 249)."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What a service gets from its shell."""

    settings: Settings
    nats: Connection
    stopping: asyncio.Event
    """Set when the process is to end: finish what is under way, and return."""
    report: Report
    """Takes how the service is, and a detail, for those who ask for its health."""


class Service(Protocol):
    """A service: a name and a main loop."""

    @property
    def name(self) -> str:
        """What it is called in subjects, logs and on the command line."""
        ...

    async def run(self, context: Context) -> None:
        """Work until `context.stopping` is set. What it raises is told, and it is run again."""
        ...


class Watchdog:
    """Ends a process that must end and doesn't, from a thread: the event loop may be stuck."""

    def __init__(self) -> None:
        self._timer: Timer | None = None

    def wake(self) -> None:
        """Begin to count down, if it didn't yet."""
        if self._timer is None:
            self._timer = Timer(LIMIT, os._exit, [STUCK])
            self._timer.daemon = True
            self._timer.start()

    def sleep(self) -> None:
        """Stop counting: the process is about to end by itself."""
        if self._timer is not None:
            self._timer.cancel()


class Broker(NatsBroker):
    """FastStream's broker on a connection of ours, which never gives up."""

    def __init__(self, url: str, name: str) -> None:
        def failed(error: Exception) -> Health:
            _log.error("handler_failed", service=name, exc_info=error)
            detail = f"the question failed: {type(error).__name__}"
            return Health(service=name, state=State.FAILING, detail=detail, since=real_now())

        super().__init__(
            url,
            middlewares=[ExceptionMiddleware(publish_handlers={Exception: failed})],
            logger=logging.getLogger("faststream"),
            log_level=logging.DEBUG,
            graceful_timeout=CANCELLED_GRACE,
        )
        self.link = Connection()
        self._link_url = url
        self._link_name = f"cpor {name}"

    async def _connect(self) -> Client:
        await self.link.open(self._link_url, self._link_name)
        self.config.connect(self.link)
        return self.link


class Shell:
    """One service in this process."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.stopping = asyncio.Event()
        self.broker = Broker(settings.nats_url, service.name)
        self.application = FastStream(self.broker, logger=logging.getLogger("faststream"))
        self._service = service
        self._context = Context(settings, self.broker.link, self.stopping, self.report)
        self.watchdog = Watchdog()
        self._health = Health(
            service=service.name, state=State.STARTING, detail="", since=real_now()
        )
        self.broker.subscriber(
            health_subject(service.name),
            title=f"{service.name} health",
            description="Answers how the service is.",
        )(self.health)

    async def health(self) -> Health:
        """How the service is."""
        return self._health

    def report(self, state: State, detail: str = "") -> None:
        """Take note of how the service is now."""
        before = self._health
        since = before.since if state is before.state else real_now()
        detail = " ".join(log.blanked(detail).split())
        self._health = Health(service=before.service, state=state, detail=detail, since=since)
        if state is not before.state:
            _log.info("state", service=before.service, state=state.value, detail=detail)

    def stop(self) -> None:
        """Begin to end; the process ends within seconds, whatever it does."""
        self.watchdog.wake()
        self.stopping.set()

    async def run(self) -> int:
        """Run the service until it is told to stop. The process's exit code: 0 when all is well."""
        link = self.broker.link
        link.listeners.add(self._on_connection)
        told = asyncio.create_task(self.stopping.wait())
        starting = asyncio.create_task(self.application.start(), name="start")
        try:
            await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait([starting])
                return 0
            await starting
            return await self._run_loop(told)
        finally:
            told.cancel()
            link.listeners.discard(self._on_connection)
            await self._disconnect()
            self.watchdog.sleep()

    async def _run_loop(self, told: asyncio.Task[Any]) -> int:
        loop = asyncio.create_task(self._supervise(), name=self._service.name)
        closed = asyncio.create_task(self.broker.link.closed.wait())
        await asyncio.wait([loop, told, closed], return_when=asyncio.FIRST_COMPLETED)
        code = 0 if self.stopping.is_set() else 1
        self.stop()
        closed.cancel()
        if self._health.state is State.STANDBY:
            loop.cancel()  # it has nothing to finish
        await asyncio.wait([loop], timeout=GRACE)
        if not loop.done():
            _log.warning("cancelled", service=self._service.name, after=GRACE)
            loop.cancel()
            await asyncio.wait([loop], timeout=CANCELLED_GRACE)
        if not loop.done():
            _log.critical("stuck", service=self._service.name)
            os._exit(STUCK)
        return code

    async def _supervise(self) -> None:
        """Run the service's loop again and again, until told to stop."""
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        clock = asyncio.get_running_loop().time
        while not self.stopping.is_set():
            began = clock()
            try:
                await self._service.run(self._context)
                if self.stopping.is_set():
                    return
                self._fail("its loop ended by itself")
            except Exception as error:  # noqa: BLE001 - told, and tried again
                self._fail(f"{type(error).__name__}: {error}", error)
            if clock() - began >= SETTLED:
                pauses.reset()
            try:
                async with asyncio.timeout(pauses.next()):
                    await self.stopping.wait()
            except TimeoutError:
                continue

    def _fail(self, detail: str, error: Exception | None = None) -> None:
        name = self._service.name
        if error is None or _comes_from_outside(error):
            _log.warning("service_interrupted", service=name, detail=detail)
        else:
            _log.error("service_failed", service=name, exc_info=error)
        self.report(State.FAILING, detail)

    def _on_connection(self) -> None:
        if self.broker.link.is_closed and not self.stopping.is_set():
            _log.critical("nats_connection_closed_for_good", service=self._service.name)
            self.watchdog.wake()

    async def _disconnect(self) -> None:
        try:
            async with asyncio.timeout(CANCELLED_GRACE):
                if self.broker.link.is_connected:
                    await self.application.stop()
                await self.broker.link.close()
        except (NatsError, TimeoutError) as error:
            _log.info("disconnected_untidily", service=self._service.name, error=repr(error))


def run_service(name: str, settings: Settings) -> None:
    """Run one service in this process, until SIGTERM or SIGINT.

    Raises SystemExit with a code other than 0 when it ends for another reason, StartRefused when
    NATS refuses the login, ValueError for an unknown name, and what the service's factory raises.
    """
    log.configure(settings.log_level)
    if name == "web":
        import_module(WEB).serve(settings)
        return
    if name not in MODULES:
        raise ValueError(f"there is no service {name}")
    if name in PATIENT:
        os.nice(NICE)
    service: Service = import_module(MODULES[name]).service(settings)
    collect_seldom()
    try:
        code = asyncio.run(_until_signal(service, settings))
    except UnreachableError as error:
        raise StartRefused(str(error)) from error
    if code:
        raise SystemExit(code)


async def _until_signal(service: Service, settings: Settings) -> int:
    shell = Shell(service, settings)
    loop = asyncio.get_running_loop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        shell.watchdog.wake()  # here, not in the loop: it may be stuck
        loop.call_soon_threadsafe(shell.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    _log.info("starting", service=service.name)
    code = await shell.run()
    _log.info("stopped", service=service.name, code=code)
    return code


def _comes_from_outside(error: BaseException) -> bool:
    """Whether a fault is the world's (a server is away) or somebody's settings, and no defect."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(_comes_from_outside(each) for each in group.exceptions)
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, _WITHOUT_TRACE) or not names.isdisjoint(_DATABASE_FAULTS)
