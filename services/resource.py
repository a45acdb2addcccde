"""The files in `policies/`: the profile that the settings name, and the product catalogue."""

from collections.abc import Generator
from contextlib import contextmanager

from domain.catalogue import Catalogue
from domain.policy import Policy
from services.settings import CHECKOUT, Settings, SettingsError

FOLDER = CHECKOUT / "policies"


def load_policy(settings: Settings) -> Policy:
    """The profile with the settings' calendar; SettingsError names what of them is wrong."""
    file = FOLDER / f"{settings.policy}.toml"
    if settings.policy == "catalogue" or not file.is_file():
        names = sorted(file.stem for file in FOLDER.glob("*.toml") if file.stem != "catalogue")
        raise SettingsError(
            f"CPOR_POLICY={settings.policy} names no profile: there are {', '.join(names)}."
        )
    with _blamed(f"The policy profile {settings.policy}"):
        policy = Policy.from_toml(file.read_text("utf-8"))
    with _blamed("CPOR_TIME_ZONE"):
        policy = policy.with_calendar(time_zone=settings.time_zone)
    with _blamed("CPOR_HOLIDAYS"):
        return policy.with_calendar(holiday_country=settings.holidays)


@contextmanager
def _blamed(what: str) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise SettingsError(f"{what} can't be used: {error}.") from error


def load_catalogue() -> Catalogue:
    """The product catalogue."""
    return Catalogue.from_toml((FOLDER / "catalogue.toml").read_text("utf-8"))
