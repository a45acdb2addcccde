"""Claims of the personas, brought to any point of their life; and forms of pages, filled in."""

import re
from html import unescape
from typing import Any, Final

import httpx

from domain.lifecycle import Phase
from tests.web.conftest import AUDITOR, Site

ACTORS: Final = {
    "ayse": "incentives_admin;1230010;ayse",
    "deniz": "reviewer;;deniz",
    "marta": "reviewer;;marta",
    "customer": "customer;;contact",
}

Way = tuple[tuple[str, dict[str, Any], str], ...]
"""Commands with their data, each by one of these."""

_ASKED: Final = ("require_action", {"reasons": ["missing_or_old_dates"], "comment": "When?"})
_REJECTED: Final = ("reject_claim", {"reasons": ["insufficient_poe"], "note": "Nothing in it."})
_DISPUTED: Final = ("open_dispute", {"justification": "See page 3."})
_SUBMITTED: Final[Way] = (("attach_poe", {}, "ayse"), ("submit_claim", {}, "ayse"))
_REVIEWED: Final[Way] = (*_SUBMITTED, ("start_review", {}, "deniz"))
_WAYS: Final[dict[Phase, Way]] = {
    Phase.EDITING: (),
    Phase.SUBMITTED: _SUBMITTED,
    Phase.UNDER_REVIEW: _REVIEWED,
    Phase.ACTION_REQUIRED: (*_REVIEWED, (*_ASKED, "deniz")),
    Phase.CONSENT_PENDING: (*_REVIEWED, ("approve_claim", {"note": "Fine."}, "deniz")),
    Phase.DISPUTABLE: (*_REVIEWED, (*_REJECTED, "deniz")),
    Phase.DISPUTED: (*_REVIEWED, (*_REJECTED, "deniz"), (*_DISPUTED, "ayse")),
    Phase.FINAL: (("request_rejection", {"explanation": "Wrong MPN id."}, "ayse"),),
}


async def bring(site: Site, claim_id: str, phase: Phase, **stated: object) -> None:
    """A claim of Ayşe's organisation, brought to this phase by its usual people."""
    await site.draft(claim_id, by=ACTORS["ayse"], **stated)
    for command, data, by in _WAYS[phase]:
        sent = data
        if command == "attach_poe":
            sent = {"document": (await site.upload(by=ACTORS["ayse"])).json(), "note": "signed"}
        await site.done(claim_id, command, sent, by=ACTORS[by])


async def as_it_stands(site: Site, claim_id: str) -> dict[str, Any]:
    """The claim, as an auditor reads it."""
    claim: dict[str, Any] = (await site.read(f"/api/claims/{claim_id}", by=AUDITOR)).json()
    return claim


def form_of(page: str, claim_id: str, command: str) -> dict[str, str]:
    """The hidden fields of a page's form for a command."""
    action = re.escape(f"/claims/{claim_id}/do/{command}")
    form = re.search(rf'<form[^>]*action="{action}">(.*?)</form>', page, re.DOTALL)
    assert form, f"no form for {command}"
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[1])
    return {name: unescape(value) for name, value in hidden}


async def fill_in(
    browser: httpx.AsyncClient, claim_id: str, command: str, **fields: object
) -> httpx.Response:
    """Open the claim's page, and send its form for a command, with these fields filled in."""
    page = await browser.get(f"/claims/{claim_id}")
    assert page.status_code == 200, page.text
    return await browser.post(
        f"/claims/{claim_id}/do/{command}",
        data={**form_of(page.text, claim_id, command), **fields},
    )
