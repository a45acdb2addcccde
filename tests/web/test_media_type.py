"""What a document is, is told by its content."""

import io
import zipfile
from pathlib import Path

import pytest

from services.media_type import UnknownMediaType, recognise, safe_name

OFFICE = "application/vnd.openxmlformats-officedocument."
CONTENT_TYPES = ("[Content_Types].xml", "<Types/>")


def archive(*members: tuple[str, str], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as zipped:
        for name, text in members:
            zipped.writestr(name, text)
    return content.getvalue()


def nested() -> bytes:
    """A presentation that carries a spreadsheet, stored as it is."""
    sheet = archive(CONTENT_TYPES, ("xl/workbook.xml", "<workbook/>"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        zipped.writestr(*CONTENT_TYPES)
        zipped.writestr("ppt/presentation.xml", "<presentation/>")
        zipped.writestr("ppt/embeddings/sheet.xlsx", sheet)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7\n%%EOF\n", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"II*\x00" + bytes(20), "image/tiff"),
        (b"MM\x00*" + bytes(20), "image/tiff"),
        (
            archive(CONTENT_TYPES, ("word/document.xml", "<w/>")),
            OFFICE + "wordprocessingml.document",
        ),
        (archive(("xl/workbook.xml", "<x/>"), CONTENT_TYPES), OFFICE + "spreadsheetml.sheet"),
        (nested(), OFFICE + "presentationml.presentation"),
        (
            archive(
                ("mimetype", "application/vnd.oasis.opendocument.text"), how=zipfile.ZIP_STORED
            ),
            "application/vnd.oasis.opendocument.text",
        ),
        ("Statement of work – imzalı".encode(), "text/plain"),
        (b"\xef\xbb\xbfwith a mark", "text/plain"),
    ],
)
def test_known_kinds_are_recognised(tmp_path: Path, content: bytes, media_type: str) -> None:
    """Whatever the file is called."""
    file = tmp_path / "x.exe"
    file.write_bytes(content)

    assert recognise(file) == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\x00",
        b"\x7fELF",
        b"GIF89a\x00\x01",
        b"text\x00with a zero",
        b"\xff\xfet\x00",
        b"cut off: \xc3",
        archive(("a.txt", "no document")),
        archive(CONTENT_TYPES, ("word/document.xml", ""), ("word/vbaProject.bin", "macros")),
        archive(("mimetype", "application/epub+zip"), how=zipfile.ZIP_STORED),
        b"PK\x03\x04",
    ],
)
def test_everything_else_is_not(tmp_path: Path, content: bytes) -> None:
    """Programs, archives, documents with macros, and what is no text."""
    file = tmp_path / "proof.pdf"
    file.write_bytes(content)

    with pytest.raises(UnknownMediaType):
        recognise(file)


@pytest.mark.parametrize(
    ("filename", "media_type", "safe"),
    [
        ("sow.PDF", "application/pdf", "sow.PDF"),
        ("sow.html", "text/plain", "sow.html.txt"),
        ("sow", "image/jpeg", "sow.jpg"),
        ("sow", "application/of-another-time", "sow.bin"),
    ],
)
def test_a_downloads_name_ends_like_its_content(filename: str, media_type: str, safe: str) -> None:
    """A page that came as text is not opened as a page."""
    assert safe_name(filename, media_type) == safe
