"""A new claim, step by step, without JavaScript; and what is kept of it meanwhile."""

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from services.web.page.draft import LIFETIME, MOST
from tests.web.claim_form import (
    AYSE,
    CUSTOMER,
    PARTNER,
    STEPS,
    WORK,
    begun,
    filled_in,
    id_of,
)
from tests.web.conftest import AUDITOR, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE: Final = "\"><script>alert(1)</script>'"


@pytest_asyncio.fixture(loop_scope="session")
async def ayse(site: Site) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser of hers; she has no drafts yet."""
    await forget(site)
    yield await site.signed_in("ayse")


async def forget(site: Site) -> None:
    """Throw everybody's drafts away."""
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        await connection.execute("DELETE FROM cpor.drafts")


async def kept(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """The drafts that are kept: each id, and what is filled in."""
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        rows = await connection.execute("SELECT draft_id::text, form FROM cpor.drafts")
        return await rows.fetchall()


@pytest.mark.rule("R1")
async def test_a_claim_is_created_step_by_step(site: Site, ayse: httpx.AsyncClient) -> None:
    """Each step leads to the next one; the draft is gone when the claim is there."""
    draft = await begun(ayse)
    assert "Begin a new claim" in (await ayse.get("/claims/new")).text
    for (step, fields), then in zip(
        STEPS.items(), ["work", "products", "partner", "review"], strict=True
    ):
        page = await ayse.get(f"{draft}/{step}")
        assert page.status_code == 200
        assert 'aria-current="step"' in page.text
        response = await ayse.post(f"{draft}/{step}", data=fields)
        assert response.headers["location"] == f"{draft}/{then}"
    review = (await ayse.get(f"{draft}/review")).text
    assert "Contoso" in review
    assert "Exchange Online, Microsoft Teams" in review
    assert "Create the claim" in review

    response = await ayse.post(f"{draft}/create")

    claim_id = id_of(draft)
    assert response.status_code == 303
    assert response.headers["location"] == f"/claims/{claim_id}/proof/add?created=1"
    assert "The claim is created." in (await ayse.get(response.headers["location"])).text
    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert claim["name"] == "Teams rollout"
    assert claim["customer_contact"]["email"] == "zeynep@contoso.example"
    assert claim["products"] == ["exchange", "teams"]
    assert claim["status"] == "editing"
    assert await kept(site) == []


@pytest.mark.parametrize(
    ("step", "fields", "wrong"),
    [
        (
            "customer",
            {
                "customer.name": "",
                "customer.domain": "nothing",
                "customer.tenant_id": "7",
                "customer_contact.name": " ",
                "customer_contact.title": "x" * 301,
                "customer_contact.email": "zeynep",
            },
            {
                "customer-name": "This is needed.",
                "customer-domain": "Enter a domain name",
                "customer-tenant_id": "Enter a GUID",
                "customer_contact-name": "This is needed.",
                "customer_contact-title": "At most 300 characters",
                "customer_contact-email": "Enter an e-mail address",
            },
        ),
        ("work", {}, {"solution_area": "Choose from the list.", "activities": "This is needed."}),
        (
            "work",
            {"solution_area": "microsoft_365", "activities": ["presales"]},
            {"activities": "“Pre-sales” is no activity of the solution area Microsoft 365."},
        ),
        (
            "work",
            {
                "solution_area": "business_applications",
                "activities": ["usage", "revenue_association"],
            },
            {"activities": "These can&#39;t be claimed together: Usage, Revenue association."},
        ),
        ("products", {"subscription_ids": ""}, {"products": "This is needed."}),
        (
            "products",
            {"products": ["power_bi"], "subscription_ids": "not one"},
            {
                "subscription_ids": "not one: Up to 64 letters",
            },
        ),
        (
            "products",
            {"products": ["power_bi", "no_such"]},
            {
                "products": "Power BI belongs to the solution area Business Applications, not to",
                "subscription_ids": "At least one is needed for: Power BI.",
            },
        ),
        (
            "partner",
            {**PARTNER, "name": "a\tb", "mpn_id": "MPN 7", "supersedes": "nonsense"},
            {
                "name": "One line of printable characters",
                "mpn_id": "Up to 32 letters",
                "supersedes": "Enter a GUID",
            },
        ),
    ],
)
async def test_each_step_says_what_is_wrong_beside_its_fields(
    ayse: httpx.AsyncClient, step: str, fields: dict[str, Any], wrong: dict[str, str]
) -> None:
    """And above the form, which has the focus; what is filled in is kept."""
    draft = await begun(ayse)
    await ayse.post(f"{draft}/work", data=WORK)

    response = await ayse.post(f"{draft}/{step}", data=fields)

    assert response.status_code == 422
    assert "data-focus" in response.text
    for name, sentence in wrong.items():
        beside = re.search(rf'<div [^>]*id="wrong-{name}".*?</div>', response.text, re.DOTALL)
        assert beside
        assert sentence in beside[0]
        assert f'href="#{name}"' in response.text
        assert f'id="{name}"' in response.text
    again = (await ayse.get(f"{draft}/{step}")).text
    assert "data-focus" not in again
    for value in fields.values():
        if isinstance(value, str):
            assert value in again


async def test_going_back_keeps_what_is_filled_in(ayse: httpx.AsyncClient) -> None:
    """Right or wrong; from the first step back is the start."""
    draft = await begun(ayse)

    response = await ayse.post(f"{draft}/products", data={"products": ["yammer"], "go": "back"})

    assert response.headers["location"] == f"{draft}/work"
    assert re.search(r'value="yammer" checked', (await ayse.get(f"{draft}/products")).text)
    response = await ayse.post(f"{draft}/customer", data={"customer.name": "C", "go": "back"})
    assert response.headers["location"] == "/claims/new"
    assert "C</a>" in (await ayse.get("/claims/new")).text


async def test_who_changes_one_step_returns_to_the_end(ayse: httpx.AsyncClient) -> None:
    """When nothing else is missing."""
    draft = await filled_in(ayse)
    assert 'value="review"' in (await ayse.get(f"{draft}/customer")).text

    response = await ayse.post(f"{draft}/customer", data={**CUSTOMER, "go": "review"})

    assert response.headers["location"] == f"{draft}/review"


async def test_a_field_is_checked_while_it_is_filled_in(
    site: Site, ayse: httpx.AsyncClient
) -> None:
    """The answer is a fragment for that field alone, and what is filled in so far is kept."""
    draft = await begun(ayse)
    fields = CUSTOMER | {"customer.domain": "contoso"}

    wrong = await ayse.post(f"{draft}/customer/check?field=customer.domain", data=fields)
    right = await ayse.post(f"{draft}/customer/check?field=customer.name", data=fields)

    assert "Enter a domain name" in wrong.text
    assert "<html" not in wrong.text
    assert "Enter" not in right.text
    assert (await kept(site))[0][1]["customer.domain"] == ["contoso"]
    for address in ("customer/check?field=products", "nowhere/check?field=name"):
        assert (await ayse.post(f"{draft}/{address}", data=fields)).status_code == 404


@pytest.mark.parametrize(
    ("address", "is_foreign"),
    [
        ("zeynep@contoso.example", False),
        ("zeynep@MAIL.Contoso.example", False),
        ("zeynep@notcontoso.example", True),
        ("zeynep@gmail.example", True),
        ("zeynep", False),
    ],
)
async def test_a_foreign_address_is_hinted_at_and_taken(
    ayse: httpx.AsyncClient, address: str, *, is_foreign: bool
) -> None:
    """The hint never blocks."""
    draft = await begun(ayse)
    fields = CUSTOMER | {"customer_contact.email": address}

    check = await ayse.post(f"{draft}/customer/check?field=customer.domain", data=fields)
    response = await ayse.post(f"{draft}/customer", data=fields)

    assert ("not in the customer" in check.text) is is_foreign
    assert response.status_code == (303 if "@" in address else 422)
    page = (await ayse.get(f"{draft}/review")).text
    assert ("not in the customer" in page) is is_foreign


async def test_only_partners_create_claims(site: Site) -> None:
    """Others learn so on a page; who is not signed in signs in."""
    for persona in ("deniz", "ada", "olga"):
        browser = await site.signed_in(persona)
        for response in (await browser.get("/claims/new"), await browser.post("/claims/new")):
            assert response.status_code == 403
            assert response.headers["content-type"].startswith("text/html")
    response = await site.browser().get("/claims/new")
    assert response.headers["location"].startswith("/sign-in")


@pytest.mark.rule("R25")
@pytest.mark.parametrize("other", ["another person", "another organisation", "a guess"])
async def test_drafts_are_their_authors_alone(
    site: Site, ayse: httpx.AsyncClient, other: str
) -> None:
    """Whoever else looks for one finds nothing, and changes nothing."""
    draft = await filled_in(ayse)
    before = await kept(site)
    match other:
        case "another person":
            browser = await signed_in_as(site, "mehmet")
        case "another organisation":
            browser = await site.signed_in("jonas")
        case _:
            browser = ayse
            draft = f"/claims/new/{uuid5(NAMESPACE_URL, other)}"

    answers = [
        await browser.get(f"{draft}/customer"),
        await browser.get(f"{draft}/review"),
        await browser.post(f"{draft}/customer", data=CUSTOMER | {"customer.name": "Mine"}),
        await browser.post(f"{draft}/customer/check?field=customer.name", data=CUSTOMER),
        await browser.post(f"{draft}/create"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert all("There is no such thing here" in answer.text for answer in answers)
    assert (await browser.post(f"{draft}/throw-away")).status_code == 303
    assert await kept(site) == before
    if other != "a guess":
        assert "Contoso" not in (await browser.get("/claims/new")).text


async def signed_in_as(site: Site, name: str) -> httpx.AsyncClient:
    """A browser of a colleague of Ayşe's, who is no persona."""
    browser = await site.signed_in("ayse")
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        await connection.execute(
            "UPDATE cpor.sessions SET actor_id = %s WHERE token_digest = sha256(%s)",
            [name, browser.cookies["cpor_session"].encode()],
        )
    return browser


async def test_an_author_has_a_bounded_number_of_drafts(
    site: Site, ayse: httpx.AsyncClient
) -> None:
    """Even beginning them all at once; thrown away, there is room again."""
    answers = await asyncio.gather(*(ayse.post("/claims/new") for _ in range(MOST + 3)))

    assert sorted(answer.status_code for answer in answers) == [303] * MOST + [409] * 3
    assert len(await kept(site)) == MOST
    page = await ayse.get("/claims/new")
    assert "Begin a new claim" not in page.text
    draft = answers[[answer.status_code for answer in answers].index(303)].headers["location"]
    await ayse.post(draft.replace("/customer", "/throw-away"))
    assert (await ayse.post("/claims/new")).status_code == 303


@pytest.mark.rule("R30")
async def test_a_draft_that_nobody_touches_is_deleted(site: Site, ayse: httpx.AsyncClient) -> None:
    """By whoever looks at any draft next."""
    draft = await filled_in(ayse)
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        await connection.execute(
            "UPDATE cpor.drafts SET updated_at = updated_at - %s",
            [LIFETIME - timedelta(minutes=1)],
        )
    assert (await ayse.get(f"{draft}/review")).status_code == 200
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        await connection.execute(
            "UPDATE cpor.drafts SET updated_at = updated_at - '2 min'::interval"
        )

    jonas = await site.signed_in("jonas")
    await jonas.get("/claims/new")

    assert await kept(site) == []
    assert (await ayse.get(f"{draft}/review")).status_code == 404


async def test_creating_twice_creates_once(site: Site, ayse: httpx.AsyncClient) -> None:
    """At once, or again afterwards: each leads to the claim."""
    draft = await filled_in(ayse)

    answers = [
        *await asyncio.gather(*(ayse.post(f"{draft}/create") for _ in range(3))),
        await ayse.post(f"{draft}/create"),
    ]

    there = f"/claims/{id_of(draft)}/proof/add?created=1"
    assert [answer.headers.get("location") for answer in answers] == [there] * 4
    claim = (await site.read(f"/api/claims/{id_of(draft)}", by=AYSE)).json()
    assert claim["version"] == 1


@pytest.mark.parametrize("changed", [False, True])
async def test_a_draft_that_outlived_its_claim_leads_to_it(
    site: Site, ayse: httpx.AsyncClient, *, changed: bool
) -> None:
    """As after a kill between the command and the deletion, whatever was changed since."""
    draft = await filled_in(ayse)
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        rows = await connection.execute("SELECT * FROM cpor.drafts")
        left = await rows.fetchone()
        assert left
    await ayse.post(f"{draft}/create")
    async with await AsyncConnection.connect(site.settings.database_url) as connection:
        columns = list(left)
        columns[5] = "{}"
        await connection.execute(
            "INSERT INTO cpor.drafts VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", columns
        )
    for step, fields in STEPS.items():
        name = {"name": "Another name"} if changed and step == "partner" else {}
        await ayse.post(f"{draft}/{step}", data=fields | name)

    response = await ayse.post(f"{draft}/create")

    assert response.headers["location"] == f"/claims/{id_of(draft)}/proof/add?created=1"
    assert await kept(site) == []
    claim = (await site.read(f"/api/claims/{id_of(draft)}", by=AYSE)).json()
    assert (claim["version"], claim["name"]) == (1, "Teams rollout")


async def test_an_unfinished_claim_is_not_created(site: Site, ayse: httpx.AsyncClient) -> None:
    """What is missing is named, and the draft stays."""
    draft = await begun(ayse)
    await ayse.post(f"{draft}/customer", data=CUSTOMER)
    review = (await ayse.get(f"{draft}/review")).text
    assert "Create the claim" not in review
    assert f'href="{draft}/work">Go there' in review

    response = await ayse.post(f"{draft}/create")

    assert response.status_code == 422
    assert "This is needed." in response.text
    assert len(await kept(site)) == 1
    assert (await site.read(f"/api/claims/{id_of(draft)}", by=AUDITOR)).status_code == 404


@pytest.mark.rule("R13")
async def test_a_rejected_claim_can_be_superseded(
    site: Site, ayse: httpx.AsyncClient, claim_id: str
) -> None:
    """One of the own organisation's, chosen from a list; any other is refused."""
    await site.draft(claim_id, by=AYSE, name="The old one")
    assert "Earlier claim" not in (await ayse.get(f"{await begun(ayse)}/partner")).text
    await site.done(claim_id, "request_rejection", {"explanation": "wrong MPN"}, by=AYSE)
    foreign = claim_id[:-1] + ("0" if claim_id[-1] != "0" else "1")
    draft = await filled_in(ayse)

    page = (await ayse.get(f"{draft}/partner")).text
    assert f'<option value="{claim_id}">Contoso · The old one</option>' in page
    await ayse.post(f"{draft}/partner", data=PARTNER | {"supersedes": foreign})
    refused = await ayse.post(f"{draft}/create")
    await ayse.post(f"{draft}/partner", data=PARTNER | {"supersedes": claim_id})
    assert "The old one" in (await ayse.get(f"{draft}/review")).text
    await ayse.post(f"{draft}/create")

    assert refused.status_code == 422
    assert "Choose one of your organisation&#39;s rejected claims." in refused.text
    claim = (await site.read(f"/api/claims/{id_of(draft)}", by=AYSE)).json()
    assert claim["supersedes"] == claim_id


async def test_what_is_filled_in_is_text(ayse: httpx.AsyncClient) -> None:
    """Whatever it looks like, on every page that shows it."""
    draft = await begun(ayse)
    for step, fields in STEPS.items():
        hostile = {name: [HOSTILE, "\0"] for name in fields} | {"go": "back"}
        assert (await ayse.post(f"{draft}/{step}", data=hostile)).status_code == 303

    addresses = ["/claims/new", *(f"{draft}/{name}" for name in (*STEPS, "review"))]
    pages = [await ayse.get(address) for address in addresses]
    pages += [
        await ayse.post(f"{draft}/{step}", data=dict.fromkeys(fields, HOSTILE))
        for step, fields in STEPS.items()
    ]

    for page in pages:
        assert page.status_code in {200, 422}
        assert "<script>alert" not in page.text
        assert not re.search(r" (style|on\w+)=", page.text)
        assert "unsafe" not in page.headers["content-security-policy"]


async def test_a_claim_is_created_in_turkish(ayse: httpx.AsyncClient) -> None:
    """Every page of the way, and what is wrong on it."""
    ayse.cookies.set("cpor_language", "tr")
    draft = await begun(ayse)

    start = (await ayse.get("/claims/new")).text
    wrong = (await ayse.post(f"{draft}/customer", data={"customer.domain": "x"})).text
    await ayse.post(f"{draft}/work", data=WORK | {"solution_area": "business_applications"})
    products = (await ayse.post(f"{draft}/products", data={"products": ["power_bi"]})).text
    review = (await ayse.get(f"{draft}/review")).text

    assert "Yarım kalan bir talebe devam edin" in start
    assert "Bu alan gereklidir." in wrong
    assert "company.example gibi bir etki alanı adı girin." in wrong
    assert "Şu ürünler için en az bir tane gereklidir: Power BI." in products
    assert "Hâlâ eksik ya da yanlış bir şey var." in review
    assert "İş Uygulamaları" in review
