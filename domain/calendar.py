"""Business and calendar days: when a clock of N days is due, and which days it skips (R16, R17).

Time zones come from the pinned tzdata package, never from the machine, and holidays from the pinned
holidays package: `calendar_version` names all that a due instant depends on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib import metadata, resources
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

MAX_DAYS = 36_600
"""The longest period that can be asked for: a century of calendar days."""

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


class Unit(StrEnum):
    """Which days a period counts."""

    BUSINESS = "business"
    CALENDAR = "calendar"


class Skipped(BaseModel):
    """A day that a period does not count: `why` is "weekend" or the holiday's English name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: date
    why: str


@dataclass(frozen=True, slots=True)
class Due:
    """When a period has passed (R16); both instants in UTC."""

    due_at: datetime
    """The first instant that is too late."""
    due_soon_at: datetime
    """From when on it is due within one business day; never before the period began."""
    skipped: tuple[Skipped, ...]


class Holidays(BaseModel):
    """A country's public holidays as they were known once: those of some years, complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_year: int
    last_year: int
    days: tuple[Skipped, ...]

    def __hash__(self) -> int:
        """Cheap: calendars are looked up by their holidays, and hardly ever differ in these."""
        return hash((self.first_year, self.last_year, len(self.days)))

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, country: str, first_year: int, last_year: int) -> Self:
        """What the holidays package knows now. Raises ValueError for an unknown country."""
        days = (
            Skipped(date=day, why=why)
            for year in range(first_year, last_year + 1)
            for day, why in sorted(_holidays(country, year).items())
        )
        return cls(first_year=first_year, last_year=last_year, days=tuple(days))

    @cached_property
    def names(self) -> Mapping[date, str]:
        """Each holiday's name by its date."""
        return {day.date: day.why for day in self.days}

    def cover(self, day: date) -> bool:
        """Whether these are the years that a day is in."""
        return self.first_year <= day.year <= self.last_year


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """The programme's days: Monday to Friday in its time zone, minus its country's public holidays.

    `time_zone` is an IANA name, `holiday_country` a two-letter ISO code or None for no holidays.
    In the years of `recorded` those holidays count, whatever is known of the country today. Raises
    ValueError for an unknown zone or country. Years outside of the holidays package's data for a
    country have no holidays.
    """

    time_zone: str
    holiday_country: str | None = None
    recorded: Holidays | None = None

    def __post_init__(self) -> None:
        """Refuse a zone or country that nothing is known about."""
        _zone(self.time_zone)
        if self.recorded is None:
            _require_country(self.holiday_country)

    def due(self, opened_at: datetime, days: int, unit: Unit) -> Due:
        """When a period of `days`, opened at an aware instant, is due (R16).

        The local day of opening is day 0. Due is the instant at which the local day after the last
        counted day begins, so there are always at least `days` full days. Raises ValueError for a
        naive instant, for days outside 1 to MAX_DAYS, and past the year 9999.
        """
        if opened_at.tzinfo is None:
            raise ValueError(f"{opened_at.isoformat()} has no time zone offset")
        if not 1 <= days <= MAX_DAYS:
            raise ValueError(f"{days} days: a period has 1 to {MAX_DAYS} days")
        try:
            due_at, begins_at, skipped = _counted(self, self._local_day(opened_at), days, unit)
        except OverflowError as error:
            raise ValueError(
                f"{days} days after {opened_at.isoformat()} are outside of the calendar"
            ) from error
        return Due(due_at, max(opened_at.astimezone(UTC), begins_at), skipped)

    def before(self, due_at: datetime, days: int, unit: Unit) -> datetime:
        """The beginning (UTC) of the Nth counted day back from a due instant: when to remind."""
        day = self._local_day(due_at)
        while days:
            day -= _ONE_DAY
            if self.why_skipped(day, unit) is None:
                days -= 1
        return _beginning(self.time_zone, day)

    def business_days_after(self, first: datetime, until: datetime) -> int:
        """Business days after the local day of `first`, up to and with that of `until` (R15g)."""
        day, last, count = self._local_day(first), self._local_day(until), 0
        while day < last:
            day += _ONE_DAY
            count += self.why_skipped(day, Unit.BUSINESS) is None
        return count

    def days(self, opened_at: datetime, due_at: datetime) -> tuple[date, ...]:
        """The local days of a period, counted or not: day 0 first, the last before it is due."""
        day, end = self._local_day(opened_at), self._local_day(due_at)
        return tuple(day + timedelta(days=number) for number in range((end - day).days))

    def _local_day(self, instant: datetime) -> date:
        return instant.astimezone(_zone(self.time_zone)).date()

    def why_skipped(self, day: date, unit: Unit) -> str | None:
        """Why a day does not count; a holiday on a weekend is skipped as a weekend."""
        if unit is Unit.BUSINESS:
            if day.weekday() >= _SATURDAY:
                return "weekend"
            if (holiday := self._holidays(day).get(day)) is not None:
                return holiday
        return _never_was(self.time_zone, day)

    def _holidays(self, day: date) -> Mapping[date, str]:
        """The holidays of the year that a day is in, as far as anybody keeps them."""
        if self.holiday_country is None:
            return {}
        if self.recorded is not None and self.recorded.cover(day):
            return self.recorded.names
        return _holidays(self.holiday_country, day.year)


@lru_cache(maxsize=1024)
def _counted(
    calendar: BusinessCalendar, day: date, days: int, unit: Unit
) -> tuple[datetime, datetime, tuple[Skipped, ...]]:
    """When so many days after a day are over, the last business day's beginning, and the skipped.

    Remembered, because all clocks that open on one day are due alike.
    """
    skipped: list[Skipped] = []
    while days:
        day += _ONE_DAY
        if (why := calendar.why_skipped(day, unit)) is None:
            days -= 1
        else:
            skipped.append(Skipped(date=day, why=why))
    due_at = _beginning(calendar.time_zone, day + _ONE_DAY)
    return due_at, calendar.before(due_at, 1, Unit.BUSINESS), tuple(skipped)


@lru_cache(maxsize=1)
def calendar_version() -> str:
    """The versions of the data that due instants depend on; recorded with them (R17)."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("holidays", "tzdata"))


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    if name not in _zone_names():
        raise ValueError(f"unknown time zone {name!r}: an IANA name like Europe/Istanbul is needed")
    file = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with file.open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@lru_cache(maxsize=64)
def _require_country(code: str | None) -> None:
    if code is not None:
        _holidays(code, 2000)


@lru_cache(maxsize=1024)
def _holidays(country: str, year: int) -> Mapping[date, str]:
    import holidays  # noqa: PLC0415 - a tenth of a second that only programmes with holidays need

    unknown = f"unknown holiday country {country!r}: a two-letter ISO code like TR is needed"
    if len(country) != len("TR") or not country.isupper():
        raise ValueError(unknown)
    try:
        # Countries without a choice of languages have English names, which the library then gives.
        found = holidays.country_holidays(country, years=year, language="en_US")
    except NotImplementedError as error:
        raise ValueError(unknown) from error
    return dict(found)


@lru_cache(maxsize=8192)
def _beginning(time_zone: str, day: date) -> datetime:
    """The instant (UTC) at which a local day begins: the first at which that date is reached.

    Mostly midnight. Where clocks go back over midnight it is the first of the two; where they go
    forward over it, the instant of the change.
    """
    zone = _zone(time_zone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    reached = midnight.astimezone(UTC)
    gap = reached.astimezone(zone).replace(tzinfo=None) - midnight.replace(tzinfo=None)
    if not gap:
        return reached
    before = reached - gap
    while reached - before > timedelta(seconds=1):
        half = before + timedelta(seconds=(reached - before) // timedelta(seconds=2))
        if half.astimezone(zone).date() < day:
            before = half
        else:
            reached = half
    return reached


@lru_cache(maxsize=8192)
def _never_was(time_zone: str, day: date) -> str | None:
    """Says so of a day that a zone left out in crossing the date line, as Samoa did in 2011."""
    if _beginning(time_zone, day) < _beginning(time_zone, day + _ONE_DAY):
        return None
    return f"no such day in {time_zone}"
