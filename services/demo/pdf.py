"""Small PDF documents, made on the fly: one page of text."""

import unicodedata
from collections.abc import Sequence


def pdf(title: str, lines: Sequence[str]) -> bytes:
    """A valid PDF 1.4 document of one page: a title, and lines of text beneath it."""
    shown = [f"/F1 16 Tf 72 760 Td ({_text(title)}) Tj /F1 11 Tf"]
    shown += [f"0 -{30 if not n else 18} Td ({_text(line)}) Tj" for n, line in enumerate(lines)]
    page = f"BT {' '.join(shown)} ET".encode("cp1252")
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources 6 0 R/Contents 5 0 R>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Length %d>>\nstream\n%b\nendstream" % (len(page), page),
        b"<</Font<</F1 4 0 R>>>>",
    )
    document = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets: list[int] = []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(document))
    return document + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table) + trailer


def _text(text: str) -> str:
    """Text as the standard fonts can show it, within the parentheses of a PDF string."""
    plain = "".join(_shown(character) for character in text)
    return plain.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _shown(character: str) -> str:
    """The character, or the letter beneath its marks where the fonts don't have it."""
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        base = {"ı": "i"}.get(character) or unicodedata.normalize("NFKD", character)[0]
        return base if base.isascii() else "?"
    return character
