"""How many days are left of a claim's open clock, as the list of claims tells it."""

import re

import httpx
import pytest

from tests.web.conftest import OPERATOR, Site, browser_at, opened
from tests.web.listed import submitted

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R17")]

BEFORE_A_HOLIDAY = "2031-10-27T09:00:00Z"
"""Wednesday of this week is Turkey's Republic Day."""


async def test_days_are_those_of_the_calendar_that_the_claim_was_submitted_under(
    own_site: Site, claim_id: str
) -> None:
    """Whatever programme runs since; the claim's page says the same."""
    moved = await own_site.client.post(
        "/dev/clock", json={"set": BEFORE_A_HOLIDAY}, headers={"X-Cpor-Actor": OPERATOR}
    )
    assert moved.status_code == 200, moved.text
    await submitted(own_site, claim_id)
    other = own_site.settings.model_copy(update={"holidays": "TR", "policy": "partner-center-2023"})

    async with opened(other) as (app, _), browser_at(app) as browser:
        await browser.post("/sign-in", data={"persona": "ayse"})
        policy = app.state.backend.policy
        pages = [await browser.get(path) for path in ("/claims", f"/claims/{claim_id}")]

    assert (policy.name, policy.holiday_country) == ("partner-center-2023", "TR")
    assert [left(page) for page in pages] == ["5 business days left"] * 2


def left(page: httpx.Response) -> str:
    """The time that is left, on a page with one clock."""
    assert page.status_code == 200, page.text
    [found] = re.findall(r"\d+ business days? left", page.text)
    return str(found)
