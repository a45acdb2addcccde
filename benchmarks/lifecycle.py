"""The work that everything here is measured with: a claim's life of six commands."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.actor import Actor
from tests.claims.orders import CREATE, DOCUMENT, PARTNER, REVIEWER


class Step(NamedTuple):
    """One command of a life."""

    command: str
    data: dict[str, Any]
    actor: Actor


LIFE = (
    Step("create_claim", CREATE, PARTNER),
    Step("attach_poe", {"document": DOCUMENT}, PARTNER),
    Step("submit_claim", {}, PARTNER),
    Step("start_review", {}, REVIEWER),
    Step(
        "require_action",
        {"reasons": ["missing_or_old_dates"], "comment": "The statement is not dated."},
        REVIEWER,
    ),
    Step("resubmit_claim", {"comment": "Dated, see page 2."}, PARTNER),
)
"""Six durable changes, one event each."""

_NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def claim_ids(run: str, count: int) -> Iterator[UUID]:
    """Ids that no other run has used."""
    return (uuid5(_NAMESPACE, f"{run}/{number}") for number in range(count))
