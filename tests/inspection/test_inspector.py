"""Documents opened by a process of their own: what is seen in them, and what they can't do."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from services.demo.pdf import pdf
from services.document_store import DocumentStore
from services.inspection.finding import MAX_PAGES, Inspection, NotShown, Page, Problem
from services.inspection.inspector import Inspector
from tests.inspection import hostile
from tests.inspection.conftest import Keep


async def test_a_pdf_has_pages_with_text(inspector: Inspector, keep: Keep) -> None:
    """Their size is in points."""
    kept = keep(pdf("Statement of work", ["Signed: İpek Çelik"]))

    assert await inspector.inspect(kept.digest, kept.media_type) == Inspection(
        (Page(595, 842, "Statement of work\nSigned: Ipek Çelik"),), 1
    )


async def test_a_page_is_drawn(inspector: Inspector, keep: Keep) -> None:
    """As wide as asked for, and as high as it must be."""
    kept = keep(pdf("Statement of work", ["signed"]))

    drawn = Image.open(BytesIO(await inspector.draw(kept.digest, kept.media_type, 1, 800)))

    assert drawn.format == "PNG"
    assert (drawn.width, drawn.height) == (800, 1132)
    assert drawn.convert("L").getextrema() == (0, 255)


@pytest.mark.parametrize("number", [0, 2, 1_000_000_000_000])
async def test_a_page_that_is_not_there_is_not_drawn(
    inspector: Inspector, keep: Keep, number: int
) -> None:
    """Whatever number it should have."""
    kept = keep(pdf("Statement of work", ["signed"]))

    with pytest.raises(NotShown):
        await inspector.draw(kept.digest, kept.media_type, number, 800)


async def test_a_signature_field_is_counted(inspector: Inspector, keep: Keep) -> None:
    """It is not verified."""
    kept = keep(hostile.signed_pdf())

    assert (await inspector.inspect(kept.digest, kept.media_type)).signature_fields == 1


async def test_a_long_document_is_cut_off(inspector: Inspector, keep: Keep) -> None:
    """It is still told how many pages there are."""
    kept = keep(hostile.long_pdf(1000))

    inspection = await inspector.inspect(kept.digest, kept.media_type)

    assert (len(inspection.pages), inspection.page_count) == (MAX_PAGES, 1000)


async def test_text_is_read_as_it_is(inspector: Inspector, keep: Keep) -> None:
    """A mark of its encoding is no part of it."""
    kept = keep("\ufeff1 Şubat 2021\nİmzalandı".encode())

    assert await inspector.inspect(kept.digest, kept.media_type) == Inspection(
        (Page(0, 0, "1 Şubat 2021\nİmzalandı"),), 1
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (hostile.docx("Signed</w:t></w:r><w:r><w:t> by Çelik".encode()), "Signed by Çelik"),
        (hostile.xlsx("Exchange", "teams"), "Exchange teams"),
        (hostile.deep_docx(), "deep"),
    ],
    ids=["docx", "xlsx", "deep"],
)
async def test_office_documents_are_read(
    inspector: Inspector, keep: Keep, content: bytes, text: str
) -> None:
    """Their parts are pages without a size."""
    kept = keep(content)

    inspection = await inspector.inspect(kept.digest, kept.media_type)

    assert inspection.problem is None
    assert [" ".join(page.text.split()) for page in inspection.pages] == [text]


async def test_a_picture_is_drawn_without_what_it_tells_in_secret(
    inspector: Inspector, keep: Keep
) -> None:
    """It stands upright, and the place where it was taken is gone."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"
    kept = keep(hostile.saved(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif))

    inspection = await inspector.inspect(kept.digest, kept.media_type)
    drawn = await inspector.draw(kept.digest, kept.media_type, 1, 800)

    assert inspection == Inspection((Page(20, 40, ""),), 1)
    assert not inspection.has_text
    assert b"home" not in drawn
    picture = Image.open(BytesIO(drawn))
    assert (picture.size, dict(picture.getexif())) == ((800, 1600), {})


async def test_every_page_of_a_tiff_is_seen(inspector: Inspector, keep: Keep) -> None:
    """A scan may be one file."""
    first, second = Image.new("L", (10, 20), 255), Image.new("1", (30, 10), 0)
    kept = keep(hostile.saved(first, "TIFF", save_all=True, append_images=[second]))

    inspection = await inspector.inspect(kept.digest, kept.media_type)
    drawn = await inspector.draw(kept.digest, kept.media_type, 2, 800)

    assert inspection.pages == (Page(10, 20, ""), Page(30, 10, ""))
    assert Image.open(BytesIO(drawn)).size == (800, 267)


@pytest.mark.parametrize(
    ("make", "problems"),
    [
        (lambda: b"%PDF-1.7\nstatement of work\n%%EOF\n", {Problem.DAMAGED}),
        (lambda: pdf("Cut off", ["in the middle"])[:300], {Problem.DAMAGED}),
        (hostile.encrypted_pdf, {Problem.ENCRYPTED}),
        (hostile.circular_pdf, {Problem.DAMAGED}),
        (hostile.pdf_bomb, {Problem.CRASHED, Problem.TOO_LARGE}),
        (hostile.endless_pdf, {Problem.CRASHED, Problem.TOO_LARGE, Problem.TOO_SLOW}),
        (hostile.docx_bomb, {Problem.TOO_LARGE}),
        (hostile.laughing_docx, {Problem.FORBIDDEN}),
        (hostile.crowded_docx, {Problem.TOO_LARGE}),
        (hostile.vast_png, {Problem.TOO_LARGE}),
        (lambda: b"\x89PNG\r\n\x1a\n" + b"nothing", {Problem.DAMAGED}),
        (lambda: hostile.docx(b"<w:t>"), {Problem.DAMAGED}),
    ],
    ids=[
        "no-pdf", "half", "encrypted", "circular", "bomb", "endless", "docx-bomb", "laughs",
        "crowded", "vast-png", "no-png", "half-xml",
    ],
)  # fmt: skip
@pytest.mark.fault(64)
async def test_what_means_harm_is_told_and_does_none(
    inspector: Inspector, keep: Keep, make: Callable[[], bytes], problems: set[Problem]
) -> None:
    """It is over, no process is left, and another document is read as before."""
    kept, sound = keep(make()), keep(b"sound")
    before = psutil.Process().children()

    inspection = await inspector.inspect(kept.digest, kept.media_type)

    assert inspection.problem in problems
    assert inspection == Inspection(problem=inspection.problem)
    assert psutil.Process().children() == before
    assert (await inspector.inspect(sound.digest, sound.media_type)).problem is None


@pytest.mark.parametrize("make", [hostile.scripted_pdf, hostile.polyglot_pdf, hostile.vast_pdf])
async def test_a_document_does_nothing_by_itself(
    inspector: Inspector, keep: Keep, make: Callable[[], bytes]
) -> None:
    """Scripts don't run, and what else a file could be read as doesn't matter."""
    kept = keep(make())

    inspection = await inspector.inspect(kept.digest, kept.media_type)
    drawn = await inspector.draw(kept.digest, kept.media_type, 1, 800)

    assert inspection.page_count == 1
    assert drawn.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("make", "page"), [(lambda: hostile.png_bomb(7000), 1), (hostile.circular_tiff, 2)]
)
async def test_a_picture_that_is_too_much_is_not_drawn(
    inspector: Inspector, keep: Keep, make: Callable[[], bytes], page: int
) -> None:
    """Nor is the page that is another one again."""
    kept = keep(make())

    with pytest.raises(NotShown):
        await inspector.draw(kept.digest, kept.media_type, page, 800)


async def test_what_was_seen_is_kept(
    store: DocumentStore, inspector: Inspector, keep: Keep, tmp_path: Path
) -> None:
    """Also that a document can't be shown. The folder is for its owner, and may be removed."""
    kept, broken = keep(pdf("Statement", ["signed"])), keep(b"%PDF-broken")
    folder = tmp_path / "previews"
    seen = await inspector.inspect(kept.digest, kept.media_type)
    assert (await inspector.inspect(broken.digest, broken.media_type)).problem is Problem.DAMAGED
    files = {file.name: file.stat().st_ino for file in folder.iterdir()}

    again = Inspector(store, folder)

    assert await again.inspect(kept.digest, kept.media_type) == seen
    assert (await again.inspect(broken.digest, broken.media_type)).problem is Problem.DAMAGED
    assert {file.name: file.stat().st_ino for file in folder.iterdir()} == files
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert await again.inspect(kept.digest, kept.media_type) == seen


async def test_what_may_pass_is_not_kept(store: DocumentStore, keep: Keep, tmp_path: Path) -> None:
    """Too slow today says nothing about tomorrow; neither does content that is not there."""
    kept = keep(b"sound")
    hasty = Inspector(store, tmp_path / "previews", patience=0)
    assert (await hasty.inspect(kept.digest, kept.media_type)).problem is Problem.TOO_SLOW
    missing = await hasty.inspect(f"sha256:{'0' * 64}", "text/plain")
    assert missing.problem is Problem.MISSING

    patient = Inspector(store, tmp_path / "previews")

    assert (await patient.inspect(kept.digest, kept.media_type)).problem is None
