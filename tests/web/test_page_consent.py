"""The customer's page: by a link, without an account, in two steps (R6, R8, R9, R27)."""

import asyncio
import re
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from psycopg import AsyncConnection

from services import consent_key
from services.consent_token import ConsentLink, sign
from services.web.backend import Backend
from services.web.command import deliver
from services.web.page import consent
from services.web.page.consent_case import token_for
from services.web.problem import OutcomeUnknown
from tests.web.conftest import AUDITOR, AYSE, DENIZ, OPERATOR, SELIN, Site, browser_at, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIRMED: Final = {"step": "confirm"}
DEAD: Final = "This link leads nowhere"


async def page_of(site: Site, claim_id: str) -> str:
    """The address of the customer's page."""
    async with await AsyncConnection.connect(
        site.settings.database_url, autocommit=True
    ) as connection:
        token = await token_for(connection, UUID(claim_id))
    return f"/consent/{token}"


async def consent_of(site: Site, claim_id: str) -> tuple[str, int]:
    """How the customer's consent stands, and the claim's version, as the store has them."""
    items = (await site.read(f"/api/claims/{claim_id}/history", by=AUDITOR)).json()["items"]
    claim = (
        await site.read(f"/api/claims/{claim_id}", by=AUDITOR, version=str(items[-1]["version"]))
    ).json()
    return claim["consent"], claim["version"]


async def advance(site: Site, duration: str) -> None:
    """Move the clock, with everything that is due on the way."""
    moved = await site.client.post(
        "/dev/clock", json={"advance": duration}, headers={"X-Cpor-Actor": OPERATOR}
    )
    assert moved.status_code == 200, moved.text


def headers(response: httpx.Response) -> dict[str, str]:
    """What an answer says about itself, whatever it is about."""
    return dict(response.headers)


@pytest.mark.rule("R6")
async def test_the_page_says_who_claims_what(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """Partner, products, what is seen, until when; for nobody in particular, hard to find."""
    await site.approved(claim_id)
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()

    response = await browser.get(await page_of(site, claim_id))

    assert response.status_code == 200
    for text in (
        claim["org"],
        claim["partner_contact"]["name"],
        claim["customer"]["name"],
        "Microsoft 365: Usage",
        "usage and sold seats",
        "If you agree, do nothing",
        claim["due_at"],
    ):
        assert text in response.text
    assert claim["name"] not in response.text
    assert claim["partner_contact"]["email"] not in response.text
    assert claim["customer_contact"]["name"] not in response.text
    assert 'content="noindex' in response.text
    assert response.headers["x-robots-tag"] == "noindex, nofollow"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers
    assert "/claims" not in response.text


async def test_the_customer_reads_its_own_language(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """That of the browser, or the one that is chosen on the page, without a cookie."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)

    by_browser = await browser.get(page, headers={"Accept-Language": "tr-TR,tr;q=0.9"})
    chosen = await browser.get(f"{page}?language=tr")
    unknown = await browser.get(f"{page}?language=xx", headers={"Accept-Language": "en"})

    for response in (by_browser, chosen):
        assert '<html lang="tr"' in response.text
        assert "kullanım ve satılan kullanıcı lisansları" in response.text
    assert '<html lang="en"' in unknown.text
    assert not browser.cookies


async def test_the_programme_has_a_letterhead(site: Site, browser: httpx.AsyncClient) -> None:
    """Its own name in place of ours, where it has one."""
    named = site.settings.model_copy(update={"programme": "İş <b>&</b> Co."})
    async with opened(named) as (app, _), browser_at(app) as elsewhere:
        own = (await elsewhere.get("/consent/x")).text
    usual = (await browser.get("/consent/x")).text

    assert "· İş &lt;b&gt;&amp;&lt;/b&gt; Co.</title>" in own
    assert "</svg> İş &lt;b&gt;&amp;&lt;/b&gt; Co.</p>" in own
    assert "· cpor</title>" in usual
    for ours in ("cpor <span", "Partner associations"):
        assert (ours in own, ours in usual) == (False, True)


@pytest.mark.rule("R27")
@pytest.mark.fault(66)
async def test_looking_changes_nothing(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """Nor does sending what the first page holds."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)

    for method in ("GET", "HEAD"):
        for address in (page, f"{page}?step=confirm", f"{page}?language=tr"):
            assert (await browser.request(method, address)).status_code == 200
    first = await browser.get(page)
    fields = dict.fromkeys(re.findall(r'name="(\w+)"', first.text.partition("<body>")[2]), "x")
    assert fields == {"reason": "x"}
    assert (await browser.post(page, data=fields)).status_code == 200

    assert await consent_of(site, claim_id) == ("pending", 5)


@pytest.mark.rule("R8")
@pytest.mark.rule("R27")
async def test_declining_takes_two_steps(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """Asked once more, then a receipt, which the link shows from then on."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)
    reason = "Not our partner.\r\n<b>Never</b> was."

    asked = await browser.post(page, data={"reason": reason})

    assert asked.status_code == 200
    assert "Decline the association?" in asked.text
    assert "&lt;b&gt;Never&lt;/b&gt;" in asked.text
    assert await consent_of(site, claim_id) == ("pending", 5)

    done = await browser.post(f"{page}?language=en", data={"reason": reason, **CONFIRMED})

    assert done.status_code == 303
    assert done.headers["location"] == f"{page}?language=en"
    receipt = await browser.get(done.headers["location"])
    assert "You declined the association" in receipt.text
    assert f"{claim_id[:8].upper()}-6" in receipt.text
    assert "Not our partner." in receipt.text
    assert await consent_of(site, claim_id) == ("declined", 7)
    said = (await site.read(f"/api/claims/{claim_id}/comments", by=AYSE)).json()["items"][-1]
    assert (said["text"], said["actor"]["role"]) == (reason.replace("\r", ""), "customer")


@pytest.mark.fault(67)
async def test_declining_again_shows_what_was_recorded(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """Clicked twice, in two tabs, with another reason: one effect."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)

    answers = await asyncio.gather(
        *(browser.post(page, data={"reason": f"reason {n % 2}", **CONFIRMED}) for n in range(6))
    )
    again = await browser.post(page, data=CONFIRMED)
    asked_again = await browser.post(page)

    assert {each.status_code for each in answers} <= {200, 303}
    for response in (again, asked_again, *(each for each in answers if each.status_code == 200)):
        assert "You declined the association" in response.text
    assert await consent_of(site, claim_id) == ("declined", 7)


@pytest.mark.rule("R25")
async def test_the_partner_can_not_keep_the_customer_from_declining(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """A comment under the id that the decline will have would be what the id stands for."""
    await site.approved(claim_id)

    refused = await site.client.post(
        f"/api/claims/{claim_id}/post_comment",
        json={"text": "first"},
        headers={"X-Cpor-Actor": AYSE, "Idempotency-Key": "consent-link-5"},
    )
    declined = await browser.post(await page_of(site, claim_id), data=CONFIRMED)

    assert refused.json()["type"] == "/problems/not_allowed"
    assert declined.status_code == 303
    assert await consent_of(site, claim_id) == ("declined", 7)


async def test_a_command_that_was_cut_off_is_the_same_when_sent_again(
    site: Site, browser: httpx.AsyncClient, claim_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was recorded, but its answer got lost: the customer presses again, and it counts once."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)

    async def answer_lost(backend: Backend, **command: Any) -> dict[str, Any]:  # noqa: ANN401 - as deliver takes it
        await deliver(backend, **command)
        raise OutcomeUnknown("no answer in time")

    with monkeypatch.context() as fault:
        fault.setattr(consent, "deliver", answer_lost)
        unsure = await browser.post(page, data={"reason": "no", **CONFIRMED})

    assert unsure.status_code == 503
    assert "press the button again" in unsure.text
    assert "You declined" in (await browser.post(page, data={"reason": "no", **CONFIRMED})).text
    assert await consent_of(site, claim_id) == ("declined", 7)


@pytest.mark.parametrize("reason", ["x" * 10_001, "nothing\0here"])
async def test_a_reason_that_cannot_be_kept_is_told(
    site: Site, browser: httpx.AsyncClient, claim_id: str, reason: str
) -> None:
    """On the form, with what was written still in it."""
    await site.approved(claim_id)

    response = await browser.post(await page_of(site, claim_id), data={"reason": reason})

    assert response.status_code == 422
    assert "This is too long" in response.text
    assert reason[:7] in response.text
    assert await consent_of(site, claim_id) == ("pending", 5)


@pytest.mark.fault(67)
async def test_all_dead_links_are_one_page(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """Guessed, cut off, foreign, expired, revoked, or about another approval."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    approval = UUID(claim_id), claim["version"]
    now = await site.app.state.backend.now()
    later = now + timedelta(days=37)
    async with await AsyncConnection.connect(
        site.settings.database_url, autocommit=True
    ) as connection:
        keys = await consent_key.known_keys(connection)
        token = page.rpartition("/")[2]
        tokens = {
            "guessed": "A" * 64,
            "empty": "",
            "short": "x",
            "long": "x" * 3000,
            "path": f"{token}/more",
            "cut off": token[:-1],
            "changed": token[:-1] + ("A" if token[-1] != "A" else "B"),
            "foreign": sign(ConsentLink(*approval, later), {1: b"another system's"}),
            "unknown key": sign(ConsentLink(*approval, later), {9: keys[max(keys)]}),
            "expired": sign(ConsentLink(*approval, now), keys),
            "other claim": sign(ConsentLink(UUID(int=1), 5, later), keys),
            "other approval": sign(ConsentLink(UUID(claim_id), 4, later), keys),
            "claim id": claim_id,
        }
        await consent_key.rotate(connection)
        assert (await browser.get(page)).status_code == 200
        tokens["revoked"] = token
        await consent_key.remove(connection, max(keys))
    assert (await browser.get(await page_of(site, claim_id))).status_code == 200

    for method in ("GET", "HEAD", "POST"):
        data = {"reason": "no", **CONFIRMED} if method == "POST" else None
        answers = {
            name: await browser.request(method, f"/consent/{each}", data=data)
            for name, each in tokens.items()
        }
        expected = answers["guessed"]
        assert expected.status_code == 404
        assert (DEAD in expected.text) == (method != "HEAD")
        for name, response in answers.items():
            assert response.status_code == 404, name
            assert response.content == expected.content, name
            assert headers(response) == headers(expected), name
    assert await consent_of(site, claim_id) == ("pending", 5)


@pytest.mark.rule("R12")
@pytest.mark.fault(67)
async def test_a_link_belongs_to_one_approval(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """A dispute that was upheld begins a new period, with a link of its own."""
    await site.submitted(claim_id)
    await site.done(claim_id, "start_review", by=DENIZ)
    rejection = {"reasons": ["insufficient_poe"], "note": "unsigned"}
    await site.done(claim_id, "reject_claim", rejection, by=DENIZ)
    assert (await page_of(site, claim_id)).endswith("/None")
    await site.done(claim_id, "open_dispute", {"justification": "it is signed"}, by=AYSE)
    await site.done(claim_id, "uphold_dispute", {"note": "so it is"}, by=SELIN)

    response = await browser.get(await page_of(site, claim_id))

    assert response.status_code == 200
    assert "If you agree, do nothing" in response.text


@pytest.mark.rule("R10")
async def test_a_withdrawn_claim_is_told(
    site: Site, browser: httpx.AsyncClient, claim_id: str
) -> None:
    """There is nothing left to decline."""
    await site.approved(claim_id)
    page = await page_of(site, claim_id)
    await site.done(claim_id, "request_rejection", {"explanation": "wrong MPN id"}, by=AYSE)

    for response in (await browser.get(page), await browser.post(page, data=CONFIRMED)):
        assert response.status_code == 200
        assert "The partner has withdrawn its claim" in response.text
        assert "wrong MPN id" not in response.text


@pytest.mark.rule("R9")
async def test_silence_is_consent(own_site: Site, claim_id: str) -> None:
    """After the period the link shows what was recorded, declines no more, and ends."""
    await own_site.approved(claim_id)
    page = await page_of(own_site, claim_id)
    await advance(own_site, "P8D")
    async with own_site.browser() as browser:
        looked = await browser.get(page)
        late = await browser.post(page, data=CONFIRMED)

        assert looked.status_code == 200
        assert "The association is final" in looked.text
        assert "too late" not in looked.text
        assert late.status_code == 409
        assert "Your decline came too late, and was not recorded." in late.text
        assert await consent_of(own_site, claim_id) == ("elapsed", 7)

        await advance(own_site, "P30D")
        ended = await browser.get(page)
        assert ended.status_code == 404
        assert DEAD in ended.text


@pytest.mark.rule("R18")
async def test_a_decline_and_the_end_that_race_are_settled_by_arrival(
    own_site: Site, claim_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page was still in time, the command no more: it is refused, and the customer is told."""
    await own_site.approved(claim_id)
    page = await page_of(own_site, claim_id)

    async def arrive_late(backend: Backend, **command: Any) -> dict[str, Any]:  # noqa: ANN401 - as deliver takes it
        await advance(own_site, "P8D")
        return await deliver(backend, **command)

    monkeypatch.setattr(consent, "deliver", arrive_late)
    async with own_site.browser() as browser:
        response = await browser.post(page, data=CONFIRMED)

    assert response.status_code == 409
    assert "Your decline came too late" in response.text
    assert "The association is final" in response.text
    assert await consent_of(own_site, claim_id) == ("elapsed", 7)


async def test_only_operators_are_led_to_the_page(site: Site, claim_id: str) -> None:
    """In development; whoever else is signed in never gets the link."""
    await site.submitted(claim_id)
    operator = await site.signed_in("olga")
    assert (await operator.get(f"/consent-link/{claim_id}")).status_code == 404
    await site.done(claim_id, "start_review", by=DENIZ)
    await site.done(claim_id, "approve_claim", by=DENIZ)

    led = await operator.get(f"/consent-link/{claim_id}")

    assert led.status_code == 303
    page = await operator.get(led.headers["location"])
    assert page.status_code == 200
    assert "Olga" not in page.text
    for persona in ("ayse", "deniz", "ada"):
        other = await site.signed_in(persona)
        assert (await other.get(f"/consent-link/{claim_id}")).status_code == 403
    nobody = await site.browser().get(f"/consent-link/{claim_id}")
    assert nobody.headers["location"].startswith("/sign-in")
