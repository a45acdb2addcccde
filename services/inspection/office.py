"""Office documents: the text in their archives of XML. They are not drawn.

Nothing is unpacked further than it is read, and no XML with a document type is read on: entities,
the means of most attacks by XML, can be declared nowhere else.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - it is a class

from services.inspection.finding import (
    MAX_PAGE_TEXT,
    MAX_PAGES,
    Inspection,
    NotShown,
    Page,
    Problem,
    readable,
    within_bounds,
)

_PARTS = re.compile(
    r"word/(?:document|header\d*|footer\d*|footnotes)\.xml"
    r"|xl/(?:sharedStrings|worksheets/sheet\d+)\.xml"
    r"|ppt/slides/slide\d+\.xml"
    r"|content\.xml"
)
_BREAKS = frozenset({"p", "si", "row", "br", "tab", "h", "table-cell", "tc"})
"""After these elements comes a space, whatever stands between them in the file."""
_TEXTS = frozenset({"t", "p", "h", "span", "a"})
"""The elements whose characters are text, of both families of formats."""
_MOST_MEMBERS = 5_000
_MOST_UNPACKED = 64 * 1024 * 1024
_CHUNK = 64 * 1024


def inspect(content: bytes) -> Inspection:
    """What it says, a page for each of its parts. Raises NotShown."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            pages = [Page(0, 0, text) for text in _texts(archive) if text.strip()]
    except (BadZipFile, ZlibError, EOFError, expat.ExpatError, NotImplementedError) as error:
        raise NotShown(Problem.DAMAGED) from error
    except RuntimeError as error:  # so says zipfile of a password
        raise NotShown(Problem.ENCRYPTED) from error
    return Inspection(within_bounds(pages), len(pages))


def _texts(archive: ZipFile) -> Iterator[str]:
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise NotShown(Problem.TOO_LARGE)
    named = [each for each in members if _PARTS.fullmatch(each.filename)]
    left = _MOST_UNPACKED
    for member in sorted(named, key=lambda each: _in_order(each.filename))[:MAX_PAGES]:
        reader = _Reader()
        with archive.open(member) as packed:
            while chunk := packed.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise NotShown(Problem.TOO_LARGE)
                reader.feed(chunk)
        yield reader.text


def _in_order(name: str) -> tuple[str, int]:
    """Part 10 comes after part 9."""
    number = re.search(r"\d+", name)
    return re.sub(r"\d+", "", name), int(number[0]) if number else 0


class _Reader:
    """Collects the text of one part."""

    def __init__(self) -> None:
        self._texts = list[str]()
        self._length = 0
        self._open = list[bool]()
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._take

    def feed(self, chunk: bytes) -> None:
        """Read on. Raises ExpatError, and NotShown for a document type."""
        self._parser.Parse(chunk)

    @property
    def text(self) -> str:
        """What was read; ExpatError for a part that is not whole."""
        self._parser.Parse(b"", True)  # noqa: FBT003 - expat's own interface
        return readable("".join(self._texts))

    def _start(self, name: str, _: object) -> None:
        self._open.append(name.rpartition(" ")[2] in _TEXTS)

    def _end(self, name: str) -> None:
        self._open.pop()
        if name.rpartition(" ")[2] in _BREAKS:
            self._add("\n")

    def _take(self, characters: str) -> None:
        if self._open[-1]:
            self._add(characters)

    def _add(self, text: str) -> None:
        if self._length < 2 * MAX_PAGE_TEXT:
            self._texts.append(text)
            self._length += len(text)


def _refuse(*_: object) -> None:
    raise NotShown(Problem.FORBIDDEN)
