"""What goes wrong on a page is told by a page, among the visitor's own places."""

import httpx
import pytest

from tests.web.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

AS_A_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN = ('href="/claims"', 'action="/sign-out"', "Ayşe Demir")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/operations", 403, "Only operators run the system."),
        ("/claims/0f2c3d4e-0000-4000-8000-0000000000ff", 404, "There is no such claim."),
        ("/claims/half-an-address", 422, "Wrong or unknown fields"),
        ("/nowhere", 404, "There is nothing at /nowhere."),
    ],
)
async def test_who_is_signed_in_stays_so(site: Site, path: str, status: int, said: str) -> None:
    """Whatever is refused, the way on is there."""
    browser = await site.signed_in("ayse")

    page = await browser.get(path, headers=AS_A_BROWSER)

    assert page.status_code == status
    for each in (said, *OWN):
        assert each in page.text


async def test_a_stranger_is_told_too(browser: httpx.AsyncClient) -> None:
    """Without places, as there are none for strangers."""
    page = await browser.get("/nowhere", headers=AS_A_BROWSER)

    assert page.status_code == 404
    assert "There is nothing at /nowhere." in page.text
    for each in OWN:
        assert each not in page.text


async def test_nothing_is_there_without_a_database(alone: httpx.AsyncClient) -> None:
    """Nobody can be known then, and the page says what it can."""
    page = await alone.get("/nowhere", headers=AS_A_BROWSER | {"Cookie": "cpor_session=any"})

    assert page.status_code == 404
    assert "There is nothing at /nowhere." in page.text


@pytest.mark.parametrize(("path", "headers"), [("/nowhere", {}), ("/api/nowhere", AS_A_BROWSER)])
async def test_programs_get_a_problem(
    alone: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    """As everywhere in the API, whoever looks at it."""
    answer = await alone.get(path, headers=headers)

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == f"there is nothing at {path}"
