"""What was found in a document."""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Final

MAX_PAGES: Final = 50
"""Pages that are looked at; a longer document is cut off there, and that is said."""
MAX_PAGE_TEXT: Final = 20_000
"""Characters of a page."""
MAX_TEXT: Final = 200_000
"""Characters of a document."""
REFUSED: Final = 3
"""The exit code of a program that opened a document and found a problem."""
WIDTHS: Final = (800, 1600)
"""Pixels; the ways in which a page is drawn."""

_TALLEST = 8_000
_MOST_PIXELS = 4_000_000


class Problem(StrEnum):
    """Why a document, or one of its pages, can't be shown."""

    ENCRYPTED = "encrypted"
    DAMAGED = "damaged"
    FORBIDDEN = "forbidden"
    """It holds what no honest document of its kind needs."""
    TOO_LARGE = "too_large"
    """More memory, more pixels, or more when unpacked than is allowed."""
    TOO_SLOW = "too_slow"
    CRASHED = "crashed"
    """The program that opened it came to its end."""
    BUSY = "busy"
    """Too many others are being opened; nothing is said about this one."""
    MISSING = "missing"
    """Its content is not where it should be."""
    NO_PAGE = "no_page"
    """There is no such page, or it is of a kind that is not drawn."""


class NotShown(Exception):  # noqa: N818 - a finding about a document, not a fault of ours
    """A document can't be shown."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its size, in a unit of its own, and what can be read on it."""

    width: int
    height: int
    text: str

    def drawn(self, wanted: int) -> tuple[int, int]:
        """Its width and height in pixels when it is drawn so wide."""
        return fitted(self.width, self.height, wanted)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a document holds; with a problem, nothing."""

    pages: tuple[Page, ...] = ()
    page_count: int = 0
    """How many pages there are, those included that were not looked at."""
    signature_fields: int = 0
    """Digital signatures, whoever made them: none is verified."""
    problem: Problem | None = None

    @property
    def has_text(self) -> bool:
        """Whether anything could be read; a scan has no text."""
        return any(page.text.strip() for page in self.pages)


def fitted(width: int, height: int, wanted: int) -> tuple[int, int]:
    """The pixels of a page that is drawn `wanted` wide, or less wide when it is very tall."""
    width, height = max(width, 1), max(height, 1)
    scale = min(wanted / width, _TALLEST / height, sqrt(_MOST_PIXELS / (width * height)))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def readable(text: str, most: int = MAX_PAGE_TEXT) -> str:
    """The text as far as it counts: without control characters, and not without end."""
    kept = (each for each in text[: 2 * most] if each.isprintable() or each in "\n\t")
    return "".join(kept)[:most]


def within_bounds(pages: list[Page]) -> tuple[Page, ...]:
    """The pages; what comes after the most text that counts has none."""
    left, bounded = MAX_TEXT, list[Page]()
    for page in pages:
        bounded.append(Page(page.width, page.height, page.text[:left]))
        left -= len(bounded[-1].text)
    return tuple(bounded)
