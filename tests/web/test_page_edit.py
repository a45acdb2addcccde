"""Changing what a claim states, on a page."""

import json
import re
from html import unescape
from typing import Any, Final

import httpx
import pytest

from tests.web.claim_form import AYSE
from tests.web.conftest import DENIZ, PROOF, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHOLE: Final = (
    *("customer.name", "customer.domain", "customer.tenant_id"),
    *("customer_contact.name", "customer_contact.title", "customer_contact.email"),
    *("solution_area", "activities", "products", "subscription_ids", "name", "mpn_id"),
    *("partner_contact.name", "partner_contact.email"),
)
LATER: Final = tuple(
    name
    for name in WHOLE
    if name.startswith(("customer_contact.", "partner_contact.")) or name in {"products", "mpn_id"}
)


def fields_of(page: str) -> dict[str, Any]:
    """The form of a page, as a browser sends it back."""
    fields: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", page.partition('class="panel form-calm')[2]):
        found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if found["type"] not in {"radio", "checkbox"} or " checked" in tag:
            fields.setdefault(found["name"], []).append(unescape(found["value"]))
    for name, text in re.findall(
        r'<textarea [^>]*name="([^"]*)".*?>\n(.*?)</textarea>', page, re.DOTALL
    ):
        fields[name] = [unescape(text)]
    return fields


async def proven(site: Site, claim_id: str) -> None:
    """A claim of hers with a proof."""
    await site.draft(claim_id, by=AYSE)
    document = (await site.upload(PROOF, by=AYSE)).json()
    await site.done(claim_id, "attach_poe", {"document": document}, by=AYSE)


async def at(site: Site, claim_id: str, state: str) -> None:
    """A claim of hers in a state."""
    await proven(site, claim_id)
    todo: list[tuple[str, dict[str, Any], str]] = [("submit_claim", {}, AYSE)]
    if state not in {"editing", "submitted"}:
        todo.append(("start_review", {}, DENIZ))
    match state:
        case "editing":
            todo = []
        case "partner_action_required":
            action = {"reasons": ["missing_all_poe"], "comment": "Which file?"}
            todo.append(("require_action", action, DENIZ))
        case "approved":
            todo.append(("approve_claim", {}, DENIZ))
        case "rejected":
            todo.append(("reject_claim", {"reasons": ["insufficient_poe"], "note": "no"}, DENIZ))
        case _:
            pass
    for command, data, by in todo:
        await site.done(claim_id, command, data, by=by)


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    ("state", "editable"),
    [
        ("editing", WHOLE),
        ("submitted", LATER),
        ("under_review", ()),
        ("partner_action_required", LATER),
        ("approved", ()),
        ("rejected", ()),
    ],
)
async def test_only_what_may_change_is_a_field(
    site: Site, claim_id: str, state: str, editable: tuple[str, ...]
) -> None:
    """The rest is text, with the reason."""
    await at(site, claim_id, state)
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}/edit")).text

    assert set(fields_of(page)) - {"command_id", "version", "was"} == set(editable)
    assert (">Save" in page.replace("</svg> ", ">")) is bool(editable)
    assert ("can't be edited" in page) is not bool(editable)
    assert ("After submission only" in page) == (editable == LATER)
    for text in ("Contoso", "contoso.example", "Microsoft 365", "Zeynep Ak"):
        assert text in page


async def test_only_what_changed_is_sent(site: Site, claim_id: str) -> None:
    """And sent twice it changes once."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    form |= {"products": ["teams", "yammer"], "partner_contact.email": ["new@partner.example"]}

    answers = [await browser.post(f"/claims/{claim_id}/edit", data=form) for _ in range(2)]

    assert [each.headers["location"] for each in answers] == [f"/claims/{claim_id}"] * 2
    history = (await site.read(f"/api/claims/{claim_id}/history", by=AYSE)).json()["items"]
    assert [each["event"] for each in history] == ["created", "edited"]
    assert set(history[1]["data"]["changes"]) == {"products", "partner_contact"}
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert claim["products"] == ["teams", "yammer"]
    assert claim["partner_contact"] == {"name": "Ayşe Demir", "email": "new@partner.example"}


async def test_the_whole_claim_can_be_changed_at_once(site: Site, claim_id: str) -> None:
    """And subscription ids emptied again."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    form |= {
        "solution_area": ["business_applications"],
        "activities": ["presales", "usage"],
        "products": ["power_bi"],
        "subscription_ids": ["S-1\r\nS-2"],
        "customer.name": ["Fabrikam"],
    }
    assert (await browser.post(f"/claims/{claim_id}/edit", data=form)).status_code == 303
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert claim["subscription_ids"] == ["S-1", "S-2"]
    assert claim["customer"]["name"] == "Fabrikam"

    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    assert form["subscription_ids"] == ["S-1\nS-2"]
    refused = await browser.post(f"/claims/{claim_id}/edit", data=form | {"subscription_ids": [""]})
    assert refused.status_code == 422
    assert "At least one is needed for: Power BI." in refused.text
    form |= {"solution_area": ["microsoft_365"], "activities": ["usage"], "products": ["teams"]}
    changed = await browser.post(f"/claims/{claim_id}/edit", data=form | {"subscription_ids": [""]})

    assert changed.status_code == 303
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert claim["subscription_ids"] == []


async def test_nothing_changed_is_nothing_sent(site: Site, claim_id: str) -> None:
    """The order of products says nothing."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    form["products"].reverse()

    response = await browser.post(f"/claims/{claim_id}/edit", data=form)

    assert response.status_code == 303
    assert (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()["version"] == 1


async def test_what_is_wrong_stands_beside_its_field(site: Site, claim_id: str) -> None:
    """What is filled in is kept, and nothing is sent."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    form |= {"customer.domain": ["<b>"], "name": [""]}

    response = await browser.post(f"/claims/{claim_id}/edit", data=form)

    assert response.status_code == 422
    assert "Enter a domain name" in response.text
    assert 'value="&lt;b&gt;"' in response.text
    assert "<b>" not in response.text
    assert (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()["version"] == 1
    check = await browser.post(f"/claims/{claim_id}/edit/check?field=customer.domain", data=form)
    assert "Enter a domain name" in check.text
    check = await browser.post(f"/claims/{claim_id}/edit/check?field=mpn_id", data=form)
    assert "<p>" not in check.text


@pytest.mark.rule("R14")
async def test_a_stale_edit_keeps_what_was_changed(site: Site, claim_id: str) -> None:
    """What others changed is shown as it is now; saved again, both changes stand."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    await site.done(claim_id, "edit_claim", {"mpn_id": "777"}, by=AYSE)
    form |= {"name": ["Hers"]}

    response = await browser.post(f"/claims/{claim_id}/edit", data=form)

    assert response.status_code == 412
    assert "The claim has changed since you opened this page." in response.text
    again = fields_of(response.text)
    assert (again["name"], again["mpn_id"], again["version"]) == (["Hers"], ["777"], ["2"])
    assert json.loads(again["was"][0])["name"] == ["Teams rollout"]

    assert (await browser.post(f"/claims/{claim_id}/edit", data=again)).status_code == 303
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert (claim["name"], claim["mpn_id"]) == ("Hers", "777")


async def test_who_comes_too_late_still_sees_what_was_filled_in(site: Site, claim_id: str) -> None:
    """The claim is locked meanwhile, or less of it may be changed."""
    await proven(site, claim_id)
    browser = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)
    await site.done(claim_id, "submit_claim", by=AYSE)
    await site.done(claim_id, "start_review", by=DENIZ)

    response = await browser.post(f"/claims/{claim_id}/edit", data=form | {"name": ["Hers"]})

    assert response.status_code in {409, 412}
    assert "can't be edited" in response.text
    assert re.search(r"You had filled in:\s+Hers", response.text)


@pytest.mark.rule("R25")
async def test_an_edit_whose_outcome_is_unknown_is_sent_again(
    own_site: Site, claim_id: str
) -> None:
    """By the same form, with what was filled in: whether it was recorded or not, it is once."""
    await proven(own_site, claim_id)
    browser = await own_site.signed_in("ayse")
    address = f"/claims/{claim_id}/edit"
    filled = fields_of((await browser.get(address)).text) | {"name": "A better name"}
    await own_site.services.stop("claims")

    unknown = await browser.post(address, data=filled)

    assert unknown.status_code == 504
    assert "Send it again: it has its effect once." in unknown.text
    own_site.services.start("claims")
    again = await browser.post(address, data=fields_of(unknown.text))
    assert again.headers["location"] == f"/claims/{claim_id}"
    claim = (await own_site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert (claim["name"], claim["version"]) == ("A better name", 3)


async def test_others_edit_nothing(site: Site, claim_id: str) -> None:
    """Another organisation finds nothing; who may read the claim may still not edit it."""
    await at(site, claim_id, "submitted")

    for persona, status in (("jonas", 404), ("deniz", 403), ("ada", 403)):
        browser = await site.signed_in(persona)
        form = {"command_id": "c", "version": "1", "was": "{}", "name": "theirs"}
        for response in (
            await browser.get(f"/claims/{claim_id}/edit"),
            await browser.post(f"/claims/{claim_id}/edit", data=form),
            await browser.post(f"/claims/{claim_id}/edit/check?field=name", data=form),
        ):
            assert response.status_code == status
    assert (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()["name"] == "Teams rollout"


@pytest.mark.parametrize("was", ["", "{", "7", '{"name": 7}', "[]", "[" * 50_000])
async def test_a_forged_form_harms_nothing(site: Site, claim_id: str, was: str) -> None:
    """It is refused, or nothing in it is other than it was."""
    await site.draft(claim_id, by=AYSE)
    browser: httpx.AsyncClient = await site.signed_in("ayse")
    form = fields_of((await browser.get(f"/claims/{claim_id}/edit")).text)

    response = await browser.post(f"/claims/{claim_id}/edit", data=form | {"was": was})

    assert response.status_code in {303, 422}


async def test_the_page_is_turkish(site: Site, claim_id: str) -> None:
    """Statuses, reasons, fields."""
    await at(site, claim_id, "submitted")
    browser = await site.signed_in("ayse")
    browser.cookies.set("cpor_language", "tr")

    page = (await browser.get(f"/claims/{claim_id}/edit")).text

    assert "Gönderildikten sonra yalnızca ürünler" in page
    assert "Müşterinin etki alanı" in page
