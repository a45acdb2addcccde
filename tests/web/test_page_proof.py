"""The proof of a claim: documents as they look, and hints at what they show."""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image

from services.demo.pdf import pdf
from tests.inspection import hostile
from tests.web.conftest import DENIZ, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

AYSE = "incentives_admin;1230010;ayse"
JONAS = "global_admin;2340020;jonas"
PROOF = pdf(
    "Statement of work",
    ["For Contoso <b>Ltd</b>", "Tenant 11111111-2222-4333-8444-555555555555", "Exchange Online"],
)


def claim(number: int) -> str:
    """A claim's id."""
    return str(UUID(int=(0xF00D << 96) + (4 << 76) + (8 << 60) + number))


async def attach(
    site: Site, claim_id: str, content: bytes, filename: str, note: str = ""
) -> Mapping[str, Any]:
    """Attach a document to a claim of ayse's."""
    document: dict[str, Any] = (await site.upload(content, filename, by=AYSE)).json()
    await site.done(claim_id, "attach_poe", {"document": document, "note": note}, by=AYSE)
    return document


async def test_a_proof_is_shown(site: Site) -> None:
    """Documents, pages, and what was found, with the place; what documents say stays text."""
    claim_id = claim(1)
    await site.draft(claim_id, by=AYSE)
    document = await attach(site, claim_id, PROOF, "<i>sow.pdf", "the <u>signed</u> one")
    ayse = await site.signed_in("ayse")

    page = await ayse.get(f"/claims/{claim_id}/proof")

    assert page.status_code == HTTPStatus.OK
    assert "&lt;i&gt;sow.pdf" in page.text
    assert "the &lt;u&gt;signed&lt;/u&gt; one" in page.text
    assert "<mark>Exchange Online</mark>" in page.text
    assert "<mark>11111111-2222-4333-8444-555555555555</mark>" in page.text
    assert "<mark>Contoso</mark> &lt;b&gt;Ltd&lt;/b&gt;" in page.text
    assert re.findall(r"(found|not found|only older or later ones)</span></p>", page.text) == [
        "not found",
        "found",
        "found",
        "found",
        "not found",
        "not found",
    ]
    assert "Hints help; a person decides." in page.text
    here = f"/claims/{claim_id}/proof/{document['digest']}"
    assert f'href="{here}#page-{document["digest"][7:19]}-1"' in page.text
    assert 'loading="lazy" decoding="async" width="800" height="1132"' in page.text
    assert (await ayse.get(here)).status_code == HTTPStatus.OK
    drawn = await ayse.get(f"{here}/page/1.png")
    assert drawn.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(drawn.content)).size == (800, 1132)


async def test_a_page_is_drawn_in_few_ways(site: Site) -> None:
    """Of this width or that; of pages that are there."""
    claim_id = claim(2)
    await site.draft(claim_id, by=AYSE)
    document = await attach(site, claim_id, PROOF, "sow.pdf")
    ayse = await site.signed_in("ayse")
    here = f"/claims/{claim_id}/proof/{document['digest']}/page"

    async def status(path: str) -> int:
        return (await ayse.get(f"{here}/{path}")).status_code

    assert await status("1.png?width=1600") == HTTPStatus.OK
    assert await status("1.png?width=801") == HTTPStatus.UNPROCESSABLE_ENTITY
    assert await status("0.png") == HTTPStatus.UNPROCESSABLE_ENTITY
    assert await status("2.png") == HTTPStatus.NOT_FOUND


@pytest.mark.rule("R25")
async def test_a_proof_is_shown_to_whom_its_claim_is_readable(site: Site) -> None:
    """To others it looks as if there were none; operators may know of it, but not read it."""
    claim_id, absent = claim(3), claim(999)
    await site.draft(claim_id, by=AYSE)
    document = await attach(site, claim_id, PROOF, "sow.pdf")
    paths = ["", f"/{document['digest']}", f"/{document['digest']}/page/1.png"]

    async def told(persona: str, of: str) -> list[tuple[int, str]]:
        browser = await site.signed_in(persona)
        answers = [await browser.get(f"/claims/{of}/proof{path}") for path in paths]
        shown = [each.text.replace(of, "").rpartition("<main")[2] for each in answers]
        return [(each.status_code, text) for each, text in zip(answers, shown, strict=True)]

    for stranger in ("jonas", "deniz"):
        foreign = await told(stranger, claim_id)
        assert foreign == await told(stranger, absent)
        assert {status for status, _ in foreign} == {HTTPStatus.NOT_FOUND}
    assert {status for status, _ in await told("olga", claim_id)} == {HTTPStatus.FORBIDDEN}
    assert {status for status, _ in await told("ada", claim_id)} == {HTTPStatus.OK}

    await site.done(claim_id, "submit_claim", by=AYSE)

    assert {status for status, _ in await told("deniz", claim_id)} == {HTTPStatus.OK}


async def test_a_document_of_another_claim_is_not_there(site: Site) -> None:
    """Not even to its owner, by this address."""
    one, other = claim(4), claim(5)
    await site.draft(one, by=AYSE)
    await site.draft(other, by=AYSE)
    document = await attach(site, one, PROOF, "sow.pdf")
    ayse = await site.signed_in("ayse")

    for path in ("", "/page/1.png"):
        response = await ayse.get(f"/claims/{other}/proof/{document['digest']}{path}")
        assert response.status_code == HTTPStatus.NOT_FOUND


async def test_who_is_not_signed_in_is_led_to_the_sign_in(site: Site) -> None:
    """And back."""
    response = await site.browser().get(f"/claims/{claim(1)}/proof")

    assert response.status_code == HTTPStatus.SEE_OTHER
    assert response.headers["location"].startswith("/sign-in?to=")


@pytest.mark.rule("R21")
async def test_documents_can_be_added_where_it_is_possible(site: Site) -> None:
    """By the partner; not under review."""
    claim_id = claim(6)
    await site.draft(claim_id, by=AYSE)
    ayse, deniz = await site.signed_in("ayse"), await site.signed_in("deniz")
    empty = await ayse.get(f"/claims/{claim_id}/proof")
    await attach(site, claim_id, PROOF, "sow.pdf")
    await site.done(claim_id, "submit_claim", by=AYSE)

    async def may_add(browser: httpx.AsyncClient) -> bool:
        page = await browser.get(f"/claims/{claim_id}/proof")
        return f'href="/claims/{claim_id}/proof/add"' in page.text

    assert "No documents yet" in empty.text
    assert await may_add(ayse)
    assert not await may_add(deniz)
    await site.done(claim_id, "start_review", by=DENIZ)
    assert not await may_add(ayse)


async def test_a_document_that_cannot_be_shown_is_told_in_words(site: Site) -> None:
    """The page is there, and says what is wrong; the hints say where they see nothing."""
    claim_id = claim(7)
    await site.draft(claim_id, by=AYSE)
    ayse = await site.signed_in("ayse")
    for content, filename, words in (
        (b"%PDF-1.7\nstatement of work\n%%EOF\n", "broken.pdf", "This file can't be opened"),
        (hostile.encrypted_pdf(), "locked.pdf", "It is protected with a password."),
        (hostile.laughing_docx(), "laughing.docx", "declarations that documents of its kind"),
        (hostile.docx_bomb(), "bomb.docx", "takes more room than is allowed"),
        (hostile.docx(b"offer"), "offer.docx", "There is no preview of this kind of file."),
        (hostile.long_pdf(51), "long.pdf", "Only the first 50 of 51 pages were looked at."),
        (hostile.signed_pdf(), "signed.pdf", "The signature is not verified here."),
        (b"<script>alert(1)</script>", "notes.txt", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ):
        document = await attach(site, claim_id, content, filename)
        page = await ayse.get(f"/claims/{claim_id}/proof/{document['digest']}")
        assert page.status_code == HTTPStatus.OK
        assert words in re.sub(r"\s+", " ", page.text), filename

    page = await ayse.get(f"/claims/{claim_id}/proof")

    assert "not searched: broken.pdf, locked.pdf, laughing.docx, bomb.docx" in page.text
    assert "<script>alert(1)" not in page.text


async def test_the_web_goes_on_while_a_hostile_document_is_opened(site: Site) -> None:
    """Who asks for something else does not wait for it."""
    claim_id = claim(8)
    await site.draft(claim_id, by=AYSE)
    await attach(site, claim_id, hostile.endless_pdf(), "endless.pdf")
    ayse = await site.signed_in("ayse")
    opening = asyncio.create_task(ayse.get(f"/claims/{claim_id}/proof"))

    answered = 0
    while not (await asyncio.wait([opening], timeout=0.05))[0]:
        async with asyncio.timeout(2):
            assert (await site.client.get("/livez")).status_code == HTTPStatus.OK
        answered += 1

    assert answered > 10
    assert "can't be shown" in (await opening).text
