"""Whether it lives, whether it is ready, and how it does."""

import asyncio
from pathlib import Path

import httpx
import pytest

from services.embedded.datadir import DataDir
from services.embedded.nats import NatsServer
from services.embedded.postgres import Postgres
from services.schema import migrate
from services.settings import Settings
from services.streams import prepare
from tests.web.conftest import AUDITOR, AYSE, Site, opened

_AUDITOR = {"X-Cpor-Actor": AUDITOR}


@pytest.mark.asyncio(loop_scope="session")
async def test_ready_names_everything_that_runs(site: Site) -> None:
    """Servers, services, streams, consumers, projections."""
    response = await site.client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["ready"] is True
    components = response.json()["components"]
    assert set(components) == {
        "postgresql",
        "nats",
        "claims",
        "relay",
        "projector",
        "timer",
        "notifier",
        "web",
        "stream CPOR_COMMANDS",
        "stream CPOR_EVENTS",
        "stream CPOR_OUTCOMES",
        "stream CPOR_DEAD_LETTERS",
        "consumer claims of stream CPOR_COMMANDS",
        "consumer projector of stream CPOR_EVENTS",
        "projection board",
        "projection open_clocks",
        "projection stages",
    }
    assert {component["state"] for component in components.values()} == {"running"}
    assert components["projection board"]["lag"] == 0
    assert components["consumer projector of stream CPOR_EVENTS"]["lag"] == 0


@pytest.mark.asyncio(loop_scope="session")
async def test_metrics_count_routes_not_claims(site: Site, claim_id: str) -> None:
    """One series a route, whatever the claims; outcomes by command and problem."""
    await site.draft(claim_id)
    await site.send(claim_id, "submit_claim", by=AYSE)

    text = (await site.client.get("/metrics")).text

    assert claim_id not in text
    assert 'route="/api/claims/{claim_id}/create_claim",status="200"' in text
    assert 'cpor_command_outcomes_total{command="create_claim",outcome="accepted"}' in text
    assert 'cpor_command_outcomes_total{command="submit_claim",outcome="not_possible"}' in text
    assert 'cpor_projection_lag_events{projection="projection board"} 0.0' in text
    assert 'cpor_stream_messages{stream="CPOR_EVENTS"}' in text
    assert 'cpor_consumer_pending_messages{consumer="claims",stream="CPOR_COMMANDS"} 0.0' in text
    assert 'cpor_consumer_pending_messages{consumer="projector",stream="CPOR_EVENTS"} 0.0' in text
    assert 'cpor_component_up{component="claims"} 1.0' in text


@pytest.mark.asyncio(loop_scope="session")
async def test_ready_tells_whether_the_projectors_consumer_is_there(own_site: Site) -> None:
    """A projector makes one for itself, and takes it along when it stops."""
    await own_site.services.stop("projector")

    stopped = await own_site.client.get("/readyz")

    assert stopped.status_code == 503
    consumer = stopped.json()["components"]["consumer projector of stream CPOR_EVENTS"]
    assert consumer == {"state": "failing", "detail": "is missing", "lag": None}
    own_site.services.start("projector")
    await own_site.until_ready()


async def test_without_services_it_is_not_ready(database_url: str, nats_url: str) -> None:
    """Servers alone are not the system; what the admin step has not made is named, too."""
    settings = Settings(database_url=database_url, nats_url=nats_url)
    async with opened(settings) as (app, client):
        await app.state.backend.broker.link.until_up()
        before = await client.get("/readyz")
        await prepare(nats_url)
        after = await client.get("/readyz")

    assert before.status_code == after.status_code == 503
    assert before.json()["components"]["stream CPOR_EVENTS"]["state"] == "failing"
    assert after.json()["components"]["stream CPOR_EVENTS"]["state"] == "running"
    assert after.json()["components"]["claims"]["state"] == "absent"
    assert after.json()["components"]["projection board"]["state"] == "starting"


async def test_a_command_without_its_stream_is_unavailable(
    database_url: str, nats_url: str
) -> None:
    """Nobody took it: nothing was recorded."""
    settings = Settings(database_url=database_url, nats_url=nats_url)
    async with opened(settings) as (app, client):
        await app.state.backend.broker.link.until_up()
        response = await _submit(client)

    assert response.status_code == 503
    assert response.json()["type"] == "/problems/unavailable"


async def test_without_the_claims_service_the_outcome_is_unknown(
    database_url: str, nats_url: str
) -> None:
    """The stream took the command, and nobody answered in time: ask again with the same id."""
    settings = Settings(database_url=database_url, nats_url=nats_url)
    await prepare(nats_url)
    async with opened(settings) as (app, client):
        await app.state.backend.broker.link.until_up()
        response = await _submit(client)

    assert response.status_code == 504
    assert response.json()["type"] == "/problems/outcome_unknown"
    assert "in-doubt" in response.json()["detail"]


async def test_it_recovers_by_itself_when_nats_comes_back(
    database_url: str, nats_server: NatsServer
) -> None:
    """Started without NATS, and again after losing it."""
    await nats_server.stop()
    settings = Settings(database_url=database_url, nats_url=nats_server.url)
    async with opened(settings) as (_, client):
        for _ in range(2):
            await _until(client, "absent")
            await nats_server.start()
            await _until(client, "running")
            await nats_server.stop()


async def test_it_recovers_by_itself_when_postgresql_comes_back(
    nowhere: Settings, tmp_path: Path
) -> None:
    """Started without PostgreSQL, and again after losing it."""
    server = Postgres(DataDir(tmp_path / "cluster"))
    await server.start()
    await asyncio.to_thread(migrate, server.url)
    await server.stop()
    settings = nowhere.model_copy(update={"database_url": server.url})
    async with opened(settings) as (_, client):
        for _ in range(2):
            assert (await client.get("/api/claims", headers=_AUDITOR)).status_code == 503
            await server.start()
            await _until(client, "running", "postgresql")
            assert (await client.get("/api/claims", headers=_AUDITOR)).status_code == 200
            await server.stop()


async def _submit(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post(
        "/api/claims/6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90/submit_claim",
        headers={"X-Cpor-Actor": AYSE, "Idempotency-Key": "in-doubt"},
    )


async def _until(client: httpx.AsyncClient, state: str, name: str = "nats") -> None:
    async with asyncio.timeout(20):
        while True:
            components = (await client.get("/readyz")).json()["components"]
            if components[name]["state"] == state:
                return
            await asyncio.sleep(0.05)
