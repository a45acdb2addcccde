"""The page of insights: figures of the claims that somebody may see, for a period of their days."""

import json
import re
from datetime import date
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.web.page.insight import Days
from services.web.page.taste import TIME_ZONE
from tests.web.conftest import DENIZ, OPERATOR, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTNER = "incentives_admin;1230010;ayse"


async def text_of(browser: httpx.AsyncClient, path: str = "/insights") -> str:
    """What the page says."""
    response = await browser.get(path)
    assert response.status_code == 200, response.text
    return response.text


def cells(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table beneath a heading: what stands beside each name."""
    table = page.partition(f'aria-labelledby="{heading}">')[2].partition("<tbody>")[2]
    rows = re.findall(
        r'<th scope="row">(.*?)</th>(.*?)</tr>', table.partition("</tbody>")[0], re.DOTALL
    )
    return {
        re.sub(r"<[^>]*>", "", name).strip(): re.findall(r'<td class="num">(.*?)</td>', row)
        for name, row in rows
    }


async def move(site: Site, **movement: str) -> None:
    """Move the clock."""
    answer = await site.client.post("/dev/clock", json=movement, headers={"X-Cpor-Actor": OPERATOR})
    assert answer.status_code == 200, answer.text


async def test_a_claims_life_is_counted(own_site: Site, claim_id: str) -> None:
    """For its organisation and for reviewers; another organisation has nothing to count."""
    await move(own_site, set="2031-05-19T09:00:00Z")
    await own_site.draft(claim_id, by=PARTNER)
    document = (await own_site.upload(by=PARTNER)).json()
    await own_site.done(claim_id, "attach_poe", {"document": document}, by=PARTNER)
    await move(own_site, advance="P1D")
    await own_site.done(claim_id, "submit_claim", by=PARTNER)
    await move(own_site, advance="P8D")  # longer than the review may take to start
    await own_site.done(claim_id, "start_review", by=DENIZ)
    await own_site.done(
        claim_id, "reject_claim", {"reasons": ["insufficient_poe"], "note": "no"}, by=DENIZ
    )

    for persona in ("ayse", "deniz", "ada", "olga"):
        page = await text_of(await own_site.signed_in(persona))
        steps = cells(page, "steps")
        assert steps["Created"] == steps["Decided"] == ["1", "100%"]
        assert steps["Approved"] == ["0", "0%"]
        assert cells(page, "kept")["Review is to start"] == ["0", "1", "0%"]
        assert cells(page, "stages")["Submitted"] == ["1", "8.0", "8.0"]
        assert cells(page, "held")["Partner"] == ["1.0", "11%"]
        assert cells(page, "reasons")["Proof of execution is insufficient"] == ["1", "100%"]
    drawn = re.findall(r'<script type="application/json">(.*?)</script>', page)
    assert json.loads(drawn[0])["series"][0]["values"] == [1, 1, 1, 1, 0, 0]
    jonas = await text_of(await own_site.signed_in("jonas"))
    assert "Nothing of this happened in the period." in jonas
    assert "2340020" in jonas
    earlier = await text_of(await own_site.signed_in("ada"), "/insights?to=2031-05-01")
    assert not cells(earlier, "steps")


async def test_a_period_is_an_address(site: Site) -> None:
    """By its name, or by its days, which the form then shows."""
    ada = await site.signed_in("ada")

    named = await text_of(ada, "/insights?period=year")
    chosen = await text_of(ada, "/insights?from=2031-05-01&to=2031-05-31")

    assert re.search(r'period=year" aria-current="true"', named)
    assert 'value="2031-05-01"' in chosen
    assert 'value="2031-05-31"' in chosen
    assert 'aria-current="true"' not in chosen


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("from=2031-05-02&to=2031-05-01", "must not be before the first day"),
        ("from=tomorrow", "Enter a day such as"),
        ("to=9999-12-31", "Enter a year from 2000 to 2099"),
    ],
)
async def test_what_is_no_period_is_refused(site: Site, query: str, wrong: str) -> None:
    """Beside the field, which keeps what was filled in."""
    ada = await site.signed_in("ada")

    response = await ada.get(f"/insights?{query}")

    assert response.status_code == 422
    assert wrong in response.text
    assert "tomorrow" not in query or 'value="tomorrow"' in response.text
    assert (await ada.get("/insights?period=decade")).status_code == 422


async def test_days_are_the_readers_own() -> None:
    """From their midnight to their midnight, also when the clocks go back in between."""
    period = Days(date(2031, 10, 26), date(2031, 10, 26)).period(ZoneInfo("Europe/Berlin"))

    assert period.since is not None
    assert period.until is not None
    assert period.since.isoformat() == "2031-10-26T00:00:00+02:00"
    assert period.until.isoformat() == "2031-10-27T00:00:00+01:00"


async def test_the_time_zone_is_named(site: Site) -> None:
    """So that everybody knows whose days they are."""
    ada = await site.signed_in("ada")
    ada.cookies.set(TIME_ZONE, "Europe/Istanbul")

    assert "Europe/Istanbul" in await text_of(ada)
