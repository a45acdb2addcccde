"""Instants and sizes as they are written on pages."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from services.language.translation import Language
from services.web.page.file import size
from services.web.page.moment import instant
from services.web.page.taste import Taste, Theme

ENGLISH: Final = Taste(Language.ENGLISH, Theme.LIGHT, ZoneInfo("Europe/Istanbul"))
TURKISH: Final = ENGLISH._replace(language=Language.TURKISH)
MIDNIGHT: Final = datetime(2031, 4, 22, tzinfo=UTC)


def test_an_instant_is_written_to_the_minute() -> None:
    """In the reader's zone, with UTC and its seconds for whoever points at it."""
    title = '<time datetime="2031-04-22T00:00:00Z" title="2031-04-22 00:00:00 UTC">'

    assert instant(MIDNIGHT, taste=TURKISH) == f"{title}22 Nis 2031, 03:00</time>"
    assert "Apr 22, 2031, 3:00\u202fAM<" in instant(MIDNIGHT, taste=ENGLISH)
    assert "03:00:00<" in instant(MIDNIGHT, "medium", taste=TURKISH)
    assert ">22 Nis 2031<" in instant(MIDNIGHT, "date", taste=TURKISH)


@pytest.mark.parametrize(
    ("number", "english", "turkish"),
    [
        (0, "0 bytes", "0 bayt"),
        (1, "1 byte", "1 bayt"),
        (978, "978 bytes", "978 bayt"),
        (1_000, "1 kB", "1 kB"),
        (258_700, "258.7 kB", "258,7 kB"),
        (20_000_000, "20 MB", "20 MB"),
    ],
)
def test_a_size_is_written_in_the_unit_that_says_it_shortest(
    number: int, english: str, turkish: str
) -> None:
    """One byte is no bytes."""
    assert size(number, ENGLISH) == english
    assert size(number, TURKISH) == turkish
