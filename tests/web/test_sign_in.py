"""Signing in, in the mode `dev`; and how somebody likes to read."""

import httpx
import pytest
from psycopg import AsyncConnection

from services.web.page.sign_in import PERSONAS
from tests.web.conftest import Site


async def test_the_first_page_asks_who_it_is(browser: httpx.AsyncClient) -> None:
    """Six people can be chosen, and a banner says what mode this is."""
    response = await browser.get("/", follow_redirects=True)

    assert response.status_code == 200
    assert response.url.path == "/sign-in"
    assert "Development mode" in response.text
    for person in PERSONAS:
        assert person.name in response.text


async def test_a_session_names_the_caller(browser: httpx.AsyncClient) -> None:
    """The API takes it in place of a header; signing out ends it."""
    assert (await browser.get("/api/claims")).status_code == 401

    response = await browser.post("/sign-in", data={"persona": "ayse", "to": "/claims?q=a"})

    assert response.status_code == 303
    assert response.headers["location"] == "/claims?q=a"
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert (await browser.get("/api/claims")).status_code == 200
    token = browser.cookies["cpor_session"]

    response = await browser.post("/sign-out")

    assert response.headers["location"] == "/sign-in"
    assert (await browser.get("/api/claims")).status_code == 401
    browser.cookies.set("cpor_session", token)
    assert (await browser.get("/api/claims")).status_code == 401


async def test_a_session_ends_by_itself(site: Site, browser: httpx.AsyncClient) -> None:
    """After its time, whatever the browser keeps."""
    await browser.post("/sign-in", data={"persona": "deniz"})
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        await connection.execute("UPDATE cpor.sessions SET expires_at = now()")

    assert (await browser.get("/api/claims")).status_code == 401


async def test_a_page_that_outlives_its_session_is_come_back_to(
    browser: httpx.AsyncClient,
) -> None:
    """What asks for a part of it leads to the sign-in, and from there to the whole again."""
    asking = {"HX-Request": "true", "HX-Current-URL": f"{browser.base_url}/claims?q=a"}

    response = await browser.get("/claims?q=ab", headers=asking)

    assert response.status_code == 204
    assert response.headers["hx-redirect"] == "/sign-in?to=%2Fclaims%3Fq%3Da"


async def test_what_was_written_outlives_the_session(browser: httpx.AsyncClient) -> None:
    """It stands on the page that leads to the sign-in; of a form without words there is none."""
    address = "/claims/0f2c3d4e-0000-4000-8000-00000000000a/do"

    said = await browser.post(f"{address}/post_comment", data={"text": "An <b>answer</b>"})
    chosen = await browser.post(f"{address}/start_review", data={"command_id": "a"})

    assert said.status_code == 401
    assert said.headers["www-authenticate"] == "X-Cpor-Actor"
    assert "An &lt;b&gt;answer&lt;/b&gt;" in said.text
    assert 'href="/sign-in"' in said.text
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in")


async def test_a_guessed_session_is_nobodys(browser: httpx.AsyncClient) -> None:
    """Whatever stands in the cookie."""
    for token in ("", "guessed", "x" * 4000):
        browser.cookies.set("cpor_session", token)
        assert (await browser.get("/api/claims")).status_code == 401


async def test_nobody_else_can_be_chosen(browser: httpx.AsyncClient) -> None:
    """The refusal is a page."""
    response = await browser.post("/sign-in", data={"persona": "root"})

    assert response.status_code == 422
    assert response.headers["content-type"].startswith("text/html")
    assert "/persona" in response.text


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:x",
        "",
    ],
)
async def test_nobody_is_led_elsewhere(browser: httpx.AsyncClient, address: str) -> None:
    """Neither after the sign-in nor after a choice of taste."""
    signed_in = await browser.post("/sign-in", data={"persona": "ada", "to": address})
    chosen = await browser.post("/taste", data={"back": address, "theme": "dark"})

    assert signed_in.headers["location"] == "/"
    assert chosen.headers["location"] == "/"


async def test_pages_are_as_somebody_likes_them(browser: httpx.AsyncClient) -> None:
    """Language and theme stay chosen; what can't be chosen changes nothing."""
    chosen = {"language": "tr", "theme": "dark", "time_zone": "Europe/Istanbul"}
    await browser.post("/taste", data=chosen)
    await browser.post("/taste", data={"language": "xx", "theme": "pink", "time_zone": "Nowhere"})

    page = (await browser.get("/sign-in")).text

    assert '<html lang="tr" data-theme="dark" data-bs-theme="dark">' in page
    assert "Kim olmak istersiniz?" in page
    assert "Europe/Istanbul" in page
    assert "<option selected>Europe/Istanbul</option>" in (await browser.get("/taste")).text


async def test_the_language_is_what_the_browser_asks_for(browser: httpx.AsyncClient) -> None:
    """As long as nobody chose one."""
    headers = {"Accept-Language": "de-DE, tr-TR;q=0.8, en;q=0.5"}

    page = (await browser.get("/sign-in", headers=headers)).text

    assert '<html lang="tr"' in page


async def test_nothing_stands_in_a_page_that_its_policy_forbids(
    browser: httpx.AsyncClient,
) -> None:
    """No script, no style and no handler but those of our own files."""
    response = await browser.get("/sign-in")

    assert "unsafe" not in response.headers["content-security-policy"]
    assert "<script>" not in response.text
    assert "style=" not in response.text
    assert " on" + "click=" not in response.text
