"""Disputing a rejection on its page: with a justification, with new proof, and what is kept."""

import json
import re
from html import unescape
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from domain.actor import Actor
from domain.claim import MAX_DOCUMENTS
from domain.command import MAX_DOCUMENT_BYTES
from domain.lifecycle import Phase
from domain.vocabulary import Role
from services.web import session
from services.web.page.draft import LIFETIME, dispute_of
from services.web.page.sign_in import PERSONAS
from services.web.session import Person
from tests.web.conftest import OPERATOR, PROOF, Site
from tests.web.life import ACTORS, as_it_stands, bring

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R11")]

NEW: Final = PROOF + b"new"
COLLEAGUE: Final = Person("Emre", Actor(role=Role.BILLING_ADMIN, org="1230010", id="emre"))


def address(claim_id: str) -> str:
    """Where the form is, and is sent to."""
    return f"/claims/{claim_id}/dispute"


def form_of(page: str) -> dict[str, Any]:
    """The form as it is filled in."""
    form = page[page.index('enctype="multipart/form-data"') :].partition("</form>")[0]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    [text] = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", form, re.DOTALL)
    documents = re.findall(r'name="documents" value="([^"]*)" checked', form)
    return {
        **{name: unescape(value) for name, value in hidden},
        "justification": unescape(text),
        "documents": [unescape(each) for each in documents],
    }


def names(page: str) -> list[str]:
    """The documents of a form, by their names."""
    return [json.loads(each)["filename"] for each in form_of(page)["documents"]]


async def send(
    browser: httpx.AsyncClient,
    claim_id: str,
    *,
    go: str,
    content: bytes = b"",
    filename: str = "",
    form: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    **fields: object,
) -> httpx.Response:
    """Fill the form in as it is shown, or this one, and press a button of it, as browsers do."""
    if form is None:
        form = form_of((await browser.get(address(claim_id))).text)
    return await browser.post(
        address(claim_id),
        data={**form, **fields, "go": go},
        files={"file": (filename, content, "application/octet-stream")},
        headers=headers,
    )


async def test_a_dispute_is_opened_with_new_proof(site: Site, claim_id: str) -> None:
    """Without JavaScript: one document after the other, then the dispute with all of them."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    claim_page = (await browser.get(f"/claims/{claim_id}")).text
    assert f'class="btn btn-primary deed-button" href="{address(claim_id)}"' in claim_page
    asked = (await browser.get(address(claim_id))).text
    assert "Nothing in it." in asked  # what the reviewer wrote in rejecting it

    first = await send(browser, claim_id, go="add", content=NEW, filename="annex.pdf")
    second = await send(
        browser,
        claim_id,
        go="add",
        content=NEW + b"2",
        filename="invoice.pdf",
        form=form_of(first.text),
        justification="It is\r\non page 3.",
    )
    opened = await send(
        browser,
        claim_id,
        go="open",
        content=NEW + b"3",
        filename="letter.pdf",
        form=form_of(second.text),
    )

    assert (first.status_code, second.status_code) == (200, 200)
    assert names(second.text) == ["annex.pdf", "invoice.pdf"]
    assert opened.headers["location"] == f"/claims/{claim_id}?done=open_dispute"
    claim = await as_it_stands(site, claim_id)
    assert (claim["status"], claim["dispute"]) == ("rejected", "open")
    assert [each["filename"] for each in claim["documents"]] == [
        *("sow.pdf", "annex.pdf", "invoice.pdf", "letter.pdf")
    ]
    history = (await site.read(f"/api/claims/{claim_id}/history", by=ACTORS["ayse"])).json()
    assert history["items"][-1]["data"]["justification"] == "It is\non page 3."


@pytest.mark.parametrize(
    ("justification", "content"), [("Page 3.", b""), ("", NEW)], ids=["justification", "proof"]
)
async def test_either_is_enough(
    site: Site, claim_id: str, justification: str, content: bytes
) -> None:
    """A justification alone, or a document alone."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")

    opened = await send(
        browser,
        claim_id,
        go="open",
        content=content,
        filename="annex.pdf" if content else "",
        justification=justification,
    )

    assert opened.status_code == 303, opened.text
    assert (await as_it_stands(site, claim_id))["dispute"] == "open"


async def test_nothing_is_not_enough(site: Site, claim_id: str) -> None:
    """It is said what is needed."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")

    refused = await send(browser, claim_id, go="open", justification=" \n")

    assert refused.status_code == 422
    assert "Give a justification, or add a new document." in refused.text
    assert (await as_it_stands(site, claim_id))["dispute"] == "none"


async def test_a_script_gets_a_fragment(site: Site, claim_id: str) -> None:
    """What came of the document, and the documents as the form has them now."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    script = {"HX-Request": "true"}

    added = await send(
        browser, claim_id, go="add", content=NEW, filename="annex.pdf", headers=script
    )
    wrong = await send(
        browser, claim_id, go="add", content=b"MZ\x00", filename="x.pdf", headers=script
    )

    assert added.status_code == 200
    assert 'data-answer="done"' in added.text
    assert "annex.pdf" in added.text
    assert "<html" not in added.text
    assert wrong.status_code == 415
    assert 'data-answer="wrong"' in wrong.text
    assert "annex.pdf" in wrong.text


@pytest.mark.parametrize(
    ("content", "filename", "status", "sentence"),
    [
        (b"", "", 422, "Choose a file that has a name."),
        (b"", "empty.pdf", 422, "The file is empty."),
        (b"MZ\x00\x01", "tool.exe", 415, "is none of the kinds that are taken"),
        (b"%PDF-" + b"x" * MAX_DOCUMENT_BYTES, "large.pdf", 413, "too large: 20 MiB"),
        (PROOF, "again.pdf", 409, "is already part of this claim"),
    ],
    ids=["none", "empty", "kind", "large", "attached before"],
)
async def test_a_document_that_can_not_be_taken_leaves_the_rest(
    site: Site, claim_id: str, content: bytes, filename: str, status: int, sentence: str
) -> None:
    """What was filled in stays; with the button that opens the dispute it is not opened either."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    kept = await send(
        browser, claim_id, go="add", content=NEW, filename="a.pdf", justification="Page 3."
    )

    for go in ("add", "open") if filename else ("add",):
        refused = await send(
            browser,
            claim_id,
            go=go,
            content=content,
            filename=filename,
            form=form_of(kept.text),
        )
        assert refused.status_code == status
        assert sentence in unescape(refused.text)
        assert 'id="wrong-file"' in refused.text
        assert form_of(refused.text)["justification"] == "Page 3."
        assert names(refused.text) == ["a.pdf"]
    assert (await as_it_stands(site, claim_id))["dispute"] == "none"


@pytest.mark.rule("R21")
async def test_a_claim_has_no_more_documents_with_a_dispute(site: Site, claim_id: str) -> None:
    """Those that it has, and those of the form, are twenty together at most."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    form = form_of((await browser.get(address(claim_id))).text)
    for number in range(1, MAX_DOCUMENTS):
        content, name = PROOF + b"%d" % number, f"{number}.pdf"
        added = await send(browser, claim_id, go="add", content=content, filename=name, form=form)
        assert added.status_code == 200
        form = form_of(added.text)

    refused = await send(browser, claim_id, go="add", content=NEW, filename="x.pdf", form=form)

    assert 'type="file"' not in refused.text
    assert refused.status_code == 422
    assert "A claim has at most 20 documents." in refused.text
    assert (await send(browser, claim_id, go="open", form=form)).status_code == 303
    assert len((await as_it_stands(site, claim_id))["documents"]) == MAX_DOCUMENTS


async def test_what_is_filled_in_is_kept_for_its_author(site: Site, claim_id: str) -> None:
    """While it is filled in, too; a colleague sees nothing of it; nothing is left in the end."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    added = form_of(
        (await send(browser, claim_id, go="add", content=NEW, filename="annex.pdf")).text
    )
    typed = await browser.post(
        f"{address(claim_id)}/keep", data={**added, "justification": "half a sen"}
    )

    assert typed.status_code == 204
    page = (await browser.get(address(claim_id))).text
    assert form_of(page) == {**added, "justification": "half a sen"}
    assert await drafts(site, claim_id) == [("open_dispute", "ayse")]
    assert "half a sen" not in (await browser.get("/claims/new")).text
    async with site.app.state.backend.pool.connection() as connection:
        token = await session.begin(connection, COLLEAGUE)
    colleague = site.browser()
    colleague.cookies.set(session.COOKIE, token)
    assert names((await colleague.get(address(claim_id))).text) == []
    assert f"deleted {LIFETIME.days} days" in page

    left_out = await send(browser, claim_id, go="open", form=form_of(page), documents=[])

    assert left_out.status_code == 303
    assert await drafts(site, claim_id) == []
    assert len((await as_it_stands(site, claim_id))["documents"]) == 1


async def test_a_form_sent_twice_has_its_effect_once(site: Site, claim_id: str) -> None:
    """Its command id was made with it."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    form = form_of((await send(browser, claim_id, go="add", content=NEW, filename="a.pdf")).text)

    answers = [await send(browser, claim_id, go="open", form=form) for _ in range(2)]

    assert [each.status_code for each in answers] == [303, 303]
    assert len((await as_it_stands(site, claim_id))["documents"]) == 2
    assert await drafts(site, claim_id) == []


async def test_who_comes_too_late_is_told_and_loses_no_word(own_site: Site, claim_id: str) -> None:
    """The window has closed while the form was filled in."""
    await bring(own_site, claim_id, Phase.DISPUTABLE)
    browser = await own_site.signed_in("ayse")
    form = form_of((await browser.get(address(claim_id))).text)
    moved = await own_site.client.post(
        "/dev/clock", json={"advance": "P32D"}, headers={"X-Cpor-Actor": OPERATOR}
    )
    assert moved.status_code == 200

    refused = await send(browser, claim_id, go="open", form=form, justification="Page 3.")

    assert refused.status_code in {409, 412}
    assert "The period for this has passed." in refused.text
    assert '<blockquote class="words">Page 3.</blockquote>' in refused.text
    assert 'type="file"' not in refused.text
    assert (await as_it_stands(own_site, claim_id))["dispute"] == "window_closed"


async def test_an_unknown_outcome_is_asked_for_again(own_site: Site, claim_id: str) -> None:
    """By the same form: whether or not it was recorded, it has its effect once."""
    await bring(own_site, claim_id, Phase.DISPUTABLE)
    browser = await own_site.signed_in("ayse")
    await own_site.services.stop("claims")

    unknown = await send(browser, claim_id, go="open", justification="Is anybody there?")

    assert unknown.status_code == 504
    own_site.services.start("claims")
    again = await send(browser, claim_id, go="open", form=form_of(unknown.text))
    assert again.status_code == 303
    assert (await as_it_stands(own_site, claim_id))["dispute"] == "open"


async def test_it_is_possible_where_the_lifecycle_has_it(site: Site, claim_id: str) -> None:
    """Elsewhere the page says why not, with the rule; a form sent all the same is refused."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    browser = await site.signed_in("ayse")
    before = await as_it_stands(site, claim_id)

    page = (await browser.get(address(claim_id))).text
    form = {"command_id": "forged", "version": str(before["version"])}
    forged = await send(browser, claim_id, go="open", form=form, justification="x")
    uploaded = await send(browser, claim_id, go="add", form=form, content=NEW, filename="a.pdf")

    assert "Possible once after a rejection by reviewers" in page
    assert '<span class="rule">R11</span>' in page
    assert 'type="file"' not in page
    assert (forged.status_code, uploaded.status_code) == (409, 409)
    assert await as_it_stands(site, claim_id) == before
    assert await drafts(site, claim_id) == []


async def test_only_what_the_page_gives_is_taken(site: Site, claim_id: str) -> None:
    """Neither a form without its hidden fields, nor what is no document, or no partner's own."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    form = form_of((await browser.get(address(claim_id))).text)
    foreign = {"digest": f"sha256:{7:064x}", "filename": "a", "media_type": "a/b", "size": 1}

    answers = [
        await send(browser, claim_id, go="open", form={"version": "6"}, justification="x"),
        await send(browser, claim_id, go="open", form={**form, "version": "x"}),
        await send(browser, claim_id, go="open", form={**form, "documents": ["{}"]}),
        await send(browser, claim_id, go="open", form={**form, "documents": [json.dumps(foreign)]}),
        await send(browser, claim_id, go="add", form={**form, "x": "y"}, content=NEW, filename="a"),
    ]

    assert [each.status_code for each in answers] == [422] * 5
    assert (await as_it_stands(site, claim_id))["dispute"] == "none"


@pytest.mark.rule("R25")
async def test_others_open_no_dispute(site: Site, claim_id: str) -> None:
    """Another organisation finds nothing; who may read the claim may still do nothing."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    form = {"command_id": "forged", "version": "5"}

    for persona, status in (("jonas", 404), ("deniz", 403), ("ada", 403), ("olga", 403)):
        browser = await site.signed_in(persona)
        assert (await browser.get(address(claim_id))).status_code == status
        sent = await send(browser, claim_id, go="open", form=form, justification="x")
        assert sent.status_code == status
        typed = await browser.post(f"{address(claim_id)}/keep", data=form)
        assert typed.status_code == status
    assert (await as_it_stands(site, claim_id))["dispute"] == "none"
    assert await drafts(site, claim_id) == []


async def test_the_page_is_turkish(site: Site, claim_id: str) -> None:
    """What is missing, too."""
    await bring(site, claim_id, Phase.DISPUTABLE)
    browser = await site.signed_in("ayse")
    browser.cookies.set("cpor_language", "tr")

    page = await browser.get(address(claim_id))
    refused = await send(browser, claim_id, go="open")

    assert "İş gerekçesi" in page.text
    assert "Gerekçe yazın ya da yeni bir belge ekleyin." in refused.text


async def drafts(site: Site, claim_id: str) -> list[tuple[str, str]]:
    """The forms that are kept of the claim's dispute: what for, and whose."""
    ids = [dispute_of(UUID(claim_id), each.actor) for each in (*PERSONAS, COLLEAGUE)]
    async with site.app.state.backend.pool.connection() as connection:
        rows = await connection.execute(
            "SELECT command, actor_id FROM cpor.drafts WHERE draft_id = ANY(%s)", [ids]
        )
        found: list[tuple[str, str]] = await rows.fetchall()
    return found
