"""The files in `policies/`: the profile that the settings name, and the product catalogue."""

from domain.catalogue import Catalogue
from domain.policy import Policy
from services.settings import CHECKOUT, Settings, SettingsError

FOLDER = CHECKOUT / "policies"


def load_policy(settings: Settings) -> Policy:
    """The profile with the settings' calendar; SettingsError when either is unknown."""
    file = FOLDER / f"{settings.policy}.toml"
    if settings.policy == "catalogue" or not file.is_file():
        names = sorted(file.stem for file in FOLDER.glob("*.toml") if file.stem != "catalogue")
        raise SettingsError(
            f"CPOR_POLICY={settings.policy} names no profile: there are {', '.join(names)}."
        )
    try:
        return Policy.from_toml(file.read_text("utf-8")).with_calendar(
            settings.time_zone, settings.holidays
        )
    except ValueError as error:
        raise SettingsError(
            f"The policy profile {settings.policy} can't be used: {error}."
        ) from error


def load_catalogue() -> Catalogue:
    """The product catalogue."""
    return Catalogue.from_toml((FOLDER / "catalogue.toml").read_text("utf-8"))
