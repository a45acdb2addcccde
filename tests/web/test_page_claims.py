"""The list of claims as a page: what it shows to whom, its filters, order and pages."""

import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from domain.claim import EVENTS
from domain.refusal import Invalid
from domain.vocabulary import Status
from projections.query import ClaimQuery
from services.web.page.last_event import WORDS
from services.web.page.listing import PLAIN, address, due_by, read_query
from tests.claims.orders import CREATE
from tests.web.conftest import DENIZ, Site
from tests.web.listed import AYSE, JONAS, decided, drafted, query_of, submitted

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ("draft", "submitted", "consent", "disputable", "foreign", "foreign draft")
IDS = {name: str(uuid5(NAMESPACE_URL, f"list {name}")) for name in NAMES}
OWN = {"draft", "submitted", "consent", "disputable"}
TENANT = "5f7b2c1e-8d52-4e02-9d3c-0d2f8a1b7c44"
EVIL = '"><script>alert(1)</script>'
UTC_ZONE = ZoneInfo("UTC")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _claims(site: Site) -> AsyncGenerator[None]:
    customer = CREATE["customer"] | {"name": "Wingtip", "tenant_id": TENANT}
    await drafted(site, IDS["draft"], name=EVIL, products=["yammer"])
    await submitted(site, IDS["submitted"], name="Kadıköy", customer=customer)
    await decided(site, IDS["consent"], "approve_claim", {"note": "complete"})
    reasons = {"reasons": ["insufficient_poe"], "note": "unsigned"}
    await decided(site, IDS["disputable"], "reject_claim", reasons)
    await submitted(site, IDS["foreign"], by=JONAS, name="Unmistakable")
    await drafted(site, IDS["foreign draft"], by=JONAS, name="Unmistakable draft")
    yield


@pytest_asyncio.fixture(loop_scope="session")
async def ayse(site: Site) -> httpx.AsyncClient:
    """A partner's browser."""
    return await site.signed_in("ayse")


async def listed(browser: httpx.AsyncClient, **query: str | list[str]) -> list[str]:
    """The names of the claims that a page lists, in its order."""
    response = await browser.get("/claims", params=query, follow_redirects=True)
    assert response.status_code == 200, response.text
    names = {claim_id: name for name, claim_id in IDS.items()}
    return [names[each] for each in re.findall(r'<tr id="claim-([^"]+)"', response.text)]


async def test_who_is_not_signed_in_is_led_to_the_sign_in(browser: httpx.AsyncClient) -> None:
    """And back to the very view."""
    response = await browser.get("/claims?q=a")

    assert response.headers["location"] == "/sign-in?to=%2Fclaims%3Fq%3Da"


@pytest.mark.rule("R28")
async def test_what_is_due_comes_first(ayse: httpx.AsyncClient) -> None:
    """A claim without a deadline comes last; each says what people look for."""
    assert await listed(ayse) == ["submitted", "consent", "disputable", "draft"]

    page = unescape((await ayse.get("/claims")).text)

    for text in ("Kadıköy", "Wingtip", IDS["submitted"][:8], "Submitted", "Reviewer", "Customer"):
        assert text in page
    assert "5 business days left" in page
    assert re.search(r"\d+ days left", page)
    assert f'href="/claims/{IDS["submitted"]}"' in page
    assert 'href="/claims/new"' in page


@pytest.mark.rule("R25")
async def test_nobody_is_shown_what_they_may_not_see(site: Site, ayse: httpx.AsyncClient) -> None:
    """Not in a list, by a search or a filter, as a line, or in a count; reviewers see no drafts."""
    for query in ({}, {"q": "unmistakable"}, {"org": "2340020"}, {"status": "submitted"}):
        page = await ayse.get("/claims", params=query)
        assert IDS["foreign"] not in page.text
        assert "Unmistakable" not in page.text
    lines = await ayse.get("/claim-rows", params={"claim": list(IDS.values())})
    assert set(re.findall(r'id="claim-([^"]+)"', lines.text)) == {IDS[name] for name in OWN}
    assert re.search(r"Any status <span>4</span>", (await ayse.get("/claims")).text)

    marta = await site.signed_in("marta")

    assert await listed(marta, q="unmistakable") == ["foreign"]
    assert "2340020" in (await marta.get("/claims")).text
    assert 'href="/claims/new"' not in (await marta.get("/claims")).text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "submitted"}, {"submitted"}),
        ({"status": ["submitted", "approved"]}, {"submitted", "consent"}),
        ({"whose_turn": "partner"}, {"draft"}),
        ({"clock": "consent"}, {"consent"}),
        ({"clock": "dispute_window"}, {"disputable"}),
        ({"sla": "ok"}, OWN),
        ({"sla": "missed"}, set[str]()),
        ({"product": "yammer"}, {"draft"}),
        ({"tenant_id": TENANT}, {"submitted"}),
        ({"subscription_id": "none"}, set[str]()),
        ({"due_by": "2999-01-01"}, {"submitted", "consent", "disputable"}),
        ({"due_by": "2020-01-01"}, set[str]()),
        ({"due_before": "2999-01-01T00:00:00Z"}, {"submitted", "consent", "disputable"}),
        ({"q": "KADIKOY"}, {"submitted"}),
        ({"q": "", "status": "", "due_by": "", "product": ""}, OWN),
    ],
)
async def test_every_filter_is_an_address(
    ayse: httpx.AsyncClient, query: dict[str, str | list[str]], expected: set[str]
) -> None:
    """What a form leaves empty is not asked for."""
    assert set(await listed(ayse, **query)) == expected


async def test_orders_are_addresses(ayse: httpx.AsyncClient) -> None:
    """Each the other way round as well."""
    assert await listed(ayse, sort="created_at") == ["draft", "submitted", "consent", "disputable"]
    assert (await listed(ayse, sort="-created_at"))[-1] == "draft"


async def test_an_address_says_no_more_than_it_must(ayse: httpx.AsyncClient) -> None:
    """Whatever a form without JavaScript sends; then it stays as it is."""
    sent = {"q": " a ", "status": ["submitted", "approved"], "sla": "", "sort": "due_at"}

    response = await ayse.get("/claims", params=sent)

    assert response.status_code == 303
    assert query_of(response) == [("status", "approved"), ("status", "submitted"), ("q", "a")]
    assert (await ayse.get(response.headers["location"])).status_code == 200
    partial = await ayse.get("/claims", params=sent, headers={"HX-Request": "true"})
    assert partial.status_code == 200
    assert partial.headers["hx-push-url"] == response.headers["location"]


async def test_asking_again_is_no_step_to_go_back(ayse: httpx.AsyncClient) -> None:
    """Who types a word and presses Enter asks twice for the same."""
    asked = {"HX-Request": "true", "HX-Current-URL": f"{ayse.base_url}/claims?q=contoso"}

    again = await ayse.get("/claims", params={"q": "contoso"}, headers=asked)
    other = await ayse.get("/claims", params={"q": "contoso b"}, headers=asked)

    assert again.headers["hx-push-url"] == "false"
    assert other.headers["hx-push-url"] == "/claims?q=contoso+b"


async def test_pages_follow_each_other(ayse: httpx.AsyncClient) -> None:
    """By links, until there is none; and back to the first."""
    response = await ayse.get("/claims?limit=3")
    [further] = re.findall(r'href="([^"]+)" rel="next"', response.text)
    last = await ayse.get(unescape(further))

    assert "3 claims, and more follow" in response.text
    assert re.findall(r'<tr id="claim-([^"]+)"', last.text) == [IDS["draft"]]
    assert 'rel="next"' not in last.text
    assert 'href="/claims?limit=3"' in last.text


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"tenant_id": "a"}, "/tenant_id"),
        ({"due_by": "tomorrow"}, "/due_by"),
        ({"due_by": "9999-12-31"}, "/due_by"),
        ({"due_before": "0001-01-01T00:00:00Z"}, "/due_before"),
        ({"due_before": "9999-12-31T23:59:59-14:00"}, "/due_before"),
        ({"sort": "name"}, "/sort"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_form(
    ayse: httpx.AsyncClient, query: dict[str, str], pointer: str
) -> None:
    """Which holds what was filled in."""
    response = await ayse.get("/claims", params=query | {"q": "kept words"})

    assert response.status_code == 422
    assert pointer in response.text
    assert 'value="kept words"' in response.text


async def test_a_cursor_that_is_none_is_refused(ayse: httpx.AsyncClient) -> None:
    """By a page."""
    response = await ayse.get("/claims?after=x")

    assert response.status_code == 422
    assert response.headers["content-type"].startswith("text/html")


async def test_names_are_no_markup(ayse: httpx.AsyncClient) -> None:
    """Nor is what somebody looks for; and nothing stands in the page that its policy forbids."""
    page = (await ayse.get("/claims", params={"sort": "created_at", "q": EVIL})).text
    page += (await ayse.get("/claims")).text

    assert EVIL not in page
    assert EVIL in unescape(page)
    assert "<script>" not in page
    assert "style=" not in page
    assert not re.search(r"\son[a-z]+=", page)


async def test_the_form_works_by_itself(ayse: httpx.AsyncClient) -> None:
    """It is an ordinary one, sent to the list."""
    page = (await ayse.get("/claims?status=approved&clock=consent&q=contoso")).text

    form = page[page.index('<form class="filters') :].partition("</form>")[0]
    assert 'method="get" action="/claims"' in form
    assert 'type="submit"' in form
    assert 'value="contoso"' in form
    assert 'name="status" value="approved" checked' in form
    assert 'name="clock" value="consent" checked' in form
    assert 'name="org"' not in form


@pytest.mark.rule("R24")
async def test_an_internal_note_is_no_last_event_for_partners(
    site: Site, ayse: httpx.AsyncClient, claim_id: str
) -> None:
    """They read what came before it."""
    await submitted(site, claim_id)
    note = {"text": "doubtful", "internal": True}
    await site.done(claim_id, "post_comment", note, by=DENIZ)

    async def last(browser: httpx.AsyncClient) -> str:
        page = (await browser.get("/claim-rows", params={"claim": claim_id})).text
        [cell] = re.findall(r'data-label="Last event">([^<]*)<', page)
        return str(cell)

    assert await last(ayse) == "Submitted"
    assert await last(await site.signed_in("marta")) == "Comment"
    await site.done(claim_id, "request_rejection", {"explanation": "mistake"}, by=AYSE)


async def test_an_empty_list_says_what_to_do(site: Site, ayse: httpx.AsyncClient) -> None:
    """Nothing matches, nothing is in this view; Turkish as well."""
    ayse.cookies.set("cpor_language", "tr")

    assert "Eşleşen yok" in (await ayse.get("/claims?q=nobody")).text
    assert "Burada bir şey yok" in (await ayse.get("/claims?sla=missed")).text
    ada = await site.signed_in("ada")
    assert "Nothing matches" in (await ada.get("/claims?org=none")).text


async def test_every_event_has_a_word() -> None:
    """A new one must have one, too."""
    assert set(WORDS) == {event.event_name() for event in EVENTS.values()}


async def test_addresses_are_read_as_they_are_written() -> None:
    """Whatever is asked for."""
    query = ClaimQuery(
        status=(Status.APPROVED, Status.REJECTED),
        q="a&b=c ğ",
        due_before=datetime(2031, 3, 2, 21, 0, 1, tzinfo=UTC),
        sort=PLAIN.sort,
        limit=PLAIN.limit,
    )
    written = address(query)

    assert read_query(httpx.QueryParams(written).multi_items(), UTC_ZONE) == query
    assert address(PLAIN) == ""


async def test_a_day_is_the_readers() -> None:
    """All of it, its end included: that is when clocks are due."""
    istanbul = ZoneInfo("Europe/Istanbul")
    query = read_query([("due_by", "2031-03-02")], istanbul)
    end = datetime(2031, 3, 2, 21, tzinfo=UTC)

    assert query.due_before is not None
    assert end < query.due_before <= end + timedelta(seconds=1)
    assert due_by(query, istanbul) == "2031-03-02"
    with pytest.raises(Invalid):
        read_query([("due_by", "2.3.2031")], istanbul)
