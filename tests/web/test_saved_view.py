"""Views of the list: those of everybody, and those that somebody saved."""

from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.language.translation import Language
from services.resource import load_policy
from services.settings import Settings
from services.web.page.saved_view import MOST
from services.web.page.taste import Taste, Theme
from services.web.page.time_left import end_of_today
from tests.web.conftest import Site
from tests.web.listed import query_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def saved(browser: httpx.AsyncClient, name: str, query: str = "sla=missed") -> httpx.Response:
    """Save a view."""
    return await browser.post("/views", data={"name": name, "query": query})


async def views(browser: httpx.AsyncClient) -> str:
    """The part of the page that leads to views."""
    page = unescape((await browser.get("/claims")).text)
    return page[page.index('id="views"') : page.index("</nav>", page.index('id="views"'))]


async def test_a_view_is_saved_opened_and_deleted(site: Site) -> None:
    """By its owner, under a name; what the page was is no part of it."""
    ayse = await site.signed_in("ayse")

    response = await saved(ayse, "  My   view ", "status=approved&q=&after=x&limit=7")

    assert response.status_code == 303
    assert response.headers["location"] == "/claims?status=approved"
    page = (await ayse.get("/claims?status=approved")).text
    assert '<a href="/claims?status=approved" aria-current="page">' in page
    [action] = {part.split('"')[0] for part in page.split('action="/views/')[1:]}
    await ayse.post(f"/views/{action}")
    assert "My view" not in await views(ayse)


async def test_a_name_stands_for_one_view(site: Site) -> None:
    """Saving another one under it replaces the first."""
    ayse = await site.signed_in("ayse")
    await saved(ayse, "Mine", "sla=missed")
    await saved(ayse, "Mine", "sla=due_soon")

    assert (await views(ayse)).count("Mine") == 1
    assert 'href="/claims?sla=due_soon"' in await views(ayse)


@pytest.mark.rule("R25")
async def test_views_are_their_owners(site: Site) -> None:
    """Nobody else sees them, or deletes them."""
    ayse, jonas = await site.signed_in("ayse"), await site.signed_in("jonas")
    await saved(ayse, "Secret", "q=secret")
    page = (await ayse.get("/claims?q=secret")).text
    [action] = {part.split('"')[0] for part in page.split('action="/views/')[1:]}

    assert "Secret" not in await views(jonas)
    assert (await jonas.post(f"/views/{action}")).status_code == 404
    assert "Secret" in await views(ayse)


@pytest.mark.parametrize(
    "form",
    [
        {"name": " "},
        {"name": "x" * 61},
        {"name": "a\x00b"},
        {"query": "q=a"},
        {"name": "Wrong", "query": "colour=red"},
        {"name": "Wrong", "query": "tenant_id=a"},
    ],
)
async def test_what_is_no_view_is_refused(site: Site, form: dict[str, str]) -> None:
    """By a page."""
    ada = await site.signed_in("ada")

    response = await ada.post("/views", data=form)

    assert response.status_code == 422
    assert response.headers["content-type"].startswith("text/html")
    assert "Wrong" not in await views(ada)


async def test_there_is_an_end_to_saving(site: Site) -> None:
    """One may be replaced then, but none added."""
    olga = await site.signed_in("olga")
    answers = [(await saved(olga, f"View {number}")).status_code for number in range(MOST + 1)]

    assert answers == [303] * MOST + [422]
    assert (await saved(olga, "View 0", "q=a")).status_code == 303


async def test_a_name_is_no_markup(site: Site) -> None:
    """Whoever gives it."""
    marta = await site.signed_in("marta")
    await saved(marta, '"><script>alert(1)</script>')

    page = (await marta.get("/claims")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize(
    ("persona", "answer"),
    [("ayse", "whose_turn=partner"), ("deniz", "whose_turn=reviewer"), ("ada", None)],
)
async def test_everybody_has_views(site: Site, persona: str, answer: str | None) -> None:
    """What needs an answer only where somebody can give one."""
    browser = await site.signed_in(persona)
    shown = await views(browser)

    for query in ("sla=missed", "clock=consent", "clock=dispute_window"):
        assert f'href="/claims?{query}"' in shown
        assert (await browser.get(f"/claims?{query}")).status_code == 200
    assert ("Needs my answer" in shown) == (answer is not None)
    assert answer is None or f'href="/claims?{answer}"' in shown


async def test_due_today_leads_to_todays_address(site: Site) -> None:
    """It is a view like every other, and the current one there."""
    ayse = await site.signed_in("ayse")

    response = await ayse.get("/views/due-today")

    asked = dict(query_of(response))
    assert asked.keys() == {"sla", "due_before"}
    assert asked["sla"] == "due_soon"
    page = (await ayse.get(response.headers["location"])).text
    assert '<a href="/views/due-today" aria-current="page">' in page


@pytest.mark.rule("R16")
@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        ("UTC", (3, 12), (4, 0)),
        ("Europe/Istanbul", (3, 12), (4, 0)),
        ("Europe/Istanbul", (3, 22), (4, 21)),
        ("America/New_York", (3, 12), (4, 4)),
    ],
)
async def test_today_ends_with_the_readers_or_the_programmes_day(
    zone: str, now: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Whichever ends later: nothing that is due today is left out."""
    taste = Taste(Language.ENGLISH, Theme.AUTO, ZoneInfo(zone))

    ends_at = end_of_today(taste, load_policy(Settings()), _june(*now))

    assert ends_at == _june(*expected)


def _june(day: int, hour: int) -> datetime:
    return datetime(2031, 6, day, hour, tzinfo=UTC)
