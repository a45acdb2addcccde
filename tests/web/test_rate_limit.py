"""How often somebody may ask."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

from services.settings import Settings
from services.web import rate_limit
from services.web.rate_limit import Allowance, Kind, Limit
from tests.web.conftest import ADDRESS, opened

AYSE: Final = {"X-Cpor-Actor": "incentives_admin;1234567;ayse"}
JOHN: Final = {"X-Cpor-Actor": "incentives_admin;7654321;john"}
COMMAND: Final = "/api/claims/6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90/submit_claim"


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_some_at_once_and_then_so_many_a_second() -> None:
    """What is not used is saved up, never beyond what may be asked at once."""
    watch = Watch()
    allowance = Allowance(Limit(per_second=2, at_once=3), watch)

    assert [allowance.take(b"a") for _ in range(4)] == [0, 0, 0, 0.5]
    watch.now += 0.5
    assert [allowance.take(b"a") for _ in range(2)] == [0, 0.5]
    watch.now += 60
    assert [allowance.take(b"a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_asking_on_does_not_make_it_later() -> None:
    """A refusal costs nothing."""
    allowance = Allowance(Limit(per_second=1, at_once=1), Watch())

    assert [allowance.take(b"a") for _ in range(5)] == [0, 1, 1, 1, 1]


def test_everybody_has_an_allowance_of_their_own() -> None:
    """One who asks too often is in nobody's way."""
    allowance = Allowance(Limit(per_second=1, at_once=1), Watch())

    assert [allowance.take(who) for who in (b"a", b"b", b"a", b"b")] == [0, 0, 1, 1]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was not seen for longest is forgotten, and begins anew."""
    monkeypatch.setattr(rate_limit, "_MOST_KNOWN", 2)
    allowance = Allowance(Limit(per_second=1, at_once=1), Watch())

    assert [allowance.take(who) for who in (b"a", b"b", b"a", b"c")] == [0, 0, 1, 0]
    assert [allowance.take(who) for who in (b"a", b"b")] == [1, 0]


@asynccontextmanager
async def narrow(nowhere: Settings, scale: float) -> AsyncGenerator[FastAPI]:
    """An application with so many times the limits; the least is one."""
    async with opened(nowhere.model_copy(update={"rate_limit": scale})) as (app, _):
        yield app


def browser_from(app: FastAPI, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """A client at an address of its own."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 5000)), base_url=ADDRESS
    )


async def test_who_asks_too_often_is_told_when_to_come_again(nowhere: Settings) -> None:
    """A program by a problem; somebody else is served."""
    async with narrow(nowhere, 1 / 2000) as app, browser_from(app) as client:
        assert (await client.post(COMMAND, headers=AYSE)).status_code == 503
        response = await client.post(COMMAND, headers=AYSE)

        assert response.status_code == 429
        assert response.json()["type"] == "/problems/rate_limited"
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"] == "10"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert (await client.post(COMMAND, headers=JOHN)).status_code == 503
        assert (await client.get("/api/version", headers=AYSE)).status_code == 200


async def test_people_are_told_by_a_page(nowhere: Settings) -> None:
    """In their own language, as all pages are."""
    headers = {"Accept": "text/html", "Accept-Language": "tr"}
    async with narrow(nowhere, 1 / 300) as app, browser_from(app) as client:
        await client.get("/sign-in/nowhere", headers=headers)
        response = await client.get("/sign-in", headers=headers)

    assert response.status_code == 429
    assert response.headers["content-type"].startswith("text/html")
    assert int(response.headers["retry-after"]) in range(1, 31)
    assert '<html lang="tr"' in response.text


async def test_signing_in_is_counted_by_address(nowhere: Settings) -> None:
    """Whatever credential is shown with it; an IPv6 address is its network."""
    async with narrow(nowhere, 1 / 300) as app:
        for name, other in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1")):
            async with browser_from(app, name) as one, browser_from(app, other) as another:
                for client, headers, status in (
                    (one, AYSE, 422),
                    (one, JOHN, 429),
                    (another, JOHN, 422),
                ):
                    response = await client.post("/sign-in", headers=headers)

                    assert response.status_code == status
        async with browser_from(app, "2001:db8::ffff") as neighbour:
            assert (await neighbour.post("/sign-in")).status_code == 429


async def test_inventing_credentials_gains_little(nowhere: Settings) -> None:
    """An address has an allowance of its own."""
    async with narrow(nowhere, 3 / 10_000) as app, browser_from(app) as client:
        answers = [
            await client.get("/api/version", headers={"X-Cpor-Actor": f"auditor;;a{number}"})
            for number in range(5)
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]


async def test_uploads_are_counted_apart(nowhere: Settings) -> None:
    """They cost more than other changes."""
    async with narrow(nowhere, 1 / 200) as app, browser_from(app) as client:
        for status in (503, 429):
            response = await client.post(
                "/api/documents", files={"file": ("a.pdf", b"%PDF-1.7")}, headers=AYSE
            )
            assert response.status_code == status
        assert (await client.post(COMMAND, headers=AYSE)).status_code == 503


async def test_what_watches_over_the_system_is_never_refused(nowhere: Settings) -> None:
    """Probes and files."""
    async with narrow(nowhere, 1 / 10_000) as app, browser_from(app) as client:
        for _ in range(5):
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/static/cpor.css")).status_code == 200


async def test_limits_can_be_switched_off(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For measurements, and behind something that counts itself."""
    monkeypatch.setattr(rate_limit, "LIMITS", dict.fromkeys(Kind, Limit(1, 1)))
    async with narrow(nowhere, 0) as app, browser_from(app) as client:
        answers = await asyncio.gather(
            *(client.get("/api/version", headers=AYSE) for _ in range(9))
        )

    assert {answer.status_code for answer in answers} == {200}
