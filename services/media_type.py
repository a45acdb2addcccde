"""What kind of document a file is, by its content alone: names and senders may say anything.

Only kinds that serve as proof of execution are known here.
"""

import codecs
import re
from collections.abc import Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import MappingProxyType

# Not puremagic (1.30), for which every ZIP archive is a .docx.

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OFFICE_PARTS = (
    (b"word/document", _OFFICE + "wordprocessingml.document"),
    (b"xl/workbook.xml", _OFFICE + "spreadsheetml.sheet"),
    (b"ppt/presentation.xml", _OFFICE + "presentationml.presentation"),
)
_OPEN_DOCUMENT = tuple(
    f"application/vnd.oasis.opendocument.{kind}" for kind in ("text", "spreadsheet", "presentation")
)
_TEXT = "text/plain"

SUFFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "application/pdf": (".pdf",),
        "image/png": (".png",),
        "image/jpeg": (".jpg", ".jpeg"),
        "image/tiff": (".tif", ".tiff"),
        _OFFICE_PARTS[0][1]: (".docx",),
        _OFFICE_PARTS[1][1]: (".xlsx",),
        _OFFICE_PARTS[2][1]: (".pptx",),
        _OPEN_DOCUMENT[0]: (".odt",),
        _OPEN_DOCUMENT[1]: (".ods",),
        _OPEN_DOCUMENT[2]: (".odp",),
        _TEXT: (".txt",),
    }
)
"""Every kind that is known, with the endings of its files' names."""

_ZIP = b"PK\x03\x04"
_FIRST_NAME = 30
"""Where the name of a ZIP archive's first member begins."""
_MACROS = b"vbaProject.bin"
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


class UnknownMediaType(Exception):  # noqa: N818 - a finding about a file, not a fault of ours
    """The content is of no kind that is known here."""


def recognise(file: Path) -> str:
    """The media type of a file. Raises UnknownMediaType, also for an empty one."""
    if not file.stat().st_size:
        raise UnknownMediaType
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        for signature, media_type in _SIGNATURES:
            if content[: len(signature)] == signature:
                return media_type
        found = _in_archive(content) if content[: len(_ZIP)] == _ZIP else _as_text(content)
    if found is None:
        raise UnknownMediaType
    return found


def safe_name(filename: str, media_type: str) -> str:
    """A name for the file of a download, whose ending can't make it more than what it is."""
    suffixes = SUFFIXES.get(media_type, (".bin",))
    return filename if filename.lower().endswith(suffixes) else filename + suffixes[0]


def _in_archive(content: mmap) -> str | None:
    """An office document, by the names of its parts, which a ZIP archive lists in its last bytes.

    Nothing is unpacked, so there is nothing to blow up. Documents with macros are none of ours.
    """
    name, _, rest = content[_FIRST_NAME : _FIRST_NAME + 100].partition(b"application/")
    if name == b"mimetype":
        kind = "application/" + rest.partition(b"PK")[0].decode("ascii", "replace")
        return kind if kind in _OPEN_DOCUMENT else None
    if content.rfind(b"[Content_Types].xml") < 0 or content.rfind(_MACROS) >= 0:
        return None
    last, media_type = max((content.rfind(part), kind) for part, kind in _OFFICE_PARTS)
    return media_type if last >= 0 else None


def _as_text(content: mmap) -> str | None:
    """Text in UTF-8 without control characters."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while chunk := content.read(64 * 1024):
            if _CONTROL.search(decoder.decode(chunk)):
                return None
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return _TEXT
