"""Bearer tokens: who calls the API, by a token of the identity provider."""

import asyncio
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from json import dumps, loads
from typing import Final

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from joserfc.jwk import ECKey, RSAKey

from services.clock import real_now
from services.settings import Settings
from services.web import oidc
from tests.web.conftest import browser_at, opened
from tests.web.identity_provider import (
    CLIENT,
    OLD_FASHIONED,
    PEOPLE,
    IdentityProvider,
    running_provider,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings(OLD_FASHIONED),
]

NOW: Final = int(real_now().timestamp())
HOUR: Final = 3600
STRANGER: Final = RSAKey.generate_key(2048)


def part(document: object) -> str:
    """One part of a token."""
    return urlsafe_b64encode(dumps(document).encode()).decode().rstrip("=")


async def call(client: httpx.AsyncClient, token: str) -> httpx.Response:
    """Read the list with a token."""
    return await client.get("/api/claims", headers={"Authorization": f"Bearer {token}"})


async def refused(client: httpx.AsyncClient, token: str) -> str:
    """Make sure that a token is refused; what is said about it."""
    response = await call(client, token)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert response.json()["type"] == "/problems/unauthenticated"
    assert token not in response.text
    return str(response.json()["detail"])


@pytest.mark.parametrize("sub", PEOPLE)
async def test_a_token_names_the_caller(
    portal: httpx.AsyncClient, provider: IdentityProvider, sub: str
) -> None:
    """By the same mapping as a session; the scheme's name may be written in any way."""
    token = provider.token({"sub": sub, **PEOPLE[sub]})

    assert (await call(portal, token)).status_code == 200
    headers = {"Authorization": f"bearer {token}"}
    assert (await portal.get("/api/claims", headers=headers)).status_code == 200


async def test_a_machine_may_be_an_assessor(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """It has no page to sign in at."""
    token = provider.token({"sub": "engine", "cpor_role": "assessor"})

    assert (await call(portal, token)).status_code == 200


async def test_nobody_is_told_what_to_send(portal: httpx.AsyncClient) -> None:
    """Without a token there is no error in it."""
    response = await portal.get("/api/claims")

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in response.json()["detail"]


async def test_nobody_names_itself(portal: httpx.AsyncClient) -> None:
    """The header of development says nothing here."""
    response = await portal.get("/api/claims", headers={"X-Cpor-Actor": "auditor;;ada"})

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"exp": NOW - HOUR}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "never"}, "exp"),
        ({"nbf": NOW + HOUR}, "not yet valid"),
        ({"iat": NOW + HOUR}, "future"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["another"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
    ],
    ids=str,
)
@pytest.mark.fault(68)
async def test_a_token_for_others_or_for_another_time_is_refused(
    portal: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, object], told: str
) -> None:
    """Issuer, audience, expiry and the times of its making are checked, and must be there."""
    assert told in await refused(portal, provider.token(claims))


async def test_clocks_may_differ_a_little(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """By half a minute."""
    token = provider.token({"nbf": int(real_now().timestamp()) + 20})

    assert (await call(portal, token)).status_code == 200


@pytest.mark.fault(68)
async def test_a_token_that_was_signed_by_others_is_refused(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """Under their own key's name, under that of the provider's key, and with no signature."""
    forged = RSAKey.import_key(STRANGER.as_pem(private=True), {"kid": provider.kid})
    good = provider.token()

    await refused(portal, provider.token(key=STRANGER))
    await refused(portal, provider.token(key=forged))
    await refused(portal, good.rpartition(".")[0] + ".")


@pytest.mark.fault(68)
async def test_a_token_that_was_changed_is_refused(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """A reviewer's token does not become an auditor's."""
    header, body, signature = provider.token().split(".")
    claims = loads(urlsafe_b64decode(body + "=="))
    changed = part(claims | {"cpor_role": "auditor"})

    await refused(portal, f"{header}.{changed}.{signature}")


@pytest.mark.fault(68)
async def test_other_algorithms_are_refused(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """None at all, and secrets: the public key is no secret to sign with."""
    claims = provider.token().split(".")[1]
    signed = f"{part({'alg': 'HS256', 'kid': provider.kid})}.{claims}"
    code = hmac.digest(provider.key.as_pem(private=False), signed.encode(), "sha256")
    elliptic = ECKey.generate_key("P-256", {"kid": provider.kid})

    await refused(portal, f"{part({'alg': 'none', 'kid': provider.kid})}.{claims}.")
    await refused(portal, f"{signed}.{urlsafe_b64encode(code).decode().rstrip('=')}")
    await refused(portal, provider.token(key=elliptic, alg="ES256"))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b.c",
        "....",
        f"{part([])}.{part({})}.AA",
        f"{part({'alg': 7})}.{part({})}.AA",
        f"{part({'alg': 'RS256', 'kid': {}})}.{part({})}.AA",
        f"{part({'alg': 'RS256', 'crit': ['x'], 'x': 1})}.{part({})}.AA",
        urlsafe_b64encode(b"[" * 9000).decode() + ".e30.AA",
        "ğ.ü.ş".encode().decode("latin-1"),
    ],
)
async def test_what_is_no_token_is_refused(portal: httpx.AsyncClient, token: str) -> None:
    """Whatever it is, it is nobody's."""
    headers = {b"Authorization": f"Bearer {token}".encode("latin-1")}

    response = await portal.get("/api/claims", headers=headers)

    assert response.status_code == 401, response.text


async def test_a_token_comes_alone(portal: httpx.AsyncClient, provider: IdentityProvider) -> None:
    """By another scheme, or twice, it is none; a session doesn't heal it."""
    token = provider.token()
    for headers in (
        [("Authorization", f"Basic {token}")],
        [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")],
    ):
        assert (await portal.get("/api/claims", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"cpor_role": None},
        {"cpor_role": "timer"},
        {"cpor_role": "customer"},
        {"cpor_role": "global_admin"},
        {"cpor_role": ["reviewer", "auditor"]},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_that_gives_no_role_here_is_forbidden(
    portal: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, object]
) -> None:
    """It is good, and asking for a new one won't help."""
    response = await call(portal, provider.token(claims))

    assert response.status_code == 403
    assert response.json()["type"] == "/problems/not_allowed"


@pytest_asyncio.fixture(loop_scope="session")
async def mapped(
    gate: FastAPI, provider: IdentityProvider, nowhere: Settings
) -> AsyncGenerator[httpx.AsyncClient]:
    """A system that finds role, organisation and id elsewhere, and has an audience of its own."""
    settings = provider.settings(
        data_dir=nowhere.data_dir,
        database_url=gate.state.backend.settings.database_url,
        nats_url=nowhere.nats_url,
        oidc_audience="cpor-api",
        oidc_role_claim="resource_access.cpor.roles",
        oidc_org_claim="https://cpor.example/org",
        oidc_id_claim="preferred_username",
    )
    async with opened(settings) as (app, _), browser_at(app) as client:
        yield client


async def test_claims_are_found_where_the_settings_say(
    mapped: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """By their names, and by paths into objects; among roles of others there is one of ours."""
    claims: dict[str, object] = {
        "aud": ["account", "cpor-api"],
        "sub": "a|b",
        "preferred_username": "ayse@partner.example",
        "resource_access": {"cpor": {"roles": ["offline_access", "incentives_admin"]}},
        "https://cpor.example/org": "1230010",
    }

    assert (await call(mapped, provider.token(claims))).status_code == 200
    await refused(mapped, provider.token(claims | {"aud": CLIENT}))


async def test_keys_may_change(
    gate: FastAPI, nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is not known is asked for, not more often than once in a while."""
    with running_provider() as provider:
        settings = provider.settings(
            data_dir=nowhere.data_dir,
            database_url=gate.state.backend.settings.database_url,
            nats_url=nowhere.nats_url,
        )
        async with opened(settings) as (_, client):
            old = provider.token()
            assert (await call(client, old)).status_code == 200
            provider.rotate()
            for _ in range(3):
                await refused(client, provider.token())
            assert [path for path, _ in provider.asked].count("/jwks") == 1
            monkeypatch.setattr(oidc, "_ROTATION", 0)
            assert (await call(client, provider.token())).status_code == 200
            await refused(client, old)


async def test_without_keys_nobody_can_tell(
    gate: FastAPI, nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no reason to throw a token away: 503, not 401. What is known counts for a while."""
    with running_provider() as provider:
        settings = provider.settings(
            data_dir=nowhere.data_dir,
            database_url=gate.state.backend.settings.database_url,
            nats_url=nowhere.nats_url,
        )
        token = provider.token()
    async with opened(settings) as (_, client):
        response = await call(client, token)

        assert response.status_code == 503
        assert response.json()["type"] == "/problems/unavailable"
        monkeypatch.setattr(oidc, "_PAUSE", 0)
        with running_provider(int(settings.oidc_issuer.rpartition(":")[2])) as provider:
            assert (await call(client, provider.token())).status_code == 200
            token = provider.token()
        monkeypatch.setattr(oidc, "_FRESH", 0)
        monkeypatch.setattr(oidc, "_ROTATION", 0)
        assert (await call(client, token)).status_code == 200
        monkeypatch.setattr(oidc, "_USABLE", 0)
        assert (await call(client, token)).status_code == 503


async def test_a_provider_that_hangs_is_waited_for_once(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by each caller after the other."""
    monkeypatch.setattr(oidc, "_PATIENCE", 0.3)
    callers: list[asyncio.StreamWriter] = []

    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer)

    async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = Settings(
            auth="oidc",
            oidc_issuer=f"http://127.0.0.1:{port}",
            oidc_client_id=CLIENT,
            oidc_client_secret="hidden",
            data_dir=nowhere.data_dir,
            database_url=nowhere.database_url,
            nats_url=nowhere.nats_url,
        )
        token = f"{part({'alg': 'RS256'})}.{part({})}.AA"
        async with opened(settings) as (_, client):
            answers = await asyncio.gather(*(call(client, token) for _ in range(20)))
        for each in callers:
            each.close()

    assert {answer.status_code for answer in answers} == {503}
    assert len(callers) == 1
