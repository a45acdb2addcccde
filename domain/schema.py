"""How stored events of any age become events of today, by the schema version stored with them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from domain.claim import EVENTS, ClaimEvent

State = dict[str, Any]
"""An event as it was stored: plain JSON values."""

Upcaster = Callable[[State], State]
"""Brings a state from one schema version to the next; pure."""

UPCASTERS: Mapping[tuple[str, int], Upcaster] = MappingProxyType({})
"""For each event name and schema version no longer written: the step to the next version."""


class UnknownEvent(ValueError):  # noqa: N818 - what replay stops at, not a fault of this code
    """History holds an event that this code does not know: replay must stop, never skip."""


def recall(
    name: str, state: State, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS
) -> ClaimEvent:
    """The event that was stored under this name, upcast where its schema is an older one.

    Raises UnknownEvent for a name or a schema version that this code does not know.
    """
    event = EVENTS.get(name)
    version = state.pop("schema_version", None)
    if event is None:
        raise UnknownEvent(f"no event is called {name!r}")
    while version != event.SCHEMA_VERSION:
        upcast = upcasters.get((name, version))
        if upcast is None:
            raise UnknownEvent(f"event {name!r} has the unknown schema version {version!r}")
        state = upcast(state)
        version += 1
    return event.model_validate(state)
