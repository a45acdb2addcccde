"""Due instants: the worked examples, the hard cases, and a second implementation to agree with."""

import csv
from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.calendar import MAX_DAYS, BusinessCalendar, Skipped, Unit, calendar_version

PROJECT = Path(__file__).parents[2]
OWN_COPY = PROJECT / "tests" / "acceptance" / "deadlines.csv"
AGREED = PROJECT.parent / "shared" / "acceptance" / "deadlines.csv"

ZONES = (
    "UTC",
    "Europe/Istanbul",
    "Europe/Berlin",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Auckland",
)

zones = st.sampled_from(ZONES)
countries = st.sampled_from((None, "US", "TR", "DE"))
calendars = st.builds(BusinessCalendar, zones, countries)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2033, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
units = st.sampled_from(Unit)


def at(text: str) -> datetime:
    """An instant as the tables below write it."""
    return datetime.fromisoformat(text)


def worked_examples() -> list[dict[str, str]]:
    """The rows of the agreed file, or of the project's own copy where that is absent."""
    with (AGREED if AGREED.exists() else OWN_COPY).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.rule("R16")
@pytest.mark.parametrize("row", worked_examples(), ids=lambda row: " ".join(row.values()))
def test_every_worked_example_is_reproduced(row: dict[str, str]) -> None:
    """The calendar gives exactly the agreed due instants."""
    calendar = BusinessCalendar(row["time_zone"], row["holiday_country"] or None)

    due = calendar.due(at(row["opened_at"]), int(row["days"]), Unit(row["unit"]))

    assert due.due_at == at(row["due_at"])


@pytest.mark.skipif(not AGREED.exists(), reason="the agreed file is not beside this checkout")
def test_the_own_copy_of_the_worked_examples_is_the_agreed_file() -> None:
    """A checkout on its own tests the same examples."""
    assert OWN_COPY.read_bytes() == AGREED.read_bytes()


@pytest.mark.rule("R16")
@pytest.mark.fault(56)
@pytest.mark.parametrize(
    ("zone", "country", "opened_at", "days", "unit", "due_at"),
    [
        pytest.param(
            "America/Sao_Paulo", None, "2018-11-02T12:00Z", 1, "calendar", "2018-11-04T03:00Z",
            id="no midnight: the day begins at 01:00",
        ),
        pytest.param(
            "America/Havana", None, "2019-03-08T12:00Z", 1, "calendar", "2019-03-10T05:00Z",
            id="no midnight in Havana",
        ),
        pytest.param(
            "America/Havana", None, "2019-11-01T12:00Z", 1, "calendar", "2019-11-03T04:00Z",
            id="midnight twice: the day begins at the first",
        ),
        pytest.param(
            "Africa/Cairo", None, "2023-04-26T10:00Z", 1, "calendar", "2023-04-27T22:00Z",
            id="no midnight in Cairo",
        ),
        pytest.param(
            "Africa/Cairo", None, "2023-10-25T10:00Z", 1, "calendar", "2023-10-26T22:00Z",
            id="the day before has 25 hours in Cairo",
        ),
        pytest.param(
            "Asia/Beirut", None, "2024-03-29T10:00Z", 1, "calendar", "2024-03-30T22:00Z",
            id="no midnight in Beirut",
        ),
        pytest.param(
            "Asia/Beirut", None, "2024-10-25T10:00Z", 1, "calendar", "2024-10-26T22:00Z",
            id="the day before has 25 hours in Beirut",
        ),
        pytest.param(
            "America/St_Johns", None, "2010-11-05T12:00Z", 1, "calendar", "2010-11-07T02:30Z",
            id="clocks go back a minute past midnight: the day begins at the first midnight",
        ),
        pytest.param(
            "America/Toronto", None, "1919-03-29T12:00Z", 1, "calendar", "1919-03-31T04:30Z",
            id="clocks go forward from 23:30 to 00:30: the day begins at 00:30",
        ),
        pytest.param(
            "Pacific/Apia", None, "2011-12-28T20:00Z", 2, "calendar", "2011-12-31T10:00Z",
            id="a day that never was does not count",
        ),
        pytest.param(
            "UTC", None, "2024-02-28T10:00Z", 1, "calendar", "2024-03-01T00:00Z",
            id="29 February counts",
        ),
        pytest.param(
            "UTC", None, "2024-02-29T10:00Z", 1, "business", "2024-03-02T00:00Z",
            id="opened on 29 February",
        ),
        pytest.param(
            "UTC", None, "2023-02-28T10:00Z", 1, "calendar", "2023-03-02T00:00Z",
            id="no 29 February",
        ),
        pytest.param(
            "UTC", None, "2020-12-31T23:59:59.999999Z", 1, "calendar", "2021-01-02T00:00Z",
            id="year end",
        ),
        pytest.param(
            "UTC", "US", "2021-12-30T12:00Z", 1, "business", "2022-01-04T00:00Z",
            id="New Year's Day on Saturday is observed in the year before",
        ),
        pytest.param(
            "UTC", "US", "2021-07-02T12:00Z", 1, "business", "2021-07-07T00:00Z",
            id="Independence Day on Sunday is observed on Monday",
        ),
        pytest.param(
            "UTC", "DE", "2021-12-23T12:00Z", 1, "business", "2021-12-25T00:00Z",
            id="Christmas on a weekend takes no other day",
        ),
    ],
)  # fmt: skip
def test_hard_cases(
    zone: str, country: str | None, opened_at: str, days: int, unit: str, due_at: str
) -> None:
    """Changes of the clock at midnight, leap years, year ends and holidays on weekends."""
    due = BusinessCalendar(zone, country).due(at(opened_at), days, Unit(unit))

    assert due.due_at == at(due_at)


@pytest.mark.rule("R17")
def test_skipped_days_are_told_with_the_reason() -> None:
    """Weekends are called weekend also when a holiday falls on them; holidays by their name."""
    due = BusinessCalendar("Europe/Istanbul", "TR").due(at("2021-05-12T08:00Z"), 5, Unit.BUSINESS)

    assert due.skipped == (
        Skipped(date=date(2021, 5, 13), why="Eid al-Fitr"),
        Skipped(date=date(2021, 5, 14), why="Eid al-Fitr"),
        Skipped(date=date(2021, 5, 15), why="weekend"),
        Skipped(date=date(2021, 5, 16), why="weekend"),
        Skipped(date=date(2021, 5, 19), why="Commemoration of Atatürk, Youth and Sports Day"),
        Skipped(date=date(2021, 5, 22), why="weekend"),
        Skipped(date=date(2021, 5, 23), why="weekend"),
    )


@pytest.mark.rule("R16")
def test_calendar_days_skip_nothing_but_days_that_never_were() -> None:
    """Only a zone that left out a whole day makes a period of calendar days skip one."""
    apia = BusinessCalendar("Pacific/Apia").due(at("2011-12-28T20:00Z"), 2, Unit.CALENDAR)
    utc = BusinessCalendar("UTC", "US").due(at("2011-12-23T20:00Z"), 7, Unit.CALENDAR)

    assert apia.skipped == (Skipped(date=date(2011, 12, 30), why="no such day in Pacific/Apia"),)
    assert utc.skipped == ()


@pytest.mark.parametrize(
    ("opened_at", "days", "unit", "due_soon_at"),
    [
        pytest.param("2021-05-17T15:00Z", 5, Unit.BUSINESS, "2021-05-24T00:00Z", id="last day"),
        pytest.param("2021-05-17T15:00Z", 1, Unit.BUSINESS, "2021-05-18T00:00Z", id="one day"),
        pytest.param("2021-05-17T15:00Z", 12, Unit.CALENDAR, "2021-05-28T00:00Z", id="Sunday"),
        pytest.param("2021-05-21T15:00Z", 1, Unit.CALENDAR, "2021-05-21T15:00Z", id="at once"),
        pytest.param("2021-05-22T15:00Z", 1, Unit.CALENDAR, "2021-05-22T15:00Z", id="weekend"),
    ],
)
def test_due_soon_is_one_business_day_ahead(
    opened_at: str, days: int, unit: Unit, due_soon_at: str
) -> None:
    """Due soon begins with the last business day before the due instant, or with the opening."""
    due = BusinessCalendar("UTC").due(at(opened_at), days, unit)

    assert due.due_soon_at == at(due_soon_at)


@pytest.mark.rule("R26")
def test_a_reminder_comes_whole_days_before_the_due_instant() -> None:
    """Counting back skips what counting forward skips."""
    calendar = BusinessCalendar("Europe/Istanbul", "TR")

    assert calendar.before(at("2021-05-24T21:00Z"), 2, Unit.BUSINESS) == at("2021-05-20T21:00Z")
    assert calendar.before(at("2021-05-24T21:00Z"), 3, Unit.BUSINESS) == at("2021-05-19T21:00Z")
    assert calendar.before(at("2021-05-24T21:00Z"), 4, Unit.BUSINESS) == at("2021-05-17T21:00Z")
    assert calendar.before(at("2021-05-24T21:00Z"), 2, Unit.CALENDAR) == at("2021-05-22T21:00Z")


@pytest.mark.rule("R15g")
@pytest.mark.parametrize(
    ("first", "until", "days"),
    [
        pytest.param("2021-05-17T09:00Z", "2021-05-17T18:00Z", 0, id="the same day"),
        pytest.param("2021-05-17T23:00Z", "2021-05-18T01:00Z", 1, id="the next day, two hours on"),
        pytest.param("2021-05-21T09:00Z", "2021-05-24T18:00Z", 1, id="over a weekend"),
        pytest.param("2021-05-22T09:00Z", "2021-05-23T18:00Z", 0, id="within a weekend"),
        pytest.param("2021-05-17T09:00Z", "2021-05-24T18:00Z", 5, id="a week"),
        pytest.param("2021-05-28T09:00Z", "2021-06-01T18:00Z", 1, id="over Memorial Day"),
        pytest.param("2021-05-24T09:00Z", "2021-05-17T18:00Z", 0, id="backwards"),
    ],
)
def test_business_days_after(first: str, until: str, days: int) -> None:
    """The first day does not count, the last one does."""
    assert BusinessCalendar("UTC", "US").business_days_after(at(first), at(until)) == days


@pytest.mark.rule("R15g")
def test_business_days_are_those_of_the_programmes_zone() -> None:
    """Half past eleven at night in London is the next day in Istanbul."""
    first, until = at("2021-05-17T23:30Z"), at("2021-05-18T12:00Z")

    assert BusinessCalendar("UTC").business_days_after(first, until) == 1
    assert BusinessCalendar("Europe/Istanbul").business_days_after(first, until) == 0


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "europe/istanbul", "../zones", "Europe"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    """The sentence tells the value, and what would do."""
    with pytest.raises(ValueError, match=r"unknown time zone .*: an IANA name") as refusal:
        BusinessCalendar(zone)

    assert repr(zone) in str(refusal.value)


@pytest.mark.parametrize("country", ["", "XX", "tr", "TUR", "Turkey", "ECB", "T1"])
def test_an_unknown_country_is_named(country: str) -> None:
    """The sentence tells the value, and what would do."""
    with pytest.raises(ValueError, match=r"unknown holiday country .*: a two-letter") as refusal:
        BusinessCalendar("UTC", country)

    assert repr(country) in str(refusal.value)


@pytest.mark.parametrize(
    ("opened_at", "days", "sentence"),
    [
        ("2021-05-17T15:00", 5, "has no time zone offset"),
        ("2021-05-17T15:00Z", 0, "a period has 1 to"),
        ("2021-05-17T15:00Z", -1, "a period has 1 to"),
        ("2021-05-17T15:00Z", MAX_DAYS + 1, "a period has 1 to"),
        ("9999-12-30T15:00Z", 2, "outside of the calendar"),
        ("0001-01-01T00:00+14:00", 2, "outside of the calendar"),
    ],
)
def test_what_cannot_be_counted_is_refused(opened_at: str, days: int, sentence: str) -> None:
    """Naive instants, senseless periods, and the ends of time."""
    with pytest.raises(ValueError, match=sentence):
        BusinessCalendar("UTC").due(at(opened_at), days, Unit.CALENDAR)


@pytest.mark.rule("R17")
def test_the_calendar_version_names_both_data_sets() -> None:
    """The version tells which holidays and which time zones a due instant was computed from."""
    assert [part.split()[0] for part in calendar_version().split(", ")] == ["holidays", "tzdata"]


@pytest.mark.rule("R16")
@pytest.mark.fault(56)
@example(BusinessCalendar("Pacific/Apia"), at("2011-12-28T20:00Z"), 2, Unit.BUSINESS)
@example(BusinessCalendar("America/St_Johns"), at("2010-11-07T03:00Z"), 1, Unit.CALENDAR)
@example(BusinessCalendar("Africa/Cairo", "US"), at("2010-09-09T21:30Z"), 1, Unit.BUSINESS)
@given(calendars, instants, st.integers(1, 14), units)
def test_a_minute_by_minute_walk_comes_to_the_same(
    calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit
) -> None:
    """A second implementation that only looks at the local date of every minute agrees."""
    due = calendar.due(opened_at, days, unit)

    assert due.due_at == walked(calendar, opened_at, days, unit)


@pytest.mark.rule("R16")
@example(BusinessCalendar("Pacific/Apia"), at("2011-12-23T20:00Z"), 4, Unit.BUSINESS)
@given(calendars, instants, st.integers(1, 60), units)
def test_there_are_always_n_full_days(
    calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit
) -> None:
    """From the day of opening to the last day before it is due there are N days and the skipped."""
    due = calendar.due(opened_at, days, unit)

    last = local_date(calendar, due.due_at - timedelta.resolution)
    assert (last - local_date(calendar, opened_at)).days == days + len(due.skipped)


@pytest.mark.rule("R16")
@given(calendars, instants, st.integers(1, 60), units)
def test_due_is_when_a_local_day_begins(
    calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit
) -> None:
    """The instant just before belongs to the day before, in UTC to the second."""
    due_at = calendar.due(opened_at, days, unit).due_at

    before = due_at - timedelta(microseconds=1)
    assert local_date(calendar, before) < local_date(calendar, due_at)
    assert (due_at.tzinfo, due_at.microsecond) == (UTC, 0)


@pytest.mark.rule("R16")
@given(calendars, instants, st.integers(1, 60), units, st.timedeltas(timedelta(0), timedelta(9)))
def test_more_days_or_a_later_opening_are_never_due_earlier(
    calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit, later: timedelta
) -> None:
    """Due instants grow with the days, and never shrink with the opening."""
    due_at = calendar.due(opened_at, days, unit).due_at

    assert calendar.due(opened_at, days + 1, unit).due_at > due_at
    assert calendar.due(opened_at + later, days, unit).due_at >= due_at


@given(calendars, instants, st.integers(1, 60), units)
def test_due_soon_lies_within_the_period(
    calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit
) -> None:
    """From due soon to due there is at most one business day, and always some time."""
    due = calendar.due(opened_at, days, unit)

    assert opened_at <= due.due_soon_at < due.due_at
    assert calendar.business_days_after(due.due_soon_at, due.due_at - timedelta.resolution) == 0


@pytest.mark.rule("R16")
@given(calendars, instants, st.integers(1, 60), st.sampled_from(Unit))
def test_a_period_is_day_zero_the_counted_days_and_the_skipped(
    calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit
) -> None:
    """No other days lie between its opening and the instant at which it is due."""
    due = calendar.due(opened_at, days, unit)

    day_zero, *others = calendar.days(opened_at, due.due_at)

    skipped = [each.date for each in due.skipped]
    counted = [day for day in others if day not in skipped]
    assert len(counted) == days
    assert sorted((*counted, *skipped)) == others
    assert day_zero < others[0]


@pytest.mark.rule("R15g")
@given(calendars, instants, st.integers(1, 60))
def test_business_days_after_undoes_due(
    calendar: BusinessCalendar, opened_at: datetime, days: int
) -> None:
    """Just before a period of N business days is due, N business days have come."""
    due_at = calendar.due(opened_at, days, Unit.BUSINESS).due_at

    assert calendar.business_days_after(opened_at, due_at - timedelta.resolution) == days


def zone_of(calendar: BusinessCalendar) -> ZoneInfo:
    """The zone, read apart from the calendar's own cache."""
    file = resources.files("tzdata").joinpath("zoneinfo").joinpath(calendar.time_zone)
    with file.open("rb") as data:
        return ZoneInfo.from_file(data)


def local_date(calendar: BusinessCalendar, instant: datetime) -> date:
    """The date in the calendar's zone."""
    return instant.astimezone(zone_of(calendar)).date()


def walked(calendar: BusinessCalendar, opened_at: datetime, days: int, unit: Unit) -> datetime:
    """The due instant by R16's words: let the minutes pass and watch the local date change."""
    country = calendar.holiday_country
    off: Container[date] = holidays.country_holidays(country) if country else ()
    counted = (
        begins
        for begins, day in new_days(opened_at, zone_of(calendar))
        if unit is Unit.CALENDAR or (day.isoweekday() not in {6, 7} and day not in off)
    )
    last_begins = next(islice(counted, days - 1, None))
    return next(new_days(last_begins, zone_of(calendar)))[0]


def new_days(after: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, date]]:
    """Each minute at which the local date is later than ever before, with that date."""
    minute = after.replace(second=0, microsecond=0)
    latest = minute.astimezone(zone).date()
    while True:
        minute += timedelta(minutes=1)
        today = minute.astimezone(zone).date()
        if today > latest:
            latest = today
            yield minute, today
