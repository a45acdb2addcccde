"""Without PostgreSQL and NATS the web starts, answers what it can, and says so where it can't."""

import httpx
import pytest

PARTNER = {"X-Cpor-Actor": "incentives_admin;1234567;ayse"}
CLAIM = "/api/claims/6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90"


@pytest.mark.parametrize("path", ["/livez", "/api/catalogue", "/api/policy", "/api/version"])
async def test_what_needs_no_server_is_answered(alone: httpx.AsyncClient, path: str) -> None:
    """Neither the process's life nor its reference data depends on a server."""
    response = await alone.get(path, headers=PARTNER)

    assert response.status_code == 200


async def test_readiness_names_what_is_away(alone: httpx.AsyncClient) -> None:
    """Not ready, and each part says why."""
    response = await alone.get("/readyz")

    assert response.status_code == 503
    components = response.json()["components"]
    assert components["web"]["state"] == "running"
    assert components["postgresql"]["state"] == "absent"
    assert components["nats"]["state"] == "absent"
    assert components["claims"]["state"] == "absent"
    assert components["consumer claims of stream CPOR_COMMANDS"]["state"] == "absent"


async def test_a_command_without_nats_is_unavailable(alone: httpx.AsyncClient) -> None:
    """What certainly was not stored is 503, not 504."""
    response = await alone.post(f"{CLAIM}/submit_claim", headers=PARTNER)

    assert response.status_code == 503
    assert response.json()["type"] == "/problems/unavailable"


async def test_a_read_without_postgresql_is_unavailable(alone: httpx.AsyncClient) -> None:
    """A database that is away is 503, soon."""
    response = await alone.get(CLAIM, headers=PARTNER)

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"


async def test_metrics_are_there_without_servers(alone: httpx.AsyncClient) -> None:
    """What can't be asked is left out; the rest is counted."""
    await alone.get("/livez")

    response = await alone.get("/metrics")

    assert response.status_code == 200
    assert 'cpor_http_requests_total{method="GET",route="/livez",status="200"} 1.0' in response.text
    assert 'cpor_component_up{component="postgresql"} 0.0' in response.text
