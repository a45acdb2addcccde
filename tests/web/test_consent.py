"""The customer's say: what merely looks never declines."""

import pytest

from tests.web.conftest import AYSE, CUSTOMER, Site
from tests.web.test_documentation import DOCUMENT
from tests.web.test_page_consent import page_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

READS = sorted(path for path, methods in DOCUMENT["paths"].items() if "get" in methods)


@pytest.mark.rule("R27")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_opening_an_address_never_declines(site: Site, claim_id: str, method: str) -> None:
    """Whatever a mail scanner or a browser opens ahead; only the explicit step has an effect."""
    await site.approved(claim_id)
    addresses = [path.replace("{claim_id}", claim_id) for path in READS]
    page = await page_of(site, claim_id)
    addresses += [f"/api/claims/{claim_id}/decline_consent", page]

    statuses = {
        address: (
            await site.client.request(method, address, headers={"X-Cpor-Actor": CUSTOMER})
        ).status_code
        for address in addresses
    }

    assert statuses[page] == 200
    assert (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()["consent"] == "pending"
    declined = await site.send(claim_id, "decline_consent", by=CUSTOMER)
    assert declined.json()["events"] == ["consent_declined", "rejected"]
