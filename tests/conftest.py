"""Real servers for all tests: one PostgreSQL for the session, a nats-server for each test."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from itertools import count
from pathlib import Path

import hypothesis
import psycopg
import pytest
import pytest_asyncio
from psycopg.sql import SQL, Composed, Identifier

from services.embedded.datadir import DataDir
from services.embedded.nats import NatsServer
from services.embedded.postgres import Postgres
from services.schema import migrate
from services.settings import PREFIX, Settings
from tests.free_port import free_port

# A shell lets what it runs in the background ignore a Ctrl-C, and all that this starts inherits it.
for _name in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_name) is signal.SIG_IGN:
        signal.signal(_name, signal.SIG_DFL)

# Every run tries the same examples, however long each takes: a new finding is an explicit example.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same")

_TEMPLATE = "template_migrated"
_NUMBERS = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make nemesis` asks for."""
    parser.addoption("--minutes", default="10", help="how long the mixed run of faults goes on")
    parser.addoption("--seed", default="", help="of the mixed run; chosen, and said, when absent")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        for end in ("", "_FILE"):
            monkeypatch.delenv(f"{PREFIX}{field.upper()}{end}", raising=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[Postgres]:
    """The embedded PostgreSQL of the whole session, without fsync: no test cuts the power."""
    datadir = DataDir(tmp_path_factory.mktemp("cluster"))
    server = Postgres(datadir, {"fsync": "off", "full_page_writes": "off"})
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_server(postgres_server: Postgres) -> Postgres:
    """The session's PostgreSQL, with a database that has all tables to copy from."""
    await _execute(postgres_server, SQL("CREATE DATABASE {}").format(Identifier(_TEMPLATE)))
    await asyncio.to_thread(migrate, postgres_server.url_for(_TEMPLATE))
    return postgres_server


@pytest_asyncio.fixture
async def database_url(migrated_server: Postgres) -> AsyncGenerator[str]:
    """The address of a database of the test's own, with all tables, empty."""
    name = f"test_{next(_NUMBERS)}"
    database, template = Identifier(name), Identifier(_TEMPLATE)
    await _execute(
        migrated_server, SQL("CREATE DATABASE {} TEMPLATE {}").format(database, template)
    )
    yield migrated_server.url_for(name)
    await _execute(migrated_server, SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest_asyncio.fixture
async def nats_server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[NatsServer]:
    """A nats-server of the test's own, empty.

    It syncs by interval unless the test is parametrized, indirectly, with "always".
    """
    server = NatsServer(
        DataDir(tmp_path / "nats-server"), free_port(), getattr(request, "param", "interval")
    )
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """The address of the test's own nats-server."""
    return nats_server.url


async def _execute(server: Postgres, statement: Composed) -> None:
    async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
        await connection.execute(statement)
