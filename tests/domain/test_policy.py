"""Policy profiles: what the files say, what is refused, and that a recorded one never changes."""

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.calendar import BusinessCalendar, Holidays, Skipped, Unit
from domain.policy import Period, Policy
from domain.vocabulary import ClockName, Status

POLICIES = Path(__file__).parents[2] / "policies"
SEED = (POLICIES / "seed-2021.toml").read_text("utf-8")
PARTNER_CENTER = (POLICIES / "partner-center-2023.toml").read_text("utf-8")

RECORDED = """{
    "name": "seed-2021",
    "title": {"en": "Rules of 2021", "tr": "2021 kuralları"},
    "time_zone": "Europe/Istanbul",
    "holiday_country": "TR",
    "clocks": {
        "review_start": {"days": 5, "unit": "business"},
        "consent": {"days": 7, "unit": "calendar"}
    },
    "decision_target": {"days": 10, "unit": "business"},
    "editable_after_submission": ["submitted"],
    "reminders": {"consent": [{"days": 2, "unit": "calendar"}]},
    "what_partner_sees": {"en": "usage", "tr": "kullanım"}
}"""


def business(days: int) -> Period:
    """A period of business days."""
    return Period(days=days, unit=Unit.BUSINESS)


def calendar(days: int) -> Period:
    """A period of calendar days."""
    return Period(days=days, unit=Unit.CALENDAR)


@pytest.mark.rule("R15a")
@pytest.mark.rule("R15b")
@pytest.mark.rule("R15c")
@pytest.mark.rule("R15d")
@pytest.mark.rule("R15e")
@pytest.mark.rule("R15f")
@pytest.mark.parametrize(
    ("text", "decision_and_response"), [(SEED, 5), (PARTNER_CENTER, 14)], ids=["2021", "2023"]
)
def test_the_periods_of_the_profiles(text: str, decision_and_response: int) -> None:
    """The two profiles differ in the reviewers' and the partner's time alone."""
    assert Policy.from_toml(text).clocks == {
        ClockName.REVIEW_START: business(5),
        ClockName.REVIEW_DECISION: business(decision_and_response),
        ClockName.PARTNER_RESPONSE: business(decision_and_response),
        ClockName.CONSENT: calendar(7),
        ClockName.DISPUTE_WINDOW: calendar(30),
        ClockName.DISPUTE_RESULT: business(5),
    }


@pytest.mark.rule("R21")
def test_where_the_profiles_allow_editing() -> None:
    """The profile of 2023 locks a claim that waits for its review."""
    assert Policy.from_toml(SEED).editable_after_submission == (
        Status.SUBMITTED,
        Status.PARTNER_ACTION_REQUIRED,
    )
    assert Policy.from_toml(PARTNER_CENTER).editable_after_submission == (
        Status.PARTNER_ACTION_REQUIRED,
    )


@pytest.mark.rule("R26")
@pytest.mark.parametrize("text", [SEED, PARTNER_CENTER], ids=["2021", "2023"])
def test_the_reminders_of_the_profiles(text: str) -> None:
    """Reminders go out before the clocks that somebody outside has to answer."""
    assert Policy.from_toml(text).reminders == {
        ClockName.PARTNER_RESPONSE: (business(2), business(1)),
        ClockName.DISPUTE_WINDOW: (calendar(7), calendar(1)),
        ClockName.CONSENT: (calendar(2),),
    }


@pytest.mark.rule("R17")
@pytest.mark.parametrize("text", [SEED, PARTNER_CENTER], ids=["2021", "2023"])
def test_the_profiles_count_in_utc_without_holidays(text: str) -> None:
    """The default calendar knows weekends alone."""
    assert Policy.from_toml(text).calendar == BusinessCalendar("UTC", None)


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*-20*.toml")), ids=lambda path: path.stem)
def test_a_profile_is_named_like_its_file(path: Path) -> None:
    """CPOR_POLICY names a file; the claim records the same name."""
    assert Policy.from_toml(path.read_text("utf-8")).name == path.stem


@pytest.mark.rule("R26")
def test_what_the_partner_sees_has_a_default() -> None:
    """A profile may leave the sentence out."""
    policy = Policy.from_toml(SEED.partition("[what_partner_sees]")[0])

    assert policy.what_partner_sees.en == "usage and sold seats"
    assert policy.what_partner_sees.tr == "kullanım ve satılan kullanıcı lisansları"


@pytest.mark.rule("R15c")
def test_a_clock_is_due_by_the_profiles_period_and_calendar() -> None:
    """The policy puts its period and its calendar together."""
    policy = Policy.from_toml(SEED).with_calendar("Europe/Istanbul", "TR")

    due = policy.due(ClockName.PARTNER_RESPONSE, datetime.fromisoformat("2021-05-12T08:00Z"))

    assert due.due_at == datetime.fromisoformat("2021-05-24T21:00Z")


@pytest.mark.rule("R15g")
def test_the_decision_target_moves_by_the_days_the_partner_took() -> None:
    """Ten business days, and one more for each paused one."""
    policy = Policy.from_toml(SEED)
    submitted_at = datetime.fromisoformat("2021-05-17T15:00Z")

    assert policy.decision_target_at(submitted_at, paused_days=0).date().isoformat() == "2021-06-01"
    assert policy.decision_target_at(submitted_at, paused_days=3).date().isoformat() == "2021-06-04"


@pytest.mark.rule("R17")
def test_another_calendar_changes_nothing_else() -> None:
    """What the settings leave out stays as the profile has it."""
    policy = Policy.from_toml(SEED)

    assert policy.with_calendar() == policy
    assert policy.with_calendar("Asia/Tokyo").calendar == BusinessCalendar("Asia/Tokyo", None)
    assert policy.with_calendar(holiday_country="TR").calendar == BusinessCalendar("UTC", "TR")
    assert policy.with_calendar("Asia/Tokyo").clocks == policy.clocks


@pytest.mark.rule("R17")
@pytest.mark.parametrize("text", [SEED, PARTNER_CENTER], ids=["2021", "2023"])
def test_a_policy_survives_being_recorded(text: str) -> None:
    """The whole policy comes back from its JSON, and its JSON is always the same."""
    policy = Policy.from_toml(text).with_calendar("Europe/Istanbul", "TR")

    recorded = policy.model_dump_json()

    assert Policy.model_validate_json(recorded) == policy
    assert Policy.model_validate_json(recorded).model_dump_json() == recorded


@pytest.mark.rule("R17")
def test_a_claim_records_the_holidays_of_three_years() -> None:
    """Those of the local year of its submission and of the two that follow, each by its name."""
    policy = Policy.from_toml(SEED).with_calendar("Europe/Istanbul", "TR")

    holidays = policy.recorded(datetime.fromisoformat("2021-05-17T15:00Z")).holidays

    assert holidays is not None
    assert (holidays.first_year, holidays.last_year) == (2021, 2023)
    assert holidays.names[date(2021, 4, 23)] == "National Sovereignty and Children's Day"
    assert {day.date.year for day in holidays.days} == {2021, 2022, 2023}


@pytest.mark.rule("R17")
def test_a_programme_without_holidays_records_none() -> None:
    """There is nothing that a newer calendar could change."""
    policy = Policy.from_toml(SEED)

    assert policy.recorded(datetime.fromisoformat("2021-05-17T15:00Z")) == policy


@pytest.mark.rule("R17")
def test_after_the_recorded_years_today_s_calendar_counts() -> None:
    """A claim that lives so long is better off with known holidays than with none."""
    recorded = Holidays(first_year=2021, last_year=2022, days=())
    calendar = BusinessCalendar("Europe/Istanbul", "TR", recorded)
    days = {year: datetime.fromisoformat(f"{year}-04-22T12:00Z") for year in (2022, 2024)}

    skipped = {year: calendar.due(day, 3, Unit.BUSINESS).skipped for year, day in days.items()}

    assert [skip.why for skip in skipped[2022]] == ["weekend", "weekend"]
    assert skipped[2024][0].why == "National Sovereignty and Children's Day"


@pytest.mark.rule("R17")
def test_a_profile_states_no_holidays_of_its_own() -> None:
    """It names a country; what is recorded belongs to claims."""
    with pytest.raises(ValueError, match="holidays: a profile names a country"):
        Policy.from_toml(SEED + "[holidays]\nfirst_year = 2021\nlast_year = 2021\ndays = []\n")


@pytest.mark.rule("R17")
@pytest.mark.fault(57)
def test_a_recorded_policy_loads_whatever_today_s_checks_say() -> None:
    """Its due instants stay; a clock or a country that it does not know harms nobody else."""
    recorded = Policy.model_validate_json(RECORDED)
    gone = Policy.model_validate({**json.loads(RECORDED), "holiday_country": "YU"})

    due = recorded.due(ClockName.REVIEW_START, datetime.fromisoformat("2021-05-17T15:00Z"))

    assert due.due_at == datetime.fromisoformat("2021-05-25T21:00Z")
    assert [skipped.date.day for skipped in due.skipped] == [19, 22, 23]
    assert isinstance(due.skipped[0], Skipped)
    assert gone.holiday_country == "YU"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"UTC"', '"Mars/Olympus"', "unknown time zone 'Mars/Olympus'"),
        ('time_zone = "UTC"', 'time_zone = "UTC"\nholiday_country = "XX"', "country 'XX'"),
        ("consent = { days = 7", "consent = { days = 0", "clocks.consent.days: .* or equal to 1"),
        ("consent = { days = 7", 'consent = { days = "7"', "clocks.consent.days: .* integer"),
        ("consent = { days = 7", "consent = { days = true", "clocks.consent.days: .* integer"),
        ('7, unit = "calendar"', '7, unit = "lunar"', "unit: .* 'business' or 'calendar'"),
        ("review_start = {", "review_begin = {", "clocks.review_begin"),
        ('review_start = { days = 5, unit = "business" }', "", "no period for review_start"),
        ("name =", "nom =", "name: Field required; nom: Extra inputs"),
        ('["submitted", ', '["submited", ', "editable_after_submission.0: "),
        ("[title]", "[title", "not readable as TOML: .*line"),
    ],
)
def test_a_faulty_profile_is_refused_in_a_sentence(old: str, new: str, sentence: str) -> None:
    """The sentence names the place and what is wrong there."""
    with pytest.raises(ValueError, match=sentence) as refusal:
        Policy.from_toml(SEED.replace(old, new, 1))

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("zone", "country"), [("Mars/Olympus", None), (None, "XX")])
def test_an_unknown_calendar_is_refused(zone: str | None, country: str | None) -> None:
    """The settings can't bring in a zone or a country that nobody knows."""
    with pytest.raises(ValueError, match="unknown"):
        Policy.from_toml(SEED).with_calendar(zone, country)
