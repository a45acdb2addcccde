"""Every link of every mail leads to where it says, from a claim's beginning to its end."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any, Final

import httpx
import pytest
from psycopg import AsyncConnection

from domain.lifecycle import Phase
from domain.notice import Kind
from tests.claims.orders import CREATE
from tests.web.conftest import ADDRESS, OPERATOR, Site
from tests.web.life import ACTORS, bring

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R26")]

DISPUTED: Final = "a1150000-0000-4000-8000-00000000000a"
DECLINED: Final = "a1150000-0000-4000-8000-00000000000b"
DISMISSED: Final = "a1150000-0000-4000-8000-00000000000c"
LATE: Final = "a1150000-0000-4000-8000-00000000000d"
NAMES: Final = {
    DISPUTED: "Disputed and upheld",
    DECLINED: "Declined by the customer",
    DISMISSED: "Disputed in vain",
    LATE: "Looked at too late",
}


async def move(site: Site, **movement: str) -> None:
    """Move the clock."""
    response = await site.client.post(
        "/dev/clock", json=movement, headers={"X-Cpor-Actor": OPERATOR}
    )
    assert response.status_code == 200, response.text


async def do(site: Site, claim_id: str, command: str, by: str, **data: object) -> None:
    """Send a command that is accepted."""
    await site.done(claim_id, command, data, by=ACTORS[by])


async def until_told(site: Site, claim_id: str, *kinds: Kind) -> None:
    """Wait until mails of these kinds about a claim were sent."""
    query = (
        "SELECT count(DISTINCT kind) FROM cpor.notices"
        " WHERE claim_id = %s AND state = 'sent' AND kind = ANY(%s)"
    )
    async with (
        asyncio.timeout(60),
        await AsyncConnection.connect(site.settings.database_url, autocommit=True) as store,
    ):
        while True:
            found = await store.execute(query, [claim_id, [each.value for each in kinds]])
            if await found.fetchone() == (len(set(kinds)),):
                return
            await asyncio.sleep(0.02)


async def mails(site: Site) -> Sequence[Mapping[str, Any]]:
    """What the mailbox has caught, the newest first."""
    response = await site.client.get("/dev/mail", headers={"Accept": "application/json"})
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def links(mail: Mapping[str, Any]) -> set[str]:
    """Where a mail leads; its text and its HTML agree about that."""
    found = {unescape(each) for each in re.findall(r'href="([^"]*)"', mail["html"])}
    assert found == set(re.findall(r"https?://\S+", mail["text"]))
    return found


async def consent_link(site: Site, claim_id: str) -> str:
    """The link of the newest mail to the customer of this claim."""
    for mail in await mails(site):
        if "as its customer" in mail["subject"] and NAMES[claim_id] in mail["text"]:
            (link,) = (each for each in links(mail) if "/consent/" in each)
            return link
    raise AssertionError("the customer was told nothing")


async def claimed(site: Site, claim_id: str, phase: Phase) -> None:
    """A claim in this phase, known by its name to the partner and by the customer's to all."""
    name = NAMES[claim_id]
    await bring(site, claim_id, phase, name=name, customer=CREATE["customer"] | {"name": name})


async def live_through_everything(site: Site) -> None:
    """Four claims, until every kind of mail was sent."""
    await move(site, set="2031-03-03T09:00:00Z")
    await claimed(site, DISPUTED, Phase.ACTION_REQUIRED)
    await claimed(site, LATE, Phase.SUBMITTED)
    await until_told(site, DISPUTED, Kind.NEW_WORK, Kind.ACTION_REQUIRED)
    await move(site, advance="P7DT1H")
    await until_told(site, DISPUTED, Kind.RESPONSE_REMINDER)
    await until_told(site, LATE, Kind.NEW_WORK, Kind.TARGET_SOON)
    await do(site, DISPUTED, "resubmit_claim", "ayse", comment="Page 2.")
    await do(site, DISPUTED, "start_review", "deniz")
    await do(site, DISPUTED, "reject_claim", "deniz", reasons=["insufficient_poe"], note="No.")
    await until_told(site, DISPUTED, Kind.REJECTED)
    await move(site, advance="P24D")
    await until_told(site, DISPUTED, Kind.DISPUTE_REMINDER)
    await until_told(site, LATE, Kind.TARGET_MISSED)
    await do(site, DISPUTED, "open_dispute", "ayse", justification="See page 3.")
    await do(site, DISPUTED, "uphold_dispute", "marta", note="Page 3 proves it.")
    await claimed(site, DECLINED, Phase.CONSENT_PENDING)
    await claimed(site, DISMISSED, Phase.DISPUTED)
    await do(site, DISMISSED, "dismiss_dispute", "marta", note="Page 3 is blank.")
    await until_told(site, DISPUTED, Kind.DISPUTE_UPHELD, Kind.CONSENT_NOTICE)
    await until_told(site, DECLINED, Kind.APPROVED, Kind.CONSENT_NOTICE)
    await until_told(site, DISMISSED, Kind.DISPUTE_DISMISSED)


async def signed_in_at(site: Site, link: str, persona: str) -> httpx.Response:
    """Where a link leads who is not signed in yet, and does so on the way."""
    async with site.browser() as browser:
        refused = await browser.get(link)
        assert refused.status_code == 303
        page = await browser.get(refused.headers["location"])
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
        fields = {name: unescape(value) for name, value in hidden}
        entered = await browser.post("/sign-in", data={**fields, "persona": persona})
        assert entered.status_code == 303
        return await browser.get(entered.headers["location"])


@pytest.mark.rule("R8")
@pytest.mark.rule("R27")
async def test_every_link_of_every_mail_is_followed(own_site: Site) -> None:
    """The customer's page is about that approval, and the claim's page opens after sign-in."""
    site = own_site
    await live_through_everything(site)
    for claim_id in (DISPUTED, DECLINED):
        page = await site.client.get(await consent_link(site, claim_id))
        assert page.status_code == 200
        assert NAMES[claim_id] in page.text
        assert "Decline the association …" in page.text
    await move(site, advance="P6D")
    await until_told(site, DISPUTED, Kind.CONSENT_REMINDER)
    await until_told(site, DECLINED, Kind.CONSENT_REMINDER)
    link = await consent_link(site, DECLINED)
    assert (await site.client.post(link, data={"step": "confirm"})).status_code == 303
    await until_told(site, DECLINED, Kind.CUSTOMER_DECLINED)
    assert "You declined the association" in (await site.client.get(link)).text
    await move(site, advance="P3D")
    await until_told(site, DISPUTED, Kind.CONSENT_ELAPSED)
    assert (
        "The association is final"
        in (await site.client.get(await consent_link(site, DISPUTED))).text
    )

    followed = set[str]()
    for mail in await mails(site):
        is_for_reviewers = mail["to"] == site.settings.reviewers_email
        for each in links(mail) - followed:
            path = each.removeprefix(ADDRESS)
            if path.startswith(("/consent/", "/mails/")):
                response = await site.client.get(each)
            else:
                response = await signed_in_at(site, each, "deniz" if is_for_reviewers else "ayse")
                assert path == response.request.url.path
                assert NAMES.get(path.removeprefix("/claims/"), "") in response.text
            assert response.status_code == 200, each
            followed.add(each)
    assert {f"{ADDRESS}/claims/{claim_id}" for claim_id in NAMES} <= followed
    assert await _told_kinds(site) == set(Kind)


async def _told_kinds(site: Site) -> set[str]:
    async with await AsyncConnection.connect(site.settings.database_url) as store:
        rows = await store.execute("SELECT DISTINCT kind FROM cpor.notices WHERE state = 'sent'")
        return {kind for (kind,) in await rows.fetchall()}
