"""PostgreSQL stands still: every process of it is there, every socket is open, nobody answers."""

import asyncio

import httpx
import psycopg
import pytest

from services.settings import Settings
from tests.web.conftest import AUDITOR, AYSE, PROOF, Freezer, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLAIM = "/api/claims/6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90"
READS = (
    "/api/claims",
    "/api/claims?q=contoso",
    "/api/summary",
    CLAIM,
    f"{CLAIM}?wait_for=0",
    f"{CLAIM}?version=1",
    f"{CLAIM}/history",
    f"{CLAIM}/comments",
    f"{CLAIM}/documents/sha256:{'0' * 64}",
)
_END_ALL = """
SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE application_name = 'cpor web'
"""
_FEW_SECONDS = 20.0
"""A limit that no wait without end keeps, and every slow machine does."""


@pytest.mark.parametrize("clock", ["system", "simulated"])
async def test_reads_are_unavailable_while_postgresql_stands_still(
    nowhere: Settings, freezer: Freezer, clock: str
) -> None:
    """Soon, all of them at once and again; and all is well when it goes on, without a restart."""
    settings = nowhere.model_copy(update={"database_url": freezer.url, "clock": clock})
    async with opened(settings) as (_, client):
        before = await statuses(client)
        freezer.freeze()
        async with asyncio.timeout(2 * _FEW_SECONDS):
            frozen = [await statuses(client), await statuses(client)]
            ready = await client.get("/readyz")
            metrics = await client.get("/metrics")
            upload = await client.post(
                "/api/documents", files={"file": ("a.pdf", PROOF)}, headers={"X-Cpor-Actor": AYSE}
            )
        freezer.thaw()
        async with asyncio.timeout(_FEW_SECONDS):
            while await statuses(client) != before:
                pass

    assert before == {path: 404 if CLAIM in path else 200 for path in READS}
    assert frozen == 2 * [dict.fromkeys(READS, 503)]
    assert ready.json()["components"]["postgresql"]["state"] == "absent"
    assert 'cpor_component_up{component="postgresql"} 0.0' in metrics.text
    assert (upload.status_code, upload.json()["type"]) == (503, "/problems/unavailable")


async def test_a_read_that_is_under_way_ends_when_postgresql_stands_still(
    nowhere: Settings, freezer: Freezer
) -> None:
    """A connection that was well when it was given out does not keep its reader for ever."""
    settings = nowhere.model_copy(update={"database_url": freezer.url})
    async with opened(settings) as (app, client):
        assert (await client.get("/api/claims", headers={"X-Cpor-Actor": AUDITOR})).is_success
        async with app.state.backend.pool.connection() as connection:
            freezer.freeze()
            with pytest.raises(psycopg.OperationalError):
                await asyncio.wait_for(connection.execute("SELECT 1"), _FEW_SECONDS)


async def test_a_connection_that_postgresql_has_ended_is_not_given_out(
    nowhere: Settings, freezer: Freezer
) -> None:
    """Nobody's request fails for it."""
    settings = nowhere.model_copy(update={"database_url": freezer.url})
    async with opened(settings) as (_, client):
        before = await statuses(client)
        async with await psycopg.AsyncConnection.connect(freezer.url, autocommit=True) as store:
            ended = await store.execute(_END_ALL, [20_000])
            assert await ended.fetchall()
        after = await statuses(client)

    assert before == after == {path: 404 if CLAIM in path else 200 for path in READS}


async def statuses(client: httpx.AsyncClient) -> dict[str, int]:
    """What every read answers, all asked at once."""
    answers = await asyncio.gather(
        *(client.get(path, headers={"X-Cpor-Actor": AUDITOR}) for path in READS)
    )
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["type"] == "/problems/unavailable"
    return {path: answer.status_code for path, answer in zip(READS, answers, strict=True)}
