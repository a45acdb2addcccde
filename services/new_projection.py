"""Projections that an upgrade has brought, filled before the projector comes to them.

The projector takes events in for all projections together: while it took a long log in for a new
one, from the first event on, the board and the clocks would stand still.
"""

from collections.abc import Sequence
from typing import Final

from psycopg import AsyncConnection

from projections import position
from projections.registry import PROJECTIONS
from services.rebuild import Progress, RebuildFailedError, RebuildRefused, rebuild

LONG: Final = 20_000
"""Events that take the projector longer than anybody should wait for the board: so many or more."""


async def fill_new(database_url: str, *, long: int = LONG) -> Sequence[str]:
    """Rebuild what has taken in nothing of a long log; a sentence about each.

    What can't be rebuilt now is left to the projector, which is slower at it.
    """
    async with await AsyncConnection.connect(database_url, autocommit=True) as store:
        if await position.recorded(store) < long:
            return []
        reached = await position.all_reached(store)
    return [await _fill(database_url, name) for name in PROJECTIONS if not reached.get(name)]


async def _fill(database_url: str, name: str) -> str:
    try:
        done = await rebuild(database_url, name, _nobody)
    except (RebuildRefused, RebuildFailedError) as error:
        return f"The projection {name} is left to the projector: {error}"
    return f"The projection {name} is new, and was made from {done.events:,} events."


def _nobody(_: Progress) -> None:
    """Nobody looks on."""
