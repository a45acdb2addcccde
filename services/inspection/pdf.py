"""PDF documents, by PDFium: without scripts, forms and links, of which none is ever run."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from PIL.Image import Image

from services.inspection.finding import (
    MAX_PAGES,
    Inspection,
    NotShown,
    Page,
    Problem,
    fitted,
    readable,
    within_bounds,
)

_pdfium: Any = import_module("pypdfium2")
"""It has no types; what it gives is named by us."""
_raw: Any = import_module("pypdfium2.raw")


def inspect(content: bytes) -> Inspection:
    """Its pages and their text. Raises NotShown."""
    with _opened(content) as document:
        count = len(document)
        pages = [_read(document[number]) for number in range(min(count, MAX_PAGES))]
        signatures = max(_raw.FPDF_GetSignatureCount(document.raw), 0)
    return Inspection(within_bounds(pages), count, signatures)


def draw(content: bytes, number: int, width: int) -> Image:
    """A page, by its number from 1 on. Raises NotShown."""
    with _opened(content) as document:
        page = document[number - 1]
        size = fitted(*_size(page), width)
        scale = (size[0] - 0.01) / page.get_width()  # PDFium rounds up
        bitmap = page.render(scale=scale, may_draw_forms=False, rev_byteorder=True)
        drawn: Image = bitmap.to_pil()
        return drawn.crop((0, 0, *size))


@contextmanager
def _opened(content: bytes) -> Generator[Any]:
    try:
        with _pdfium.PdfDocument(content) as document:
            yield document
    except _pdfium.PdfiumError as error:
        locked = error.err_code == _raw.FPDF_ERR_PASSWORD
        raise NotShown(Problem.ENCRYPTED if locked else Problem.DAMAGED) from error


def _read(page: Any) -> Page:  # noqa: ANN401 - pypdfium2 has no types
    return Page(*_size(page), readable(page.get_textpage().get_text_bounded()))


def _size(page: Any) -> tuple[int, int]:  # noqa: ANN401 - pypdfium2 has no types
    return max(round(page.get_width()), 1), max(round(page.get_height()), 1)
