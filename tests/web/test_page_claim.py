"""The page of one claim: what each reader sees of it, and what nobody else learns."""

import re
from datetime import timedelta

import httpx
import pytest

from domain.lifecycle import Phase
from domain.vocabulary import ClockName
from services.web.page.deadline import open_deadline
from services.web.page.trial import folded
from tests.domain import examples as ex
from tests.projections.log import told
from tests.web.conftest import Site
from tests.web.life import ACTORS, bring, fill_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

NONE = "0f2c3d4e-0000-4000-8000-0000000000ff"
HOSTILE = '<script>alert(1)</script> 100% "%(text)s" {{ 7 * 7 }}'


def content(page: httpx.Response) -> str:
    """A page without its frame, which names the visitor and the time."""
    return page.text.partition('<main id="content"')[2]


async def test_a_claim_is_seen_whole(site: Site, claim_id: str) -> None:
    """How it stands, what it states, its proof, what was said, and until when."""
    await bring(site, claim_id, Phase.ACTION_REQUIRED)
    browser = await site.signed_in("ayse")

    response = await browser.get(f"/claims/{claim_id}")

    assert response.status_code == 200
    for each in (
        "Teams rollout",
        "Contoso",
        "Microsoft Teams",
        "Zeynep Ak, CIO, zeynep@contoso.example",
        "11111111-2222-4333-8444-555555555555",
        "Partner action required",
        "Partner is to respond",
        "5 business days left",
        "Why this date?",
        "Dates are missing or too old",
        "sow.pdf",
        "signed",
        "When?",
        f'href="/claims/{claim_id}/history"',
        f'href="/claims/{claim_id}/edit"',
        f'href="/claims/{claim_id}/proof"',
    ):
        assert each in response.text
    assert "unsafe" not in response.headers["content-security-policy"]
    assert "<script>" not in response.text
    assert "style=" not in response.text


async def test_a_claim_is_seen_in_turkish(site: Site, claim_id: str) -> None:
    """And in the reader's own time zone, with UTC at hand."""
    await bring(site, claim_id, Phase.CONSENT_PENDING)
    browser = await site.signed_in("ayse")
    browser.cookies.set("cpor_language", "tr")
    browser.cookies.set("cpor_time_zone", "Europe/Istanbul")

    page = (await browser.get(f"/claims/{claim_id}")).text

    for each in (
        "Onaylandı",
        "Müşteri reddedebilir",
        "7 gün kaldı",
        "Neden bu tarih?",
        "öncesinde",
    ):
        assert each in page
    assert '00:00:00 UTC">' in page.partition('class="clock-due"')[2]
    assert ", 03:00</time>" in page.partition('class="clock-due"')[2]


async def test_what_was_asked_for_is_shown_while_it_is_waited_for(
    site: Site, claim_id: str
) -> None:
    """Given up, the claim says why it was rejected."""
    await bring(site, claim_id, Phase.ACTION_REQUIRED)
    browser = await site.signed_in("ayse")

    before = (await browser.get(f"/claims/{claim_id}")).text
    await fill_in(browser, claim_id, "request_rejection", explanation="We gave it up.")
    after = (await browser.get(f"/claims/{claim_id}")).text

    asked, given_up = "<p>Dates are missing or too old</p>", "<p>At the partner&#39;s request</p>"
    assert (asked in before, given_up in before) == (True, False)
    assert (asked in after, given_up in after) == (False, True)


@pytest.mark.rule("R16")
async def test_a_deadline_names_its_days() -> None:
    """Day 0, the days that count, and those that don't, each with its reason."""
    claim = folded(told(*ex.UNDER_REVIEW))

    deadline = open_deadline(claim, ex.REVIEW_STARTED_AT)

    assert deadline is not None
    assert deadline.clock is ClockName.REVIEW_DECISION
    assert [(each.on.day, each.number, each.why) for each in deadline.days] == [
        (6, 0, ""),
        (7, 1, ""),
        (8, None, "weekend"),
        (9, None, "weekend"),
        (10, 2, ""),
        (11, 3, ""),
        (12, 4, ""),
        (13, 5, ""),
    ]
    assert deadline.days_left == 5


@pytest.mark.rule("R16")
async def test_days_are_left_until_there_are_none() -> None:
    """Those after today; none on the last day, and none once it has passed."""
    claim = folded(told(*ex.UNDER_REVIEW))

    left = [
        deadline.days_left
        for days in (0, 2, 4, 6, 7, 8, 30)
        if (deadline := open_deadline(claim, ex.REVIEW_STARTED_AT + timedelta(days=days)))
    ]

    assert left == [5, 4, 3, 1, 0, 0, 0]
    assert open_deadline(folded(told(*ex.EDITING)), ex.CREATED_AT) is None


@pytest.mark.rule("R25")
@pytest.mark.parametrize("persona", ["jonas", "deniz"])
async def test_a_foreign_claim_looks_like_none(site: Site, claim_id: str, persona: str) -> None:
    """To another organisation, and to reviewers before submission, whatever they ask."""
    await bring(site, claim_id, Phase.EDITING)
    browser = await site.signed_in(persona)

    for path in ("", "/history", "/history?view=json", "/history?download=1", "/history?version=1"):
        answers = [await browser.get(f"/claims/{each}{path}") for each in (claim_id, NONE)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert content(answers[0]) == content(answers[1])
    for command in ("post_comment", "request_rejection", "approve_claim"):
        form = {"command_id": "x", "version": "1", "text": "x", "explanation": "x"}
        posts = [
            await browser.post(f"/claims/{each}/do/{command}", data=form)
            for each in (claim_id, NONE)
        ]
        assert [answer.status_code for answer in posts] == [404, 404]
        assert content(posts[0]) == content(posts[1])


@pytest.mark.rule("R24")
async def test_partners_learn_neither_who_reviewed_nor_what_they_noted(
    site: Site, claim_id: str
) -> None:
    """Reviewers, auditors and operators do; partners read "Reviewer"."""
    await bring(site, claim_id, Phase.CONSENT_PENDING)
    internal = {"text": "Looks odd to me.", "internal": True}
    await site.done(claim_id, "post_comment", internal, by=ACTORS["deniz"])

    for persona, knows in (("ayse", False), ("deniz", True), ("ada", True), ("olga", True)):
        browser = await site.signed_in(persona)
        for path in ("", "/history", "/history?view=events", "/history?view=json"):
            page = await browser.get(f"/claims/{claim_id}{path}")
            assert ("Looks odd to me." in content(page)) == knows
            assert ("deniz" in content(page)) == knows
            assert knows or "Reviewer" in content(page)


async def test_what_people_write_is_never_markup(site: Site, claim_id: str) -> None:
    """Not as a name, not as a comment, not when it is shown again."""
    await bring(site, claim_id, Phase.SUBMITTED, name=HOSTILE)
    await site.done(claim_id, "post_comment", {"text": HOSTILE}, by=ACTORS["ayse"])
    browser = await site.signed_in("ayse")

    pages = [
        (await browser.get(f"/claims/{claim_id}")).text,
        (await browser.get(f"/claims/{claim_id}/history")).text,
        (await browser.get(f"/claims/{claim_id}/history?view=events")).text,
        (await browser.get(f"/claims/{claim_id}/history?view=json")).text,
        (
            await browser.post(
                f"/claims/{claim_id}/do/resubmit_claim",
                data={"command_id": "x", "version": "4", "comment": HOSTILE},
            )
        ).text,
    ]

    for page in pages:
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; 100%" in page


@pytest.mark.rule("R25")
async def test_operators_get_no_documents(site: Site, claim_id: str) -> None:
    """They see that there are some."""
    await bring(site, claim_id, Phase.SUBMITTED)

    for persona, may in (("ayse", True), ("deniz", True), ("ada", True), ("olga", False)):
        browser = await site.signed_in(persona)
        page = (await browser.get(f"/claims/{claim_id}")).text
        assert "sow.pdf" in page
        assert (f"/api/claims/{claim_id}/documents/" in page) == may


async def test_who_does_nothing_is_offered_nothing(site: Site, claim_id: str) -> None:
    """Auditors and operators read; also while the customer is asked."""
    await bring(site, claim_id, Phase.CONSENT_PENDING)

    for persona in ("ada", "olga"):
        page = (await (await site.signed_in(persona)).get(f"/claims/{claim_id}")).text
        assert "What you can do" not in page
        assert f"/claims/{claim_id}/do/" not in page


async def test_only_our_own_words_confirm(site: Site, claim_id: str) -> None:
    """Whatever stands in the address."""
    await bring(site, claim_id, Phase.SUBMITTED)
    browser = await site.signed_in("ayse")

    done = (await browser.get(f"/claims/{claim_id}?done=submit_claim")).text
    unknown = (await browser.get(f"/claims/{claim_id}?done=Call+this+number")).text

    assert "The claim was submitted." in done
    assert 'class="said"' not in unknown


async def test_nobody_sees_it_without_signing_in(site: Site, claim_id: str) -> None:
    """They are led to the sign-in, and back."""
    browser = site.browser()

    for path in ("", "/history?view=events"):
        answer = await browser.get(f"/claims/{claim_id}{path}")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?to=%2Fclaims%2F")


async def test_the_page_tells_of_changes(site: Site, claim_id: str) -> None:
    """It listens to what happens; without JavaScript nothing shows."""
    await bring(site, claim_id, Phase.SUBMITTED)
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}")).text

    assert re.search(f'data-claim="{claim_id}" data-position="[1-9][0-9]*"', page)
    assert '<script src="/static/live.js" defer></script>' in page
    assert '<p class="live-notice" hidden>' in page
    assert '<script src="/static/claim.js" defer></script>' in page
