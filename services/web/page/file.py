"""Files as people know them: of what kind they are, and how large."""

from typing import Final

from babel.units import format_unit

from services.media_type import SUFFIXES
from services.web.page.taste import Taste

_UNITS: Final = (
    (1_000_000_000, "gigabyte"),
    (1_000_000, "megabyte"),
    (1_000, "kilobyte"),
    (1, "byte"),
)


def kind(media_type: str) -> str:
    """The kind, by the ending that such files have."""
    return SUFFIXES[media_type][0].removeprefix(".").upper()


def icon_name(media_type: str) -> str:
    """The icon of the kind."""
    match media_type.partition("/"):
        case ("image", *_):
            return "file-earmark-image"
        case (_, _, "pdf"):
            return "file-earmark-pdf"
        case (_, _, part) if "spreadsheet" in part:
            return "file-earmark-spreadsheet"
        case _:
            return "file-earmark-text"


def size(number: int, taste: Taste) -> str:
    """So many bytes, in the unit that says it shortest."""
    factor, unit = next((each for each in _UNITS if number >= each[0]), _UNITS[-1])
    return format_unit(
        round(number / factor, 1), f"digital-{unit}", "short", locale=taste.language.value
    )
