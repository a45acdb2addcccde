"""Every page, in both languages and themes, on a desk and on a phone: axe finds nothing."""

from typing import Final, NamedTuple

import pytest

from services.demo.cast import part
from tests.browser.conftest import LOOKS, Look, Visitors, examine

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

APPROVED: Final = part(24).claim_id
"""Of Ayşe's organisation; disputed, upheld, and its consent period has passed."""
SUBMITTED: Final = part(30).claim_id
"""Of Ayşe's organisation, too."""
DISPUTABLE: Final = part(19).claim_id
"""Of Jonas's organisation."""


class Shown(NamedTuple):
    """A page: who looks at it, and where it is."""

    persona: str | None
    path: str


PAGES: Final = {
    "sign-in": Shown(None, "/sign-in"),
    "time-zone": Shown(None, "/taste"),
    "dead-link": Shown(None, "/consent/nobody-was-sent-this"),
    "claims-of-a-partner": Shown("ayse", "/claims"),
    "claims-searched": Shown("ayse", "/claims?q=nothing+like+this"),
    "claim-of-a-partner": Shown("ayse", f"/claims/{SUBMITTED}"),
    "edit": Shown("ayse", f"/claims/{SUBMITTED}/edit"),
    "add-proof": Shown("ayse", f"/claims/{SUBMITTED}/proof/add"),
    "dispute": Shown("jonas", f"/claims/{DISPUTABLE}/dispute"),
    "new-claim": Shown("ayse", "/claims/new"),
    "insights-of-a-partner": Shown("ayse", "/insights?period=all"),
    "queue": Shown("deniz", "/queue"),
    "claims": Shown("marta", "/claims"),
    "claim": Shown("marta", f"/claims/{APPROVED}"),
    "proof": Shown("marta", f"/claims/{APPROVED}/proof"),
    "history": Shown("ada", f"/claims/{APPROVED}/history"),
    "history-of-events": Shown("ada", f"/claims/{APPROVED}/history?view=events"),
    "history-then": Shown("ada", f"/claims/{APPROVED}/history?version=5"),
    "insights": Shown("ada", "/insights?period=all"),
    "operations": Shown("olga", "/operations"),
    "dead-letters": Shown("olga", "/operations/dead-letters"),
    "mails": Shown(None, "/dev/mail"),
    "mail": Shown(None, "/dev/mail/1"),
    "mail-as-text": Shown(None, "/dev/mail/1?view=text"),
    "mail-as-source": Shown(None, "/dev/mail/1?view=source"),
}
"""By the name of its picture."""
REFUSED: Final = {"dead-link": 404}


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", PAGES)
async def test_the_page_looks_well(visitors: Visitors, name: str, look: Look) -> None:
    """It opens, complains of nothing, and is no wider than the window."""
    shown = PAGES[name]
    async with visitors.visit(shown.persona, look, tolerant=name in REFUSED) as page:
        response = await page.goto(shown.path)

        assert response is not None
        assert response.status == REFUSED.get(name, 200)
        await examine(page, name, look)


@pytest.mark.parametrize("name", PAGES)
async def test_the_page_works_without_javascript(visitors: Visitors, name: str) -> None:
    """It says as much, and every form that it has can be sent by a button."""
    shown = PAGES[name]
    async with visitors.visit(shown.persona, javascript=False, tolerant=name in REFUSED) as page:
        response = await page.goto(shown.path)

        assert response is not None
        assert response.status == REFUSED.get(name, 200)
        assert await page.locator("h1").count() == 1
        for form in await page.locator("form").all():
            identity = await form.get_attribute("id")
            outside = page.locator(f"button[form='{identity}']") if identity else None
            buttons = await form.locator("button, input[type=submit]").count()
            assert buttons or (outside and await outside.count()), await form.inner_html()
