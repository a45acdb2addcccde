"""Claims for the tests of the list: those of two personas' organisations."""

from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests.web.conftest import DENIZ, Site

AYSE = "incentives_admin;1230010;ayse"
"""The persona of this name."""
JONAS = "global_admin;2340020;jonas"


async def drafted(site: Site, claim_id: str, *, by: str = AYSE, **data: object) -> None:
    """A claim that is being edited."""
    await site.draft(claim_id, by=by, **data)


async def submitted(site: Site, claim_id: str, *, by: str = AYSE, **data: object) -> None:
    """A claim with a proof, submitted."""
    await site.draft(claim_id, by=by, **data)
    document: dict[str, Any] = (await site.upload(by=by)).json()
    await site.done(claim_id, "attach_poe", {"document": document}, by=by)
    await site.done(claim_id, "submit_claim", by=by)


async def decided(site: Site, claim_id: str, how: str, data: object, *, by: str = AYSE) -> None:
    """A claim about which a reviewer has decided."""
    await submitted(site, claim_id, by=by)
    await site.done(claim_id, "start_review", by=DENIZ)
    await site.done(claim_id, how, data, by=DENIZ)


def query_of(response: httpx.Response) -> list[tuple[str, str]]:
    """What the address asks for, to which a response leads."""
    return parse_qsl(httpx.URL(response.headers["location"]).query.decode())
