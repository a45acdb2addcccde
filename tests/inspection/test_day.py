"""Days as documents write them."""

from datetime import date

import pytest

from projections.search import fold
from services.inspection.day import dates

FEBRUARY, JANUARY = date(2021, 2, 1), date(2021, 1, 2)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("2021-02-01", [FEBRUARY]),
        ("2021-02-01T10:00", [FEBRUARY]),
        ("2021/2/1", [FEBRUARY]),
        ("01.02.2021", [FEBRUARY]),
        ("1.2.2021", [FEBRUARY]),
        ("1/2/2021", [FEBRUARY, JANUARY]),
        ("13/2/2021", [date(2021, 2, 13)]),
        ("2/13/2021", [date(2021, 2, 13)]),
        ("1 February 2021", [FEBRUARY]),
        ("1st of February, 2021", [FEBRUARY]),
        ("1 Feb. 2021", [FEBRUARY]),
        ("February 1, 2021", [FEBRUARY]),
        ("Feb 1st, 2021", [FEBRUARY]),
        ("1 Şubat 2021", [FEBRUARY]),
        ("01 ŞUBAT 2021 tarihinde", [FEBRUARY]),
        ("1 Ağustos 2021", [date(2021, 8, 1)]),
        ("1 Kasım 2021'de", [date(2021, 11, 1)]),
        ("1 Mayıs 2021", [date(2021, 5, 1)]),
        ("May 1 2021", [date(2021, 5, 1)]),
        ("1. Mart 2021", [date(2021, 3, 1)]),
        ("29 February 2021", []),
        ("2021-13-01", []),
        ("version 1.2.2021456", []),
        ("192.168.20.2021", []),
        ("0099", []),
        ("order 112345-02-01", []),
        ("no date", []),
    ],
)
def test_a_day_is_read_as_people_write_it(written: str, days: list[date]) -> None:
    """English and Turkish; an ambiguous one in both ways; what is no day is none."""
    assert [day for dated in dates(fold(written)) for day in dated.days] == days
