"""A policy profile: the periods, calendar and texts that a claim lives by (R15, R17).

A claim records its policy whole at its first submission, with the holidays of the years ahead.
Only `from_toml` and `with_calendar` check that a policy is complete and its calendar known, so a
recorded policy loads for ever.
"""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import Field

from domain.calendar import MAX_DAYS, BusinessCalendar, Due, Holidays, Unit
from domain.resource import Part, Resource, Wording
from domain.vocabulary import ClockName, Status

RECORDED_YEARS = 3
"""Years whose holidays a claim records: that of its first submission and those that follow it."""


class Period(Part):
    """A number of business or calendar days."""

    days: Annotated[int, Field(strict=True, ge=1, le=MAX_DAYS)]
    unit: Unit


class Policy(Resource):
    """One profile, as a file in `policies/` states it and as a claim records it."""

    name: str
    title: Wording
    time_zone: str
    holiday_country: str | None = None
    clocks: dict[ClockName, Period]
    """How long each of the six clocks runs (R15a to R15f)."""
    decision_target: Period
    """From the first submission to a decision (R15g)."""
    editable_after_submission: tuple[Status, ...]
    """The statuses after `editing` in which the partner may edit (R21)."""
    reminders: dict[ClockName, tuple[Period, ...]]
    """How long before a due instant the partner or customer is reminded (R26)."""
    what_partner_sees: Wording = Wording(
        en="usage and sold seats", tr="kullanım ve satılan kullanıcı lisansları"
    )
    """What the customer is told that the partner will see (R26)."""
    holidays: Holidays | None = None
    """The holidays that a claim recorded at its first submission (R17); none in a profile."""

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a profile; ValueError says what is wrong, missing, or unknown to the calendar."""
        policy = super().from_toml(text)
        missing = [clock for clock in ClockName if clock not in policy.clocks]
        if missing:
            raise ValueError(f"clocks: no period for {', '.join(missing)}")
        if policy.holidays is not None:
            raise ValueError("holidays: a profile names a country, in holiday_country")
        return policy.with_calendar()

    def with_calendar(
        self, time_zone: str | None = None, holiday_country: str | None = None
    ) -> Self:
        """The same profile with another time zone or country; None keeps the profile's own.

        Raises ValueError for an unknown time zone or country.
        """
        calendar = BusinessCalendar(
            time_zone or self.time_zone, holiday_country or self.holiday_country
        )
        return self.model_copy(
            update={
                "time_zone": calendar.time_zone,
                "holiday_country": calendar.holiday_country,
            }
        )

    def recorded(self, submitted_at: datetime) -> Self:
        """The same profile with the holidays as they are known at a claim's first submission (R17).

        From then on a newer calendar moves no clock of that claim, in the years that are recorded.
        """
        if self.holiday_country is None:
            return self
        first = (submitted_at - timedelta(days=1)).year  # the local day may be the one before
        holidays = Holidays.of(self.holiday_country, first, submitted_at.year + RECORDED_YEARS - 1)
        return self.model_copy(update={"holidays": holidays})

    @property
    def calendar(self) -> BusinessCalendar:
        """The programme's calendar."""
        return BusinessCalendar(self.time_zone, self.holiday_country, self.holidays)

    def due(self, clock: ClockName, opened_at: datetime) -> Due:
        """When a clock that opens now is due (R15, R16)."""
        period = self.clocks[clock]
        return self.calendar.due(opened_at, period.days, period.unit)

    def decision_target_at(self, submitted_at: datetime, *, paused_days: int) -> datetime:
        """The overall decision target (R15g).

        It is counted from the first submission, and moved by the business days during which the
        partner held the claim.
        """
        days = self.decision_target.days + paused_days
        return self.calendar.due(submitted_at, days, self.decision_target.unit).due_at
