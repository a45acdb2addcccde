"""Signing in at an identity provider: code flow with PKCE, against a real one."""

from base64 import urlsafe_b64encode
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

from services.clock import real_now
from services.settings import Settings
from services.web import oidc
from services.web.problem import Unavailable
from tests.free_port import free_port
from tests.web.conftest import opened
from tests.web.identity_provider import (
    CLIENT,
    OLD_FASHIONED,
    IdentityProvider,
    parameters,
    running_provider,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings(OLD_FASHIONED),
]

HOUR: Final = 3600


async def led_there(browser: httpx.AsyncClient, to: str = "/claims") -> str:
    """Where the browser is led to sign in."""
    response = await browser.get("/sign-in/start", params={"to": to})
    assert response.status_code == 303, response.text
    return response.headers["location"]


async def sign_in(
    browser: httpx.AsyncClient, provider: IdentityProvider, sub: str
) -> httpx.Response:
    """Sign in as somebody; the answer to who comes back."""
    return await browser.get(await provider.consent(await led_there(browser), sub))


async def test_the_page_says_where_people_sign_in(portal: httpx.AsyncClient) -> None:
    """One way on, by a link, and no persona to be; it keeps the page that was asked for."""
    page = await portal.get("/sign-in", params={"to": "/claims?q=a"})

    assert page.status_code == 200
    assert "Identity provider: localhost" in page.text
    assert 'href="/sign-in/start?to=%2Fclaims%3Fq%3Da"' in page.text
    assert "Development mode" not in page.text
    assert (await portal.post("/sign-in", data={"persona": "ayse"})).status_code == 405


async def test_who_signs_in_there_is_signed_in_here(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """By name, role and organisation of their account, on the page that they asked for."""
    response = await sign_in(portal, provider, "ayse")

    assert response.status_code == 303
    assert response.headers["location"] == "/claims"
    cookies = response.headers.get_list("set-cookie")
    assert any(each.startswith("cpor_session=") and "HttpOnly" in each for each in cookies)
    assert "cpor_sign_in" not in portal.cookies
    assert (await portal.get("/api/claims")).status_code == 200
    page = (await portal.get("/sign-in")).text
    assert "Ayşe Demir" in page
    assert "1230010" in page


async def test_the_code_is_bound_to_who_asked_for_it(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """PKCE with S256: the verifier is shown to nobody before the code is redeemed."""
    provider.asked.clear()
    address = await led_there(portal)
    await portal.get(await provider.consent(address, "deniz"))

    asked = parameters(address)
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/sign-in/callback"
    assert {"state", "nonce"} <= asked.keys()
    (redeemed,) = [form for path, form in provider.asked if path == "/oauth2/token"]
    digest = sha256(redeemed["code_verifier"].encode()).digest()
    assert urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]


async def test_an_answer_is_good_once(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """A callback that is played again signs nobody in, with all cookies of the first time."""
    back = await provider.consent(await led_there(portal), "deniz")
    browser = portal.cookies["cpor_sign_in"]
    await portal.get(back)
    await portal.post("/sign-out")
    portal.cookies.set("cpor_sign_in", browser, path="/sign-in")

    again = await portal.get(back)

    assert again.status_code == 400
    assert "not valid any more" in again.text
    assert "cpor_session" not in portal.cookies


@pytest.mark.parametrize("state", [{}, {"state": ""}, {"state": "guessed"}])
async def test_a_state_that_we_did_not_give_is_refused(
    portal: httpx.AsyncClient, state: dict[str, str]
) -> None:
    """Nor is the provider's error believed that came with it."""
    await led_there(portal)

    for answer in ({"code": "x"}, {"error": "access_denied"}):
        response = await portal.get("/sign-in/callback", params=answer | state)

        assert response.status_code == 400
        assert "not valid any more" in response.text


async def test_nobody_is_signed_in_by_anothers_link(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """An answer is good in the browser that began alone: login CSRF ends here."""
    back = await provider.consent(await led_there(portal), "ayse")
    portal.cookies.clear()

    assert (await portal.get(back)).status_code == 400
    await led_there(portal)
    assert (await portal.get(back)).status_code == 400
    assert "cpor_session" not in portal.cookies


async def test_an_attempt_ends_by_itself(
    gate: FastAPI, portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """After ten minutes."""
    back = await provider.consent(await led_there(portal), "ayse")
    async with gate.state.backend.pool.connection() as connection:
        await connection.execute("UPDATE cpor.sign_in_attempts SET expires_at = now()")

    assert (await portal.get(back)).status_code == 400


async def test_a_session_from_before_does_not_live_on(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """Whoever planted it knows nothing of the new one: session fixation ends here."""
    await sign_in(portal, provider, "deniz")
    planted = portal.cookies["cpor_session"]
    await sign_in(portal, provider, "ayse")

    assert portal.cookies["cpor_session"] != planted
    portal.cookies.clear()
    portal.cookies.set("cpor_session", planted)
    assert (await portal.get("/api/claims")).status_code == 401


async def test_who_cancels_is_told_so(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """By a page, with a way to begin again."""
    address = await led_there(portal)
    back = await provider.consent(address, "ayse", action="deny")

    response = await portal.get(f"{back}&state={parameters(address)['state']}")

    assert response.status_code == 403
    assert "You were not signed in" in response.text
    assert 'href="/sign-in"' in response.text


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"error": "server_error"}, "server_error"),
        ({"error": "<b>Call 555-1234</b>"}, "no code"),
        ({"code": "invented"}, "the token endpoint answers 400"),
    ],
)
async def test_the_providers_errors_are_told(
    portal: httpx.AsyncClient, answer: dict[str, str], shown: str
) -> None:
    """As far as they are error codes: a page of ours says nothing that a link made up."""
    state = parameters(await led_there(portal))["state"]

    response = await portal.get("/sign-in/callback", params=answer | {"state": state})

    assert response.status_code == 502
    assert f"<code>{shown}</code>" in response.text
    assert "555" not in response.text.partition("<main")[2]


async def test_an_answer_in_another_issuers_name_is_refused(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """RFC 9207."""
    back = await provider.consent(await led_there(portal), "ayse")

    response = await portal.get(f"{back}&iss=https://evil.example")

    assert response.status_code == 502
    assert "cpor_session" not in portal.cookies


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": int(real_now().timestamp()) - HOUR},
        {"iat": int(real_now().timestamp()) + HOUR},
        {"nbf": int(real_now().timestamp()) + HOUR},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    portal: httpx.AsyncClient,
    provider: IdentityProvider,
    claims: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nonce, audience, authorised party, issuer and times are those that must be."""
    provider.store("odd", cpor_role="reviewer", **claims)

    response = await sign_in(portal, provider, "odd")

    assert response.status_code == 502
    assert "trusted" in response.text
    assert "cpor_session" not in portal.cookies
    log = capsys.readouterr().out
    assert "sign_in_refused" in log
    assert "eyJ" not in log


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({}, "no role here"),
        ({"cpor_role": []}, "no role here"),
        ({"cpor_role": "boss"}, "none that this system knows"),
        ({"cpor_role": "timer"}, "none that this system knows"),
        ({"cpor_role": "customer"}, "none that this system knows"),
        ({"cpor_role": ["reviewer", "auditor"]}, "several roles"),
        ({"cpor_role": "billing_admin"}, "names no organisation"),
        ({"cpor_role": "billing_admin", "cpor_org": "12 34"}, "names no organisation"),
        ({"cpor_role": "billing_admin", "cpor_org": ["1", "2"]}, "names no organisation"),
    ],
    ids=str,
)
async def test_who_is_nobody_here_is_told_what_is_missing(
    portal: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, object], told: str
) -> None:
    """An account of the provider's is not yet a role of ours."""
    provider.store("newcomer", **claims)

    response = await sign_in(portal, provider, "newcomer")

    assert response.status_code == 403
    assert "You have no access yet" in response.text
    assert told in response.text
    assert "cpor_session" not in portal.cookies


async def test_an_id_that_can_not_be_kept_is_told(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """Ids stand in events and in headers."""
    provider.store("auth0|17", cpor_role="reviewer")

    response = await sign_in(portal, provider, "auth0|17")

    assert response.status_code == 403
    assert "id can't be used here" in response.text


async def test_whoever_signs_out_signs_out_there_too(
    portal: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """The session ends here; then a page leads to where the provider ends its own."""
    await sign_in(portal, provider, "ayse")
    token = portal.cookies["cpor_session"]

    page = await portal.post("/sign-out", follow_redirects=True)

    assert page.status_code == 200
    assert f'content="0; url={provider.issuer}/oauth2/end_session?' in page.text
    assert "post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Fsign-in" in page.text
    assert "Ayşe" not in page.text
    portal.cookies.set("cpor_session", token)
    assert (await portal.get("/api/claims")).status_code == 401


async def test_cookies_are_for_https_when_people_come_by_it(
    gate: FastAPI, provider: IdentityProvider, nowhere: Settings
) -> None:
    """By what the public address says."""
    settings = provider.settings(
        data_dir=nowhere.data_dir,
        database_url=gate.state.backend.settings.database_url,
        nats_url=nowhere.nats_url,
        public_url="https://cpor.example",
    )
    async with opened(settings) as (_, client):
        response = await client.get("/sign-in/start")

        assert "; Secure" in response.headers["set-cookie"]
        back = parameters(response.headers["location"])["redirect_uri"]
        assert back == "https://cpor.example/sign-in/callback"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "/\x00", "x"])
async def test_nobody_is_led_elsewhere(
    portal: httpx.AsyncClient, provider: IdentityProvider, address: str
) -> None:
    """After the sign-in, too, the page that was asked for is one of ours."""
    back = await provider.consent(await led_there(portal, address), "deniz")

    assert (await portal.get(back)).headers["location"] == "/"


async def test_a_provider_that_is_away_is_said_and_comes_back_by_itself(
    gate: FastAPI, nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web starts without it, and says so; people who sign out are not kept."""
    monkeypatch.setattr(oidc, "_PAUSE", 0)
    port = free_port()
    settings = Settings(
        auth="oidc",
        oidc_issuer=f"http://localhost:{port}",
        oidc_client_id=CLIENT,
        oidc_client_secret="hidden",
        data_dir=nowhere.data_dir,
        database_url=gate.state.backend.settings.database_url,
        nats_url=nowhere.nats_url,
    )
    async with opened(settings) as (_, client):
        page = await client.get("/sign-in")
        assert page.status_code == 503
        assert "Nobody can sign in at the moment" in page.text
        assert (await client.get("/sign-in/start")).status_code == 503
        signed_out = await client.post("/sign-out", follow_redirects=True)
        assert signed_out.url.path == "/sign-in"
        with running_provider(port) as provider:
            assert (await client.get("/sign-in")).status_code == 200
            assert (await sign_in(client, provider, "ayse")).status_code == 303


async def test_a_provider_with_another_name_is_none(
    gate: FastAPI, provider: IdentityProvider, nowhere: Settings
) -> None:
    """Who answers at the issuer's address must call itself by it."""
    settings = provider.settings(
        data_dir=nowhere.data_dir,
        database_url=gate.state.backend.settings.database_url,
        nats_url=nowhere.nats_url,
    ).model_copy(update={"oidc_issuer": f"{provider.issuer}/"})
    async with opened(settings) as (_, client):
        assert (await client.get("/sign-in")).status_code == 503


@pytest.mark.parametrize(
    ("scheme", "outcome"), [("https", nullcontext()), ("http", pytest.raises(Unavailable))]
)
async def test_a_provider_is_asked_by_tls_throughout(
    provider: IdentityProvider, scheme: str, outcome: AbstractContextManager[object]
) -> None:
    """The client's secret and the keys don't travel in the open, whatever the provider names."""
    issuer = "https://login.example"
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    def configuration() -> dict[str, str]:
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{scheme}://login.example/token",
            "jwks_uri": f"{issuer}/keys",
        }

    @app.get("/keys")
    def keys() -> dict[str, list[dict[str, str | list[str]]]]:
        return {"keys": [provider.key.as_dict(private=False)]}

    settings = provider.settings().model_copy(update={"oidc_issuer": issuer})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        with outcome:
            await oidc.Provider(settings, http).require()
