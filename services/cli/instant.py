"""Instants as people read them: in their own time zone, or in UTC."""

from datetime import UTC, datetime
from typing import Annotated

import typer

Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC, not in the local time zone.")]


def shown(text: str | None, *, utc: bool, seconds: bool = False) -> str:
    """An instant of the wire with its time zone's name; a dash for none."""
    if text is None:
        return "–"
    instant = datetime.fromisoformat(text).astimezone(UTC if utc else None)
    return f"{instant:%Y-%m-%d %H:%M:%S %Z}" if seconds else f"{instant:%Y-%m-%d %H:%M %Z}"
