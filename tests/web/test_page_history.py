"""The page of a claim's history: the story, all events, JSON, and the claim as it was then."""

import pytest

from domain.lifecycle import Phase
from tests.web.conftest import Site
from tests.web.life import ACTORS, bring

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_history_reads_as_a_story(site: Site, claim_id: str) -> None:
    """Sentences with actor, side and time, what changed, and the clocks."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}/history")).text

    for each in (
        "Created the claim “Teams rollout” for Contoso (contoso.example): Microsoft Teams,",
        "Attached the proof of execution sow.pdf. signed",
        "Reviewer started the review. A decision is due before",
        "Rejected: Proof of execution is insufficient. The partner may dispute it before",
        "Status: <del>Submitted</del> → Under review",
        "Closed the clock: Decision is due",
        "Opened the clock: Rejection may be disputed, before <time",
        "<strong>ayse</strong> · Partner ·",
    ):
        assert each in page
    assert "style=" not in page
    assert "<script>" not in page


async def test_a_history_is_told_in_turkish(site: Site, claim_id: str) -> None:
    """By the same sentences, with the names that things have there, in the reader's zone."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    await site.done(claim_id, "post_comment", {"text": "Neden?"}, by=ACTORS["ayse"])
    browser = await site.signed_in("ayse")
    browser.cookies.set("cpor_language", "tr")
    browser.cookies.set("cpor_time_zone", "Europe/Istanbul")

    page = (await browser.get(f"/claims/{claim_id}/history")).text

    for each in (
        "Contoso (contoso.example) için “Teams rollout” talebi oluşturuldu: Microsoft Teams,",
        "İncelemeyi başlatan: Gözden geçiren.",
        "Reddedildi: Yürütme kanıtı yetersiz.",
        ", 03:00 öncesinde itiraz edebilir.",
        "Yorum: Neden?",
        "Durum: <del>Gönderildi</del> → Gözden geçiriliyor",
    ):
        assert each in page


async def test_an_edit_shows_before_and_after(site: Site, claim_id: str) -> None:
    """Field by field."""
    await bring(site, claim_id, Phase.SUBMITTED)
    edit = {"products": ["teams"], "mpn_id": "99"}
    await site.done(claim_id, "edit_claim", edit, by=ACTORS["ayse"])
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}/history")).text

    assert "MPN id: <del>4567890</del> → 99" in page
    assert "the MPN id from 4567890 to 99; the products from Microsoft Teams," in page


async def test_all_events_stand_in_a_table(site: Site, claim_id: str) -> None:
    """With their data."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    await site.done(claim_id, "post_comment", {"text": "Şöyle <böyle>"}, by=ACTORS["ayse"])
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}/history?view=events")).text

    for each in ("created", "poe_attached", "submitted", "review_started"):
        assert f'<span class="mono">{each}</span>' in page
    assert page.count("<tr>") == 6
    assert "&#34;text&#34;: &#34;Şöyle &lt;böyle&gt;&#34;" in page
    assert "&#34;clock&#34;: &#34;review_decision&#34;" in page


async def test_commands_are_shown_to_who_looks_into_the_system(site: Site, claim_id: str) -> None:
    """To auditors and operators: by which command, from where."""
    await bring(site, claim_id, Phase.SUBMITTED)
    command_id = (await site.causes(claim_id))[0]["command_id"]

    for persona, may in (("ada", True), ("olga", True), ("ayse", False), ("deniz", False)):
        browser = await site.signed_in(persona)
        for view in ("story", "events"):
            page = (await browser.get(f"/claims/{claim_id}/history?view={view}")).text
            assert (command_id in page) == may
            assert ("/cpor/http" in page) == may


async def test_the_json_is_the_apis(site: Site, claim_id: str) -> None:
    """On the page, and to be downloaded."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    browser = await site.signed_in("ayse")
    answer = (await browser.get(f"/api/claims/{claim_id}/history")).json()

    shown = await browser.get(f"/claims/{claim_id}/history?view=json")
    download = await browser.get(f"/claims/{claim_id}/history?view=json&download=1")

    assert "&#34;event&#34;: &#34;review_started&#34;" in shown.text
    assert download.json() == answer
    assert download.headers["content-type"] == "application/json"
    assert download.headers["content-disposition"] == (
        f'attachment; filename="claim-{claim_id}-history.json"'
    )


async def test_the_slider_shows_the_claim_as_it_was(site: Site, claim_id: str) -> None:
    """By a form; what is another thing now is marked."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}/history?version=2")).text
    now = (await browser.get(f"/claims/{claim_id}/history")).text

    slider = page.partition('<form class="slider" method="get"')[2].partition("</form>")[0]
    assert 'type="range"' in slider
    assert 'min="1" max="4" value="2"' in slider
    assert '<button class="btn btn-sm btn-outline-secondary" type="submit">' in slider
    then = page.partition('id="then"')[2].partition("</aside>")[0]
    assert "Version 2 of 4, from" in then
    status = then.partition("<dt>Status</dt>")[2].partition("</dd>")[0]
    assert 'class="differs"' in status
    assert "Editing" in status
    assert "Under review" in status
    products = then.partition("<dt>Products</dt>")[2].partition("</dd>")[0]
    assert "differs" not in products
    assert 'class="step step-chosen" data-version="2"' in page
    assert "As it stands now, since" in now
    assert "differs" not in now


@pytest.mark.parametrize(
    ("query", "status"), [("version=9", 404), ("version=0", 422), ("view=film", 422)]
)
async def test_what_there_is_not_is_refused_by_a_page(
    site: Site, claim_id: str, query: str, status: int
) -> None:
    """A version to come, and a way to look at it that there is not."""
    await bring(site, claim_id, Phase.EDITING)
    browser = await site.signed_in("ayse")

    answer = await browser.get(f"/claims/{claim_id}/history?{query}")

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
