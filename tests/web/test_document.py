"""Documents over HTTP: taken in, given out to whom their claim is readable."""

import hashlib
from collections.abc import AsyncGenerator

import pytest

from domain.command import MAX_DOCUMENT_BYTES
from tests.web.conftest import AUDITOR, AYSE, DENIZ, JOHN, OPERATOR, PROOF, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIGEST = f"sha256:{hashlib.sha256(PROOF).hexdigest()}"


async def test_an_upload_answers_what_a_command_takes(site: Site) -> None:
    """201 with digest, name, recognised kind and size; the same again answers the same."""
    first, again = await site.upload(), await site.upload()

    assert first.status_code == again.status_code == 201
    assert (
        first.json()
        == again.json()
        == {
            "digest": DIGEST,
            "filename": "sow.pdf",
            "media_type": "application/pdf",
            "size": len(PROOF),
        }
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/sow.pdf", "sow.pdf"),
        ("C:\\Users\\ayse\\sow.pdf", "sow.pdf"),
        (" Sözleşme İmzalı.pdf ", "Sözleşme İmzalı.pdf"),
        ("a" * 196 + ".pdf", "a" * 196 + ".pdf"),
    ],
)
async def test_a_filename_is_its_last_part(site: Site, given: str, kept: str) -> None:
    """No path ever gets in."""
    response = await site.upload(filename=given)

    assert response.json()["filename"] == kept


@pytest.mark.parametrize(
    ("filename", "wrong"),
    [
        ("sow\u202efdp.exe", "must have a name of printable characters"),
        ("so\u0085w.pdf", "must have a name of printable characters"),
        ("a" * 197 + ".pdf", "must have a name of at most 200 characters; this one has 201"),
        ("..", "must have a name that is more than dots"),
        ("../...", "must have a name that is more than dots"),
        ("/", "must be a file with a name"),
        ("  ", "must be a file with a name"),
        ("", "must be a file with a name"),
    ],
)
async def test_a_filename_that_can_mislead_is_refused(
    site: Site, filename: str, wrong: str
) -> None:
    """Nothing unprintable, nothing overlong, nothing that is no name."""
    response = await site.upload(filename=filename)

    assert response.status_code == 422
    assert response.json()["errors"] == [{"pointer": "/file", "detail": wrong}]


async def test_content_decides_not_the_name(site: Site) -> None:
    """A program that is called .pdf is none of the kinds that are taken."""
    response = await site.upload(b"MZ\x90\x00\x03", "sow.pdf")

    assert response.status_code == 415
    assert "pdf, png" in response.json()["detail"]


async def test_an_empty_file_is_refused(site: Site) -> None:
    """It proves nothing."""
    response = await site.upload(b"")

    assert response.status_code == 422
    assert response.json()["errors"] == [{"pointer": "/file", "detail": "is empty"}]


async def test_a_document_has_at_most_20_mib(site: Site) -> None:
    """Exactly 20 MiB are taken, one byte more is not, and nothing of it is kept."""
    most = PROOF + bytes(MAX_DOCUMENT_BYTES - len(PROOF))
    before = files(site)

    too_large = await site.upload(most + b"x", "large.pdf")

    assert too_large.status_code == 413
    assert too_large.json()["type"] == "/problems/too_large"
    assert files(site) == before
    assert (await site.upload(most, "large.pdf")).status_code == 201


async def test_an_endless_upload_is_cut_off(site: Site) -> None:
    """By what has arrived, when nothing was announced."""
    boundary = b"--x\r\nContent-Disposition: form-data; name=file; filename=a.pdf\r\n\r\n"

    async def endless() -> AsyncGenerator[bytes]:
        yield boundary + PROOF
        for _ in range(25):
            yield bytes(1024 * 1024)

    response = await site.client.post(
        "/api/documents",
        content=endless(),
        headers={"X-Cpor-Actor": AYSE, "Content-Type": "multipart/form-data; boundary=x"},
    )

    assert response.status_code == 413


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
    ],
)
async def test_what_is_no_upload_is_refused(
    site: Site, content: bytes, content_type: str, status: int
) -> None:
    """Another kind of body, or a form that can't be read."""
    response = await site.client.post(
        "/api/documents",
        content=content,
        headers={"X-Cpor-Actor": AYSE, "Content-Type": content_type},
    )

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


FILE = ("file", ("a.pdf", PROOF))


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ([FILE, FILE], {"/file": "must be one file; upload each on its own"}),
        ([FILE, ("note", (None, b"signed"))], {"/note": "there is no such field"}),
        ([FILE, ("a/b", ("b.pdf", PROOF))], {"/a~1b": "there is no such field"}),
        ([("file", (None, b"text"))], {"/file": "must be a file with a name"}),
        ([("file", (None, bytes(2 * 1024 * 1024)))], {"/file": "must be a file with a name"}),
        (
            [("document", ("a.pdf", PROOF))],
            {"/document": "there is no such field", "/file": "is missing"},
        ),
    ],
)
async def test_a_form_that_is_not_one_file_is_refused(
    site: Site, parts: list[tuple[str, tuple[str | None, bytes]]], wrong: dict[str, str]
) -> None:
    """Each field that is wrong is named, and what is wrong with it."""
    response = await site.client.post("/api/documents", files=parts, headers={"X-Cpor-Actor": AYSE})

    assert response.status_code == 422
    assert {e["pointer"]: e["detail"] for e in response.json()["errors"]} == wrong


async def test_a_form_without_parts_is_refused(site: Site) -> None:
    """It can be read; the file is missing."""
    response = await site.client.post(
        "/api/documents",
        content=b"--x--\r\n",
        headers={"X-Cpor-Actor": AYSE, "Content-Type": "multipart/form-data; boundary=x"},
    )

    assert response.status_code == 422
    assert response.json()["errors"] == [{"pointer": "/file", "detail": "is missing"}]


@pytest.mark.parametrize("filename", [b'; filename=""', b'; filename="  "'])
async def test_a_file_without_a_name_is_refused(site: Site, filename: bytes) -> None:
    """As browsers send it when none was chosen."""
    response = await site.client.post(
        "/api/documents",
        content=b'--x\r\nContent-Disposition: form-data; name="file"'
        + filename
        + b"\r\n\r\n"
        + PROOF
        + b"\r\n--x--\r\n",
        headers={"X-Cpor-Actor": AYSE, "Content-Type": "multipart/form-data; boundary=x"},
    )

    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"pointer": "/file", "detail": "must be a file with a name"}
    ]


@pytest.mark.rule("R25")
@pytest.mark.parametrize("by", [DENIZ, AUDITOR, OPERATOR])
async def test_only_partners_upload(site: Site, by: str) -> None:
    """Others have nothing to prove."""
    assert (await site.upload(by=by)).status_code == 403


async def test_only_the_uploader_may_attach_it(site: Site, claim_id: str) -> None:
    """Knowing the digest of another organisation's document is not enough."""
    document = (await site.upload(b"%PDF-1.4 of another", by=AYSE)).json()
    await site.draft(claim_id, by=JOHN)

    response = await site.send(claim_id, "attach_poe", {"document": document}, by=JOHN)

    assert response.status_code == 422


@pytest.mark.rule("R25")
async def test_a_document_is_given_to_the_claims_readers(site: Site, claim_id: str) -> None:
    """Owner, reviewer and auditor; not the operator, and to others it is not there."""
    await site.submitted(claim_id)
    path = f"/api/claims/{claim_id}/documents/{DIGEST}"

    for by in (AYSE, DENIZ, AUDITOR):
        response = await site.read(path, by=by)
        assert response.status_code == 200
        assert response.content == PROOF
    assert (await site.read(path, by=OPERATOR)).status_code == 403
    assert (await site.read(path, by=JOHN)).status_code == 404


async def test_a_download_is_never_shown_in_place(site: Site, claim_id: str) -> None:
    """Not as a page, whatever it is called."""
    await site.draft(claim_id)
    page = b"<script>alert(1)</script>"
    document = (await site.upload(page, "s\u00f6w.html")).json()
    await site.done(claim_id, "attach_poe", {"document": document}, by=AYSE)

    response = await site.read(f"/api/claims/{claim_id}/documents/{document['digest']}", by=AYSE)

    headers = response.headers
    assert response.content == page
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''s%C3%B6w.html.txt"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("digest", ["sha256:0", "md5:" + "0" * 32, "..%2f..%2fetc%2fpasswd"])
async def test_a_digest_that_is_none_is_refused(site: Site, claim_id: str, digest: str) -> None:
    """It never comes near the files."""
    response = await site.read(f"/api/claims/{claim_id}/documents/{digest}", by=AYSE)

    assert response.status_code in {404, 422}
    for error in response.json().get("errors", ()):
        assert error == {
            "pointer": "/digest",
            "detail": "must be sha256: and 64 hexadecimal digits in lower case",
        }


async def test_a_document_of_another_claim_is_not_there(site: Site, claim_id: str) -> None:
    """A claim gives out its own documents only."""
    await site.upload()
    await site.draft(claim_id)

    response = await site.read(f"/api/claims/{claim_id}/documents/{DIGEST}", by=AYSE)

    assert response.status_code == 404


def files(site: Site) -> set[str]:
    """Everything in the document store."""
    return {str(path) for path in site.settings.data_dir.rglob("*") if path.is_file()}
