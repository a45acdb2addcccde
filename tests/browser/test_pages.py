"""Every page, in both languages and themes, on a desk and on a phone: axe finds nothing."""

from typing import Final

import pytest

from tests.browser.conftest import LOOKS, Look, Visitors, examine

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGES: Final = ((None, "sign-in", "/sign-in"),)
"""Who looks at it, what its picture is called, and where it is."""


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize(("persona", "name", "path"), PAGES, ids=[name for _, name, _ in PAGES])
async def test_the_page_looks_well(
    visitors: Visitors, persona: str | None, name: str, path: str, look: Look
) -> None:
    """It opens, complains of nothing, and is no wider than the window."""
    async with visitors.visit(persona, look) as page:
        response = await page.goto(path)

        assert response is not None
        assert response.status == 200
        await examine(page, name, look)
