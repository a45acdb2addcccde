"""What `cpor doctor` finds out."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, but somebody should look at it; or it can't be known from here."""
    FAIL = "fail"


class Finding(NamedTuple):
    """One thing that was looked at."""

    area: str
    what: str
    level: Level
    found: str
    advice: str = ""
    """What to do about it; nothing when all is well."""


def judged(area: str, what: str, found: str, *, fine: bool, advice: str) -> Finding:
    """A finding that is either fine or a failure, with what to do then."""
    if fine:
        return Finding(area, what, Level.OK, found)
    return Finding(area, what, Level.FAIL, found, advice)
