"""Adding proof of execution, on a page."""

import asyncio
from typing import Any

import httpx
import pytest

from domain.claim import MAX_DOCUMENTS
from domain.command import MAX_DOCUMENT_BYTES
from services.web.document import MAX_UPLOAD_BYTES
from tests.web.claim_form import AYSE
from tests.web.conftest import DENIZ, PROOF, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def add(
    browser: httpx.AsyncClient,
    claim_id: str,
    content: bytes = PROOF,
    filename: str = "sow.pdf",
    note: str = "",
    **headers: str,
) -> httpx.Response:
    """Send a document by the form."""
    return await browser.post(
        f"/claims/{claim_id}/proof/add",
        files={"file": (filename, content)},
        data={"note": note},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


async def documents(site: Site, claim_id: str) -> list[dict[str, Any]]:
    """What the claim has."""
    claim: dict[str, Any] = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    found: list[dict[str, Any]] = claim["documents"]
    return found


async def test_a_document_is_added(site: Site, claim_id: str) -> None:
    """With its note; added again it is there once."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    page = (await browser.get(f"/claims/{claim_id}/proof/add")).text
    assert "None yet." in page
    assert 'enctype="multipart/form-data"' in page

    answers = [await add(browser, claim_id, note="signed\r\non page 2") for _ in range(2)]

    assert [each.status_code for each in answers] == [303, 303]
    after = (await browser.get(answers[0].headers["location"])).text
    assert "part of the claim" in after
    assert "sow.pdf" in after
    [document] = await documents(site, claim_id)
    assert (document["filename"], document["note"]) == ("sow.pdf", "signed\non page 2")


async def test_a_script_gets_a_fragment(site: Site, claim_id: str) -> None:
    """What came of the document, and the documents as they are now."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")

    added = await add(browser, claim_id, HX_Request="true")
    wrong = await add(browser, claim_id, b"MZ\x00", "x.pdf", HX_Request="true")

    assert added.status_code == 200
    assert 'data-answer="done"' in added.text
    assert "sow.pdf" in added.text
    assert "<html" not in added.text
    assert wrong.status_code == 415
    assert 'data-answer="wrong"' in wrong.text
    assert "sow.pdf" in wrong.text


async def test_several_at_once_are_all_added(site: Site, claim_id: str) -> None:
    """As a script sends them."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")

    await asyncio.gather(
        *(add(browser, claim_id, PROOF + bytes([65 + n]), f"{n}.pdf") for n in range(4))
    )

    assert {each["filename"] for each in await documents(site, claim_id)} == {
        *("0.pdf", "1.pdf", "2.pdf", "3.pdf")
    }


@pytest.mark.parametrize(
    ("content", "filename", "status", "sentence"),
    [
        (b"", "empty.pdf", 422, "The file is empty."),
        (b"", "", 422, "Choose a file that has a name."),
        (b"MZ\x00\x01", "tool.exe", 415, "is none of the kinds that are taken"),
        (b"%PDF-" + b"x" * MAX_DOCUMENT_BYTES, "large.pdf", 413, "too large: 20 MiB"),
        (b"%PDF-" + b"x" * (MAX_DOCUMENT_BYTES + 2**20), "huge.pdf", 413, "too large: 20 MiB"),
        (PROOF, "a" * 201, 422, "name is too long, or can"),
        (PROOF, "fdp.\N{RIGHT-TO-LEFT OVERRIDE}exe.pdf", 422, "name is too long, or can"),
        (PROOF, "..", 422, "name is too long, or can"),
    ],
    ids=["empty", "none", "kind", "large", "huge", "long name", "reversed name", "dots"],
)
async def test_what_can_not_be_taken_is_said_clearly(
    site: Site, claim_id: str, content: bytes, filename: str, status: int, sentence: str
) -> None:
    """On the page itself, which keeps the note unless nothing was read; to a script, too."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")

    response = await add(browser, claim_id, content, filename, note="Signed on page 4.")
    scripted = await add(browser, claim_id, content, filename, HX_Request="true")

    assert response.status_code == scripted.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert sentence in response.text
    assert 'id="wrong-file"' in response.text
    assert sentence in scripted.text
    assert ("Signed on page 4." in response.text) is (len(content) < MAX_UPLOAD_BYTES)
    assert await documents(site, claim_id) == []


@pytest.mark.parametrize("filename", ['"><script>alert(1)</script>.pdf', "a' onclick='b.pdf"])
async def test_a_hostile_name_is_text(site: Site, claim_id: str, filename: str) -> None:
    """Wherever it is shown."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")

    await add(browser, claim_id, filename=filename, note=filename)
    wrong = await add(browser, claim_id, b"\x00", filename, note=filename)
    page = await browser.get(f"/claims/{claim_id}/proof/add")

    for response in (wrong, page):
        assert "<script>alert" not in response.text
        assert "' onclick='" not in response.text


async def test_a_line_break_in_a_name_is_none(site: Site, claim_id: str) -> None:
    """Browsers escape it; who does not is refused."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\nb.pdf"\r\n\r\n'
        + PROOF
        + b"\r\n--x--\r\n"
    )

    response = await browser.post(
        f"/claims/{claim_id}/proof/add",
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )

    assert response.status_code in {400, 422}
    assert await documents(site, claim_id) == []


@pytest.mark.rule("R21")
async def test_a_claim_has_at_most_twenty_documents(site: Site, claim_id: str) -> None:
    """The one after is refused, and none is asked for any more."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    for number in range(MAX_DOCUMENTS):
        answer = await add(browser, claim_id, PROOF + b"%d" % number, f"{number}.pdf")
        assert answer.status_code == 303

    refused = await add(browser, claim_id, PROOF + b"one more", "more.pdf")
    page = (await browser.get(f"/claims/{claim_id}/proof/add")).text

    assert refused.status_code == 422
    assert "A claim has at most 20 documents." in refused.text
    assert "as many documents as it can have" in page
    assert 'type="file"' not in page
    assert len(await documents(site, claim_id)) == MAX_DOCUMENTS


@pytest.mark.rule("R21")
async def test_proof_is_added_where_the_lifecycle_has_it(site: Site, claim_id: str) -> None:
    """Not while the claim is under review, and again once it is approved."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    await add(browser, claim_id)
    await site.done(claim_id, "submit_claim", by=AYSE)
    await site.done(claim_id, "start_review", by=DENIZ)

    page = (await browser.get(f"/claims/{claim_id}/proof/add")).text
    refused = await add(browser, claim_id, PROOF + b"2", "second.pdf")
    await site.done(claim_id, "approve_claim", by=DENIZ)
    added = await add(browser, claim_id, PROOF + b"2", "second.pdf")

    assert "In this state no proof can be added" in page
    assert 'type="file"' not in page
    assert refused.status_code == 409
    assert "This is not possible as the claim stands now." in refused.text
    assert added.status_code == 303
    assert len(await documents(site, claim_id)) == 2


@pytest.mark.rule("R25")
async def test_others_add_nothing(site: Site, claim_id: str) -> None:
    """Another organisation finds nothing; who may read the claim may still add nothing."""
    await site.draft(claim_id, by=AYSE)
    await add(await site.signed_in("ayse"), claim_id)
    await site.done(claim_id, "submit_claim", by=AYSE)

    for persona, status in (("jonas", 404), ("deniz", 403), ("ada", 403)):
        browser = await site.signed_in(persona)
        assert (await browser.get(f"/claims/{claim_id}/proof/add")).status_code == status
        assert (await add(browser, claim_id, PROOF + b"theirs")).status_code == status
    assert len(await documents(site, claim_id)) == 1


async def test_a_form_with_something_else_in_it_is_refused(site: Site, claim_id: str) -> None:
    """As the upload of the API refuses it; a form without a file, too."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    address = f"/claims/{claim_id}/proof/add"

    other = await browser.post(address, files={"file": ("a.pdf", PROOF), "other": ("b", b"b")})
    text = await browser.post(address, data={"file": "a.pdf"})

    assert other.status_code == 422
    assert text.status_code == 415
    assert await documents(site, claim_id) == []


async def test_the_page_is_turkish(site: Site, claim_id: str) -> None:
    """What is wrong with a document, too."""
    await site.draft(claim_id, by=AYSE)
    browser = await site.signed_in("ayse")
    browser.cookies.set("cpor_language", "tr")

    wrong = await add(browser, claim_id, b"")
    page = (await browser.get(f"/claims/{claim_id}/proof/add?created=1")).text

    assert "Dosya boş." in wrong.text
    assert "Talep oluşturuldu." in page
