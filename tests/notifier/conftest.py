"""What tests of the notifier have: a mail server, a database with contacts, and the settings."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from services.notifier.courier import Courier
from services.notifier.worker import Notifier
from services.settings import Settings
from tests.notifier.mail_server import MailServer, serving
from tests.notifier.rig import introduce, to_mail


@pytest_asyncio.fixture
async def office() -> AsyncGenerator[MailServer]:
    """A mail server."""
    async with serving() as server:
        yield server


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncGenerator[AsyncConnection]:
    """A connection to the test's database, in which the contacts of the examples are known."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await introduce(connection)
        yield connection


@pytest.fixture
def settings(office: MailServer, database_url: str) -> Settings:
    """Settings that name the test's servers."""
    return to_mail(office.url, database_url)


@pytest.fixture
def notifier(settings: Settings) -> Notifier:
    """A notifier that takes in what it is told to."""
    return Notifier(settings)


@pytest.fixture
def courier(settings: Settings) -> Courier:
    """A courier that is yet to begin."""
    return Courier(settings)
