"""What every request passes, and what every response carries."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from services.settings import Settings
from tests.web.conftest import opened

PARTNER = {"X-Cpor-Actor": "incentives_admin;1234567;ayse"}
COMMAND = "/api/claims/6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90/submit_claim"


@pytest.mark.parametrize("path", ["/livez", "/api/claims", "/nowhere", "/docs", "/static/docs.js"])
async def test_every_response_carries_the_security_headers(
    alone: httpx.AsyncClient, path: str
) -> None:
    """Answers, pages, files and errors alike."""
    headers = (await alone.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_can_change_nothing(
    alone: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """Cross-site requests are refused before anybody looks at them."""
    response = await alone.post(COMMAND, headers=PARTNER | headers)

    assert response.status_code == 403
    assert response.json()["type"] == "/problems/not_allowed"


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://127.0.0.1:8000"}, {}]
)
async def test_our_own_pages_and_programs_pass(
    alone: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """Same origin, or no browser at all: the request gets as far as the missing NATS."""
    response = await alone.post(COMMAND, headers=PARTNER | headers)

    assert response.status_code == 503


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "words"),
    [
        ("GET", "/nowhere", {}, 404, "/nowhere adresinde bir şey yok."),
        ("PUT", "/sign-in", {}, 405, "/sign-in adresinde bu yapılamaz."),
        ("POST", "/taste", {"Sec-Fetch-Site": "cross-site"}, 403, "başka bir sitenin sayfasından"),
        ("POST", "/taste", {"Content-Length": str(2**30)}, 413, "kabul edilebilenden fazla"),
        ("POST", "/sign-in", {"Content-Type": "multipart/form-data"}, 400, "okunamıyor"),
        ("GET", "/sign-in", {"Host": "rebound.example"}, 421, "rebound.example değil"),
    ],
)
async def test_people_are_told_by_a_page(
    alone: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    words: str,
) -> None:
    """In their own language, whatever is refused before a page is reached; programs as before."""
    people = {"Accept": "text/html", "Accept-Language": "tr"}

    page = await alone.request(method, path, headers=headers | people)
    wire = await alone.request(method, path, headers=headers)

    assert (page.status_code, wire.status_code) == (status, status)
    assert page.headers["content-type"].startswith("text/html")
    assert '<html lang="tr"' in page.text
    assert words in page.text
    assert wire.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["rebound.example:8000", "127.0.0.1.evil.example", ""])
async def test_on_loopback_foreign_host_names_are_refused(
    alone: httpx.AsyncClient, host: str
) -> None:
    """A name that was led to this address by a foreign DNS server opens nothing."""
    response = await alone.get("/livez", headers={"Host": host})

    assert response.status_code == 421
    assert response.json()["type"] == "/problems/wrong_host"


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000", "127.0.0.1", "cpor.example"])
async def test_own_names_and_the_public_one_pass(nowhere: Settings, host: str) -> None:
    """Loopback by all its names, and the host of the public address."""
    settings = nowhere.model_copy(update={"public_url": "https://cpor.example"})
    async with opened(settings) as (_, client):
        response = await client.get("/livez", headers={"Host": host})

    assert response.status_code == 200


async def test_a_body_that_announces_too_much_is_refused_unread(
    alone: httpx.AsyncClient,
) -> None:
    """By its Content-Length."""
    response = await alone.post(
        COMMAND, headers=PARTNER | {"Content-Type": "application/json"}, content=b" " * 262_145
    )

    assert response.status_code == 413
    assert response.json()["type"] == "/problems/too_large"


async def test_a_body_that_grows_too_large_is_refused(alone: httpx.AsyncClient) -> None:
    """By what arrives, when nothing was announced."""

    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(300):
            yield b" " * 1024

    response = await alone.post(
        COMMAND, headers=PARTNER | {"Content-Type": "application/json"}, content=endless()
    )

    assert response.status_code == 413
    assert response.json()["type"] == "/problems/too_large"


async def test_a_defect_is_answered_without_its_traceback(
    nowhere: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller learns that it was our fault; the log learns which."""
    async with opened(nowhere) as (app, client):
        app.state.backend = None
        response = await client.get("/api/version", headers=PARTNER)

    assert response.status_code == 500
    assert response.json()["type"] == "/problems/failed"
    assert "Traceback" not in response.text
    assert "NoneType" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "request_failed" in capsys.readouterr().out
