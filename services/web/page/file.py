"""Files as people know them: of what kind they are, and how large."""

from typing import Final

from babel.units import format_unit

from services.language.translation import translations
from services.media_type import SUFFIXES
from services.web.page.taste import Taste

_UNITS: Final = (
    (1_000_000_000, "gigabyte"),
    (1_000_000, "megabyte"),
    (1_000, "kilobyte"),
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
    for factor, unit in _UNITS:
        if number >= factor:
            count = round(number / factor, 1)
            return format_unit(count, f"digital-{unit}", "short", locale=taste.language.value)
    # Babel's short bytes have no plural, and its long ones no Turkish.
    counted = translations(taste.language).ngettext("%(num)d byte", "%(num)d bytes", number)
    return counted % {"num": number}
