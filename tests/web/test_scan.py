"""Uploads that a virus scanner looks at."""

from http import HTTPStatus

import pytest
from psycopg import AsyncConnection

from tests.free_port import free_port
from tests.scanner import FINDING, VIRUS, scanning
from tests.web.conftest import AYSE, Site, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def uploaded(site: Site, scanner: str, content: bytes) -> tuple[int, str]:
    """Upload to a web that has this scanner: the answer's status, and what it says."""
    settings = site.settings.model_copy(update={"clamd": scanner})
    async with opened(settings) as (_, client):
        response = await client.post(
            "/api/documents",
            files={"file": ("notes.txt", content)},
            headers={"X-Cpor-Actor": AYSE},
        )
        return response.status_code, response.json().get("detail", "")


async def recorded(site: Site) -> int:
    """How many documents are recorded."""
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        rows = await connection.execute("SELECT count(*) FROM cpor.documents")
        row = await rows.fetchone()
        return row[0] if row else 0


async def test_a_clean_upload_is_kept(site: Site) -> None:
    """Whole."""
    async with scanning() as scanner:
        assert await uploaded(site, scanner, b"clean") == (HTTPStatus.CREATED, "")


async def test_an_infected_upload_is_refused(site: Site) -> None:
    """With the name of what was found; nothing is kept or recorded."""
    before = await recorded(site)
    async with scanning() as scanner:
        status, detail = await uploaded(site, scanner, b"some " + VIRUS)

    assert status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert detail == f"notes.txt is not taken: the virus scanner found {FINDING}"
    assert await recorded(site) == before


async def test_without_its_scanner_nothing_is_taken(site: Site) -> None:
    """The sender is to try again."""
    before = await recorded(site)

    status, detail = await uploaded(site, f"127.0.0.1:{free_port()}", b"clean, but nobody looked")

    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert detail == "the virus scanner can't be asked at the moment"
    assert await recorded(site) == before
