"""The mails that the development mailbox has caught: JSON for machines, pages for people."""

import re
from datetime import datetime
from email.message import EmailMessage
from html import unescape

import httpx
import pytest
import pytest_asyncio

from services.settings import Settings
from services.web.page.caught_mail import LIMIT
from tests.web.conftest import AYSE, Site, browser_at, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = {"Accept": "application/json"}
HOSTILE = '"><script>alert(1)</script>'


async def mails(client: httpx.AsyncClient, **query: str) -> list[dict[str, str]]:
    """What a machine reads."""
    response = await client.get("/dev/mail", headers=JSON, params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    items: list[dict[str, str]] = response.json()["items"]
    return items


async def catch(site: Site, message: bytes, recipient: str = "x@y.example") -> int:
    """Let the mailbox have caught a mail; its number."""
    async with site.app.state.backend.pool.connection() as connection:
        found = await connection.execute(
            "INSERT INTO cpor.mailbox (received_at, recipients, message)"
            " VALUES (now(), %s, %s) RETURNING mail_id",
            [[recipient], message],
        )
        ((number,),) = await found.fetchall()
        return int(number)


def hostile() -> EmailMessage:
    """A mail that would like to be more than text."""
    message = EmailMessage()
    message["From"], message["Subject"] = "a@b.example", f"Hello {HOSTILE}"
    message.set_content(f"Hello {HOSTILE}")
    message.add_alternative(
        f"<html><head><title>x</title></head><body>{HOSTILE}<a href='/claims'>x</a></body></html>",
        subtype="html",
    )
    return message


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(site: Site) -> dict[str, dict[str, str]]:
    """The mails of a claim that was approved, by whom they are for."""
    await site.approved("0f2c3d4e-0000-4000-8000-0000000000aa")
    async with site.browser() as browser:
        while True:
            caught = {mail["to"]: mail for mail in await mails(browser)}
            if len(caught) == 3:
                return caught


async def test_machines_read_what_was_sent(told: dict[str, dict[str, str]]) -> None:
    """As the contract has it: who, what, both texts, when."""
    assert set(told) == {
        "zeynep@contoso.example",
        "ayse@partner.example",
        "reviewers@cpor.example",
    }
    for mail in told.values():
        assert set(mail) == {"id", "to", "subject", "text", "html", "received_at"}
        assert mail["subject"]
        assert mail["text"].strip()
        assert "<html" in mail["html"]
        assert datetime.fromisoformat(mail["received_at"]).tzinfo is not None


@pytest.mark.rule("R8")
@pytest.mark.rule("R27")
async def test_the_customers_link_works(site: Site, told: dict[str, dict[str, str]]) -> None:
    """Both texts lead to the same page, which asks before it does anything."""
    mail = told["zeynep@contoso.example"]
    links = {
        link
        for text in (mail["text"], unescape(mail["html"]))
        for link in re.findall(r"http://[^\s\"<>]+/consent/[\w-]+", text)
    }
    (link,) = links

    async with site.browser() as browser:
        response = await browser.get(link)

    assert response.status_code == 200
    assert "Contoso" in response.text


async def test_the_last_ones_come_first_and_page_on(
    site: Site, told: dict[str, dict[str, str]]
) -> None:
    """`before` goes on where an answer ended."""
    async with site.browser() as browser:
        everything = await mails(browser)
        numbers = [int(mail["id"]) for mail in everything]
        assert numbers == sorted(numbers, reverse=True)
        assert len(numbers) >= len(told)
        first = await mails(browser, limit="1")
        assert first == everything[:1]
        assert await mails(browser, before=str(first[0]["id"])) == everything[1:]
        for wrong in ({"limit": "0"}, {"limit": str(LIMIT + 1)}, {"before": "x"}):
            response = await browser.get("/dev/mail", headers=JSON, params=wrong)
            assert response.status_code == 422


@pytest.mark.usefixtures("told")
async def test_people_look_at_a_mail_in_three_ways(site: Site) -> None:
    """In a frame, as plain text, and as it came."""
    async with site.browser() as browser:
        listed = await browser.get("/dev/mail")
        assert listed.headers["content-type"].startswith("text/html")
        (address, *_) = re.findall(r'href="(/dev/mail/\d+)"', listed.text)
        page = await browser.get(address)
        assert f'src="{address}/html"' in page.text
        assert "frame-src 'self'" in page.headers["content-security-policy"]
        text = await browser.get(address, params={"view": "text"})
        source = await browser.get(address, params={"view": "source"})

    assert text.status_code == 200
    assert "Message-ID: &lt;" in source.text


async def test_the_frame_runs_and_loads_nothing(site: Site) -> None:
    """Whatever the mail holds: it is shown, and no more; only our own page may frame it."""
    number = await catch(site, bytes(hostile()))
    async with site.browser() as browser:
        framed = await browser.get(f"/dev/mail/{number}/html")
        pages = [
            await browser.get(f"/dev/mail/{number}", params={"view": view})
            for view in ("html", "text", "source")
        ]
        pages.append(await browser.get("/dev/mail"))

    policy = framed.headers["content-security-policy"]
    directives = {each.strip() for each in policy.split(";")}
    assert directives == {
        "sandbox allow-popups allow-popups-to-escape-sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "frame-ancestors 'self'",
    }
    assert framed.headers["x-frame-options"] == "SAMEORIGIN"
    assert '<head><base target="_blank">' in framed.text
    for page in pages:
        assert page.status_code == 200
        assert HOSTILE not in page.text


async def test_a_mail_without_parts_is_shown(site: Site) -> None:
    """What is no proper mail is shown as far as it goes."""
    number = await catch(site, bytes(EmailMessage()))
    async with site.browser() as browser:
        (mail, *_) = await mails(browser)
        shown = await browser.get(f"/dev/mail/{number}")
        framed = await browser.get(f"/dev/mail/{number}/html")

    assert (int(mail["id"]), mail["subject"], mail["html"]) == (number, "", "")
    assert shown.status_code == framed.status_code == 200


@pytest.mark.parametrize(
    ("source", "sender", "subject", "text"),
    [
        pytest.param(
            b"From: a@b.example\nSubject: x\nContent-Type: text/plain; charset=none\n\n\xc3\xa9",
            "a@b.example",
            "x",
            "é",
            id="a charset that nobody knows",
        ),
        pytest.param(
            b"From: a@b.example\nContent-Type: text/plain; charset=idna\n\nHi \xff",
            "a@b.example",
            "",
            "Hi \ufffd",
            id="a charset for something else",
        ),
        pytest.param(
            b"From: =?utf-8?q?a=0D=0ABcc:_x?=@b.example\nSubject: x\n\nHi",
            "=?utf-8?q?a=0D=0ABcc:_x?=@b.example",
            "x",
            "Hi",
            id="a sender with a line break",
        ),
        pytest.param(
            b"from: \xff =?utf-8?q?a=0D=0A?=@b.example\nSubject: \xff\n\nHi \xff",
            "\ufffd =?utf-8?q?a=0D=0A?=@b.example",
            "\ufffd",
            "Hi \ufffd",
            id="bytes that are no characters",
        ),
    ],
)
async def test_a_mail_that_is_not_made_as_it_says_is_shown(
    site: Site, source: bytes, sender: str, subject: str, text: str
) -> None:
    """As far as it can be read; the list goes on with the others."""
    number = await catch(site, source)
    async with site.browser() as browser:
        (mail, *_) = await mails(browser)
        listed = await browser.get("/dev/mail")
        shown = [
            await browser.get(f"/dev/mail/{number}", params={"view": view})
            for view in ("html", "text", "source")
        ]
        framed = await browser.get(f"/dev/mail/{number}/html")

    assert (int(mail["id"]), mail["subject"], mail["text"].strip()) == (number, subject, text)
    assert f"/dev/mail/{number}" in listed.text
    for page in (*shown, framed):
        assert page.status_code == 200
    assert f"<dd>{sender}</dd>" in shown[0].text


@pytest.mark.parametrize("path", ["/dev/mail/999999", "/dev/mail/999999/html"])
async def test_a_mail_that_is_not_there(site: Site, path: str) -> None:
    """Never was, or not any more."""
    async with site.browser() as browser:
        assert (await browser.get(path)).status_code == 404
    assert (await site.client.get("/dev/mail/0")).status_code == 422
    assert (await site.client.get(f"/dev/mail/{2**63}")).status_code == 422


async def test_who_is_signed_in_reads_them_too(site: Site) -> None:
    """In development everybody does."""
    ayse = await site.signed_in(AYSE.rpartition(";")[2])

    assert (await ayse.get("/dev/mail")).status_code == 200


async def test_there_is_none_where_people_sign_in(portal: httpx.AsyncClient) -> None:
    """Nor a word of what was in it."""
    for path in ("/dev/mail", "/dev/mail/1", "/dev/mail/1/html"):
        for headers in (JSON, {"Accept": "text/html"}):
            assert (await portal.get(path, headers=headers)).status_code == 404


async def test_there_is_none_where_mails_go_to_a_real_server(nowhere: Settings) -> None:
    """It has caught nothing, and does not say that it is empty."""
    real = nowhere.model_copy(update={"smtp_url": "smtp://mail.example"})
    async with opened(real) as (app, _), browser_at(app) as browser:
        for path in ("/dev/mail", "/dev/mail/1", "/dev/mail/1/html"):
            assert (await browser.get(path, headers=JSON)).status_code == 404
