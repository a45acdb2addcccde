"""How somebody likes to hear from us: chosen by the link of a mail, true of the next one on."""

import asyncio
import re
from typing import Final

import httpx
import pytest
import pytest_asyncio

from services.notifier import preference
from services.notifier.mail_key import mail_key
from tests.web.conftest import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R26")]

CLAIM: Final = "0f2c3d4e-0000-4000-8000-0000000000ab"
LATER: Final = "0f2c3d4e-0000-4000-8000-0000000000ac"
CUSTOMER: Final = "zeynep@contoso.example"
REVIEWERS: Final = "reviewers@cpor.example"
_LINK: Final = re.compile(r"/mails/[A-Za-z0-9_-]+")


async def last_mail(site: Site, address: str, number: int) -> dict[str, str]:
    """Somebody's last mail, once they have got so many."""
    async with site.browser() as browser:
        while True:
            answer = await browser.get("/dev/mail", headers={"Accept": "application/json"})
            mails = [each for each in answer.json()["items"] if each["to"] == address]
            if len(mails) >= number:
                mail: dict[str, str] = mails[0]
                return mail
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def link(site: Site) -> str:
    """Where the customer of an approved claim may choose."""
    await site.approved(CLAIM)
    return _link_in(await last_mail(site, CUSTOMER, 1))


def _link_in(mail: dict[str, str]) -> str:
    found = _LINK.search(mail["text"])
    assert found is not None
    return found.group()


@pytest_asyncio.fixture(loop_scope="session")
async def reader(site: Site) -> httpx.AsyncClient:
    """A browser in which nobody is signed in."""
    return site.browser()


async def test_nothing_is_chosen_at_first(reader: httpx.AsyncClient, link: str) -> None:
    """Reminders come, and all else is as usual; looking changes nothing, by whatever address."""
    async with reader:
        page = await reader.get(link)
        again = await reader.get(f"{link}/unsubscribe", follow_redirects=True)

    assert page.status_code == 200
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    for each in (page, again):
        assert 'value="yes" checked' in each.text
        assert "Default: English" in each.text


async def test_what_is_chosen_holds_for_the_next_mail(
    site: Site, reader: httpx.AsyncClient, link: str
) -> None:
    """Its language, and the time zone of what is due."""
    chosen = {"reminders": "yes", "mail_language": "tr", "time_zone": "Europe/Istanbul"}
    async with reader:
        kept = await reader.post(
            link, params={"language": "tr"}, data=chosen, follow_redirects=True
        )
    await site.approved(LATER)
    mail = await last_mail(site, CUSTOMER, 2)

    assert kept.status_code == 200
    assert '<option value="Europe/Istanbul" selected' in kept.text
    assert '<html lang="tr"' in kept.text
    assert "03:00 (Europe/Istanbul)" in mail["text"]
    assert "müşterisi olarak" in mail["subject"]


async def test_a_program_switches_reminders_off(reader: httpx.AsyncClient, link: str) -> None:
    """By one request, answered without a redirect (RFC 8058); what else was chosen stays.

    Whoever sees the answer may choose otherwise by it.
    """
    async with reader:
        await reader.post(link, data={"reminders": "yes", "mail_language": "tr"})
        answer = await reader.post(f"{link}/unsubscribe", data={"List-Unsubscribe": "One-Click"})
        page = await reader.get(link)

    assert answer.status_code == 200
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert "Your choice is kept." in answer.text
    assert f'action="{link}?language=en"' in answer.text
    for each in (answer, page):
        assert 'value="no" checked' in each.text
        assert '<option value="tr" lang="tr" selected' in each.text


@pytest.mark.usefixtures("link")
async def test_no_reviewer_switches_reminders_off_for_the_others(
    site: Site, reader: httpx.AsyncClient
) -> None:
    """They share one address: there is no choice, nor does anything that is sent make one."""
    link = _link_in(await last_mail(site, REVIEWERS, 1))
    async with reader:
        page = await reader.get(link)
        kept = await reader.post(
            link, data={"reminders": "no", "mail_language": "tr"}, follow_redirects=True
        )
        at_one_click = await reader.post(f"{link}/unsubscribe")

    for each in (page, kept, at_one_click):
        assert each.status_code == 200
        assert 'name="reminders"' not in each.text
        assert 'name="time_zone"' in each.text
    for each in (kept, at_one_click):
        assert '<option value="tr" lang="tr" selected' in each.text
    async with site.app.state.backend.pool.connection() as connection:
        address_digest = preference.read(await mail_key(connection), link.rpartition("/")[2])
        assert address_digest is not None
        assert (await preference.preference_of(connection, address_digest)).reminders


@pytest.mark.parametrize("how", ["shorter", "of another", "made up"])
async def test_a_link_that_is_not_ours_leads_nowhere(
    reader: httpx.AsyncClient, link: str, how: str
) -> None:
    """The same page, whatever is wrong with it, and whatever is asked."""
    wrong = {
        "shorter": link[:-1],
        "of another": f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}",
        "made up": f"/mails/{'A' * 48}",
    }[how]
    async with reader:
        answers = [
            await reader.get(wrong),
            await reader.post(wrong, data={"reminders": "no"}),
            await reader.post(f"{wrong}/unsubscribe"),
        ]

    for answer in answers:
        assert answer.status_code == 404
        assert "This link leads nowhere" in answer.text
