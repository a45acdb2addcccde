"""A new claim's steps as somebody fills them in."""

from typing import Any, Final

import httpx

AYSE: Final = "incentives_admin;1230010;ayse"
"""The persona, as a header names her."""

CUSTOMER: Final[dict[str, Any]] = {
    "customer.name": "Contoso",
    "customer.domain": "contoso.example",
    "customer.tenant_id": "11111111-2222-4333-8444-555555555555",
    "customer_contact.name": "Zeynep Ak",
    "customer_contact.title": "CIO",
    "customer_contact.email": "zeynep@contoso.example",
}
WORK: Final[dict[str, Any]] = {"solution_area": "microsoft_365", "activities": ["usage"]}
PRODUCTS: Final[dict[str, Any]] = {"products": ["exchange", "teams"], "subscription_ids": ""}
PARTNER: Final[dict[str, Any]] = {
    "name": "Teams rollout",
    "mpn_id": "1230010",
    "partner_contact.name": "Ayşe Demir",
    "partner_contact.email": "ayse@partner.example",
    "supersedes": "",
}
STEPS: Final = {"customer": CUSTOMER, "work": WORK, "products": PRODUCTS, "partner": PARTNER}


async def begun(browser: httpx.AsyncClient) -> str:
    """Begin a draft: its address."""
    response = await browser.post("/claims/new")
    assert response.status_code == 303, response.text
    return response.headers["location"].rpartition("/")[0]


async def filled_in(browser: httpx.AsyncClient) -> str:
    """A draft with nothing missing: its address."""
    draft = await begun(browser)
    for step, fields in STEPS.items():
        response = await browser.post(f"{draft}/{step}", data=fields)
        assert response.status_code == 303, response.text
    return draft


def id_of(draft: str) -> str:
    """The id of a draft, and of the claim that it becomes."""
    return draft.rpartition("/")[2]
