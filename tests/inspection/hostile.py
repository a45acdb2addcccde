"""Documents that mean harm, and some that are merely odd; each made by code, from what it is."""

import zlib
from collections.abc import Mapping
from io import BytesIO
from struct import pack
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image
from pypdf import PdfWriter

from services.demo.pdf import pdf

_MIB = 1024 * 1024
CONTENT_TYPES = "[Content_Types].xml"


def of_objects(*objects: bytes) -> bytes:
    """A PDF document of these objects; the first is its catalogue."""
    document, offsets = b"%PDF-1.7\n", list[int]()
    for number, each in enumerate(objects, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, start = len(objects) + 1, len(document)
    return document + (
        b"xref\n0 %d\n0000000000 65535 f \n%b"
        b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, table, size, start)
    )


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object of a PDF document."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(content), content)


_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"


def long_pdf(pages: int) -> bytes:
    """A document of many empty pages."""
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    return _written(writer)


def encrypted_pdf() -> bytes:
    """A document that opens with a password only."""
    writer = PdfWriter(BytesIO(pdf("Secret", ["signed"])))
    writer.encrypt("a password", algorithm="RC4-128")
    return _written(writer)


def scripted_pdf() -> bytes:
    """A document that runs a script when it is opened, and starts a program."""
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(while\\(true\\){})>>"
        b"/AA<</WC<</S/Launch/F(/bin/sh)>>>>>>",
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
    )


def signed_pdf() -> bytes:
    """A document with a field that holds a digital signature."""
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</SigFlags 3/Fields[4 0 R]>>>>",
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Annots[4 0 R]>>",
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Customer)/Rect[0 0 50 50]/P 3 0 R/V 5 0 R>>",
        b"<</Type/Sig/Filter/Adobe.PPKLite/ByteRange[0 1 2 3]/Contents<00>>>",
    )


def pdf_bomb() -> bytes:
    """A page whose content is a gigabyte, packed twice into a few kilobytes."""
    packer = zlib.compressobj(9)
    begin = packer.compress(b" " * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b" " * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    once = begin + again * 1023 + packer.flush()
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>",
        stream(zlib.compress(once, 9), b"/Filter[/FlateDecode/FlateDecode]"),
    )


def endless_pdf(depth: int = 12) -> bytes:
    """A page of ten forms, each of ten forms, and so on."""
    calls = b"/F Do " * 10
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]/Resources<</XObject<</F %d 0 R>>>>"
    forms = [stream(calls, entries % (number + 1)) for number in range(5, 5 + depth)]
    last = stream(b"0 0 10 10 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]")
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R"
        b"/Resources<</XObject<</F 5 0 R>>>>>>",
        stream(calls),
        *forms,
        last,
    )


def circular_pdf() -> bytes:
    """A document whose tree of pages is a branch of itself, and says that it has a billion."""
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1000000000>>"
    )


def vast_pdf() -> bytes:
    """A page as wide as a number can be."""
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 2000000000 1]>>",
    )


def polyglot_pdf() -> bytes:
    """A document that is a page with a script, too, and an archive."""
    archive = archived({"index.html": b"<script>alert(1)</script>"})
    return pdf("<script>alert(1)</script>", ["<img src=x onerror=alert(1)>"]) + archive


def archived(members: Mapping[str, bytes]) -> bytes:
    """A ZIP archive."""
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def docx(body: bytes, doctype: bytes = b"") -> bytes:
    """A Word document of one paragraph; `body` may hold elements."""
    namespace = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    document = (
        b'<?xml version="1.0"?>%b<w:document xmlns:w="%b"><w:body><w:p><w:r><w:t>%b</w:t></w:r>'
        b"</w:p></w:body></w:document>" % (doctype, namespace, body)
    )
    return archived({CONTENT_TYPES: b"<Types/>", "word/document.xml": document})


def xlsx(*cells: str) -> bytes:
    """A workbook whose cells hold these texts."""
    texts = "".join(f"<si><t>{cell}</t></si>" for cell in cells)
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return archived(
        {
            CONTENT_TYPES: b"<Types/>",
            "xl/workbook.xml": b"<workbook/>",
            "xl/sharedStrings.xml": f'<sst xmlns="{namespace}">{texts}</sst>'.encode(),
        }
    )


def docx_bomb() -> bytes:
    """A Word document of more than is unpacked."""
    return docx(b"a" * 65 * _MIB)


def laughing_docx() -> bytes:
    """A Word document whose text is an entity made of entities made of entities."""
    entities = b'<!ENTITY a "ha">' + b"".join(
        b'<!ENTITY %c "%b">' % (name + 1, b"&%c;" % name * 10) for name in range(ord("a"), ord("k"))
    )
    return docx(b"&k;", b"<!DOCTYPE d [%b]>" % entities)


def deep_docx() -> bytes:
    """A Word document of a hundred thousand elements, each in the one before."""
    return docx(b"<w:r>" * 100_000 + b"<w:t>deep</w:t>" + b"</w:r>" * 100_000)


def crowded_docx() -> bytes:
    """A Word document with more parts than any has."""
    return archived(
        {CONTENT_TYPES: b"", "word/document.xml": b""} | {f"{n}": b"" for n in range(6_000)}
    )


def vast_png() -> bytes:
    """A picture that says it has ten thousand million points."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))
        for kind, content in (
            (b"IHDR", pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"\0" * 1000)),
            (b"IEND", b""),
        )
    )


def png_bomb(side: int) -> bytes:
    """A picture that is small when packed."""
    return saved(Image.new("L", (side, side)), "PNG", compress_level=1)


def circular_tiff() -> bytes:
    """A picture whose second page is its first."""
    tiff = bytearray(saved(Image.new("L", (8, 8)), "TIFF"))
    start = int.from_bytes(tiff[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(tiff[start : start + 2], "little")
    tiff[end : end + 4] = tiff[4:8]
    return bytes(tiff)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _written(writer: PdfWriter) -> bytes:
    file = BytesIO()
    writer.write(file)
    return file.getvalue()
