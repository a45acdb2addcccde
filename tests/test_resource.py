"""The policy profile with the settings' calendar: each mistake is blamed on what is wrong."""

from pathlib import Path

import pytest

from services import resource
from services.resource import load_policy
from services.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            Settings(time_zone="Europe/Ankara"),
            (
                "CPOR_TIME_ZONE can't be used: unknown time zone 'Europe/Ankara': an IANA name "
                "like Europe/Istanbul is needed."
            ),
        ),
        (
            Settings(holidays="XX"),
            (
                "CPOR_HOLIDAYS can't be used: unknown holiday country 'XX': a two-letter ISO code "
                "like TR is needed."
            ),
        ),
        (
            Settings(policy="seed-2012"),
            "CPOR_POLICY=seed-2012 names no profile: there are partner-center-2023, seed-2021.",
        ),
    ],
)
@pytest.mark.fault(74)
def test_a_wrong_variable_is_named(settings: Settings, sentence: str) -> None:
    """The profile is not blamed for what a variable says."""
    with pytest.raises(SettingsError) as refusal:
        load_policy(settings)

    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("UTC", "Europe/Ankara", "unknown time zone 'Europe/Ankara'"),
        ("days = 5", "days = 0", "days: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_profile_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    """Also when variables would set aside what is wrong in it."""
    profile = (resource.FOLDER / "seed-2021.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(profile.replace(old, new, 1), "utf-8")
    monkeypatch.setattr(resource, "FOLDER", tmp_path)

    with pytest.raises(SettingsError, match=r"^The policy profile mine can't be used: ") as refusal:
        load_policy(Settings(policy="mine", time_zone="Europe/Istanbul", holidays="TR"))

    assert sentence in str(refusal.value)


def test_variables_go_before_the_profile() -> None:
    """Time zone and country are the programme's own, whatever the profile says."""
    policy = load_policy(Settings(time_zone="Europe/Istanbul", holidays="TR"))

    assert (policy.time_zone, policy.holiday_country) == ("Europe/Istanbul", "TR")
