"""The real application, on real servers."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import httpx
import psutil
import pytest
import pytest_asyncio
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from services.embedded.address import resolved
from services.embedded.datadir import DataDir
from services.embedded.nats import NatsServer
from services.embedded.postgres import Postgres
from services.runtime import MODULES, Shell
from services.schema import migrate
from services.settings import Settings
from services.streams import prepare
from services.web import create_app
from tests.claims.orders import CREATE
from tests.free_port import free_port
from tests.web.identity_provider import IdentityProvider, running_provider

ADDRESS: Final = "http://127.0.0.1:8000"

AYSE: Final = "incentives_admin;1234567;ayse"
JOHN: Final = "incentives_admin;7654321;john"
DENIZ: Final = "reviewer;;deniz"
SELIN: Final = "reviewer;;selin"
CUSTOMER: Final = "customer;;contact"
ASSESSOR: Final = "assessor;;engine"
AUDITOR: Final = "auditor;;ada"
OPERATOR: Final = "operator;;olga"

PROOF: Final = b"%PDF-1.7\nstatement of work\n%%EOF\n"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[tuple[FastAPI, httpx.AsyncClient]]:
    """The application, living, and a client of it."""
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=ADDRESS, timeout=30
        ) as client,
    ):
        yield app, client


@pytest.fixture
def nowhere(tmp_path: Path) -> Settings:
    """Settings that name servers which are not there."""
    return Settings(
        data_dir=tmp_path / "data",
        database_url="postgresql://nobody@127.0.0.1:1/cpor",
        nats_url="nats://127.0.0.1:1",
    )


@pytest_asyncio.fixture
async def alone(nowhere: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an application whose servers are all away."""
    async with opened(nowhere) as (_, client):
        yield client


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    """An identity provider that the tests of a module share."""
    with running_provider() as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gate(
    provider: IdentityProvider, migrated_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[FastAPI]:
    """An application that people sign in to at the identity provider; NATS is away."""
    folder = tmp_path_factory.mktemp("gate")
    async with await AsyncConnection.connect(migrated_server.url, autocommit=True) as connection:
        await connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE template_migrated").format(Identifier(folder.name))
        )
    settings = provider.settings(
        data_dir=folder,
        database_url=migrated_server.url_for(folder.name),
        nats_url="nats://127.0.0.1:1",
    )
    async with opened(settings) as (app, _):
        yield app


@pytest_asyncio.fixture(loop_scope="session")
async def portal(gate: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser there, in which nobody is signed in yet."""
    async with browser_at(gate) as browser:
        yield browser


def browser_at(app: FastAPI) -> httpx.AsyncClient:
    """A client that keeps its cookies for itself."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS, timeout=30)


class Services:
    """All services but the web, in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: dict[str, tuple[Shell, asyncio.Task[int]]] = {}

    def start(self, name: str) -> None:
        """Start one."""
        shell = Shell(import_module(MODULES[name]).service(self._settings), self._settings)
        self._running[name] = shell, asyncio.create_task(shell.run())

    async def stop(self, *names: str) -> None:
        """Stop some, and wait until they have ended."""
        stopped = [self._running.pop(name) for name in names]
        for shell, _ in stopped:
            shell.stop()
        await asyncio.gather(*(task for _, task in stopped))

    async def stop_all(self) -> None:
        """Stop those that run."""
        await self.stop(*self._running)


class Site:
    """The whole system in this process, and a client of its web application."""

    def __init__(
        self, settings: Settings, app: FastAPI, client: httpx.AsyncClient, services: Services
    ) -> None:
        self.settings = settings
        self.app = app
        self.client = client
        self.services = services

    def browser(self) -> httpx.AsyncClient:
        """A client that keeps its cookies for itself."""
        return browser_at(self.app)

    async def signed_in(self, persona: str) -> httpx.AsyncClient:
        """A browser in which somebody is signed in."""
        browser = self.browser()
        response = await browser.post("/sign-in", data={"persona": persona})
        assert response.status_code == HTTPStatus.SEE_OTHER, response.text
        return browser

    async def send(
        self, claim_id: str, command: str, data: object = None, *, by: str, **headers: str
    ) -> httpx.Response:
        """Send a command; headers by their names with underscores."""
        return await self.client.post(
            f"/api/claims/{claim_id}/{command}",
            json={} if data is None else data,
            headers={
                "X-Cpor-Actor": by,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )

    async def done(
        self, claim_id: str, command: str, data: object = None, *, by: str
    ) -> dict[str, Any]:
        """Send a command that is accepted; its outcome, which the board has seen."""
        response = await self.send(claim_id, command, data, by=by)
        assert response.status_code == 200, response.text
        outcome: dict[str, Any] = response.json()
        await self.read(f"/api/claims/{claim_id}", by=AUDITOR, wait_for=str(outcome["position"]))
        return outcome

    async def until_ready(self) -> None:
        """Wait until everything runs."""
        async with asyncio.timeout(30):
            while True:
                if (await self.client.get("/readyz")).status_code == HTTPStatus.OK:
                    return
                await asyncio.sleep(0.02)

    async def read(self, path: str, *, by: str, **query: str) -> httpx.Response:
        """Ask for something."""
        return await self.client.get(path, params=query, headers={"X-Cpor-Actor": by})

    async def upload(
        self, content: bytes = PROOF, filename: str = "sow.pdf", *, by: str = AYSE
    ) -> httpx.Response:
        """Upload a document."""
        return await self.client.post(
            "/api/documents", files={"file": (filename, content)}, headers={"X-Cpor-Actor": by}
        )

    async def draft(self, claim_id: str, *, by: str = AYSE, **data: object) -> None:
        """Create a claim."""
        await self.done(claim_id, "create_claim", CREATE | data, by=by)

    async def submitted(self, claim_id: str) -> None:
        """A claim with a proof, submitted."""
        await self.draft(claim_id)
        document = (await self.upload()).json()
        await self.done(claim_id, "attach_poe", {"document": document}, by=AYSE)
        await self.done(claim_id, "submit_claim", by=AYSE)

    async def approved(self, claim_id: str) -> None:
        """A claim whose consent is pending."""
        await self.submitted(claim_id)
        await self.done(claim_id, "start_review", by=DENIZ)
        await self.done(claim_id, "approve_claim", {"note": "complete"}, by=DENIZ)

    async def causes(self, claim_id: str) -> list[dict[str, Any]]:
        """Why the claim's events happened, as the store keeps it."""
        async with await AsyncConnection.connect(self.settings.database_url) as connection:
            rows = await connection.execute(
                "SELECT convert_from(state, 'utf8')::json->'cause' FROM cpor.stored_events"
                " WHERE originator_id = %s ORDER BY originator_version",
                [claim_id],
            )
            return [cause for (cause,) in await rows.fetchall()]


@asynccontextmanager
async def running(database_url: str, nats_url: str, folder: Path) -> AsyncGenerator[Site]:
    """All services in this process, on the simulated clock, and the web."""
    settings = resolved(
        Settings(data_dir=folder, database_url=database_url, nats_url=nats_url, clock="simulated")
    )
    DataDir(folder).make()
    await prepare(nats_url)
    services = Services(settings)
    for name in MODULES:
        services.start(name)
    try:
        async with opened(settings) as (app, client):
            site = Site(settings, app, client, services)
            await site.until_ready()
            yield site
    finally:
        await services.stop_all()


@asynccontextmanager
async def fresh(server: Postgres, folder: Path, name: str) -> AsyncGenerator[Site]:
    """A system with a database and a nats-server of its own."""
    async with await AsyncConnection.connect(server.url, autocommit=True) as connection:
        await connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE template_migrated").format(Identifier(name))
        )
    nats = NatsServer(DataDir(folder / "nats"), free_port(), "interval")
    await nats.start()
    try:
        async with running(server.url_for(name), nats.url, folder / "data") as site:
            yield site
    finally:
        await nats.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(
    migrated_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Site]:
    """A system that the tests of a module share, each with claims of its own.

    Its loop stands still while a test with another one runs: not for long, within a module.
    """
    folder = tmp_path_factory.mktemp("site")
    async with fresh(migrated_server, folder, folder.name) as shared:
        yield shared


@pytest_asyncio.fixture(loop_scope="session")
async def own_site(database_url: str, nats_url: str, tmp_path: Path) -> AsyncGenerator[Site]:
    """A system of the test's own, empty, whose clock nobody else reads.

    It lives in the session's loop, lest the shared system stand still for as long.
    """
    async with running(database_url, nats_url, tmp_path / "data") as site:
        yield site


@pytest.fixture
def browser(site: Site) -> httpx.AsyncClient:
    """A browser in which nobody is signed in yet."""
    return site.browser()


class Freezer:
    """A PostgreSQL of the test's own that can be stopped where it stands."""

    def __init__(self, server: Postgres) -> None:
        self.url = server.url
        self._pid = server.pid

    def freeze(self) -> None:
        """Stop every process: the first one first, so that it starts no more."""
        server = psutil.Process(self._pid)
        server.suspend()
        for each in server.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                each.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        server = psutil.Process(self._pid)
        for each in (*server.children(recursive=True), server):
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                each.resume()


@pytest_asyncio.fixture(loop_scope="session")
async def freezer(tmp_path: Path) -> AsyncGenerator[Freezer]:
    """A server with all tables, which goes on again in the end."""
    server = Postgres(DataDir(tmp_path / "cluster"))
    await server.start()
    await asyncio.to_thread(migrate, server.url)
    freezer = Freezer(server)
    yield freezer
    freezer.thaw()
    await server.stop()


@pytest.fixture
def claim_id(request: pytest.FixtureRequest) -> str:
    """A claim of the test's own."""
    return str(uuid5(NAMESPACE_URL, request.node.nodeid))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_list(
    migrated_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Site]:
    """A system with five claims and no others: two submitted, three drafts, one of them John's."""
    async with fresh(migrated_server, tmp_path_factory.mktemp("list"), "list") as site:
        names = [str(uuid5(NAMESPACE_URL, f"claim {number}")) for number in range(5)]
        for name in names[:2]:
            await site.submitted(name)
        await site.draft(names[2], by=JOHN)
        await site.draft(names[3], name="Kadıköy ve Istanbul")
        await site.draft(names[4])
        yield site
