"""Stored events by the million: lives that claims have really decided once, told of many claims.

A life is decided by the project's own code; what tells one claim from another (its name, its
customer, its partner, when its clock is due) is then put into the stored JSON.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from pydantic_core import to_json

from benchmarks.lifecycle import LIFE, claim_ids
from domain.claim import Claim
from domain.command import COMMANDS
from domain.event import Cause
from services.claims.router import Terms, decide
from services.resource import load_catalogue, load_policy
from services.settings import Settings
from services.store import EventMapper
from tests.claims.orders import NOON

STORED_LIFE: Final = LIFE[:5]
"""As far as the question to the partner: afterwards one clock is open."""
EVENTS_OF_A_CLAIM: Final = len(STORED_LIFE)
NEVER: Final = datetime(2099, 1, 1, tzinfo=UTC)
"""Due in no benchmark."""

_DECIDES = UUID("c1a10000-0000-4000-8000-0000000000be")
_AT_ONCE = 1000
"""Claims that take turns in the log."""
_PARTNERS = 50
_CUSTOMERS = 5000
_COPY = b"""
COPY cpor.stored_events (originator_id, originator_version, topic, state)
FROM STDIN (FORMAT BINARY)
"""


class Row(NamedTuple):
    """An event as it is stored."""

    claim_id: UUID
    version: int
    topic: str
    state: bytes


class _Template(NamedTuple):
    """An event of the life, with a place for everything that is a claim's own."""

    topic: str
    state: bytes


def lives(
    run: str, claims: int, due_at: datetime = NEVER, *, events: int = EVENTS_OF_A_CLAIM
) -> Iterator[Row]:
    """The first events of so many claims in the order of a log; each claim's clock is due then."""
    templates = _templates(events)
    due = {b"due_at": to_json(due_at), b"due_soon_at": to_json(due_at - timedelta(days=1))}
    ids = list(claim_ids(run, claims))
    for first in range(0, claims, _AT_ONCE):
        several = [
            (claim_id, _own(number) | due)
            for number, claim_id in enumerate(ids[first : first + _AT_ONCE], start=first)
        ]
        for version, template in enumerate(templates, start=1):
            for claim_id, own in several:
                yield Row(claim_id, version, template.topic, template.state % own)


async def fill(store: AsyncConnection, rows: Iterable[Row]) -> None:
    """Append the events to the store, and let PostgreSQL know how they are spread."""
    async with store.cursor().copy(_COPY) as copy:
        copy.set_types(["uuid", "int8", "text", "bytea"])
        for row in rows:
            await copy.write_row(row)
    await store.execute("VACUUM (ANALYZE) cpor.stored_events")


def _own(number: int) -> dict[bytes, bytes]:
    """What the claim of this number has for itself."""
    customer = number % _CUSTOMERS
    return {
        b"name": b"Teams rollout %d" % number,
        b"customer": b"Contoso %d" % customer,
        b"domain": b"contoso-%d.example" % customer,
        b"org": b"%d" % (1_000_000 + number % _PARTNERS),
    }


_PLACES: Final = (
    (b"%", b"%%"),
    (b'"Teams rollout"', b'"%(name)b"'),
    (b'"Contoso"', b'"%(customer)b"'),
    (b'"contoso.example"', b'"%(domain)b"'),
    (b'"org":"1234567"', b'"org":"%(org)b"'),
)
"""What stands in the events of the claim that decided, and what is put in its place."""


def _templates(events: int) -> list[_Template]:
    """The beginning of the life as one claim decides it: one event a step."""
    terms = Terms(load_policy(Settings()), load_catalogue(), key=b"of the benchmarks")
    mapper = EventMapper()
    templates: list[_Template] = []
    claim: Claim | None = None
    for number, step in enumerate(STORED_LIFE[:events]):
        now = NOON + timedelta(hours=number)
        command = COMMANDS[step.command].model_validate(step.data)
        name = f"step-{number}"
        cause = Cause(actor=step.actor, command_id=name, digest="0" * 64, source="/benchmarks")
        claim, _ = decide(
            command, claim, claim_id=_DECIDES, others={}, terms=terms, cause=cause, now=now
        )
        for stored in map(mapper.to_stored_event, claim.collect_events()):
            state = stored.state
            for mark, place in _PLACES:
                state = state.replace(mark, place)
            templates.append(_Template(stored.topic, state))
    if claim is None or claim.clock is None:
        raise RuntimeError("the life of the generator leaves no clock open")
    last = templates[-1]
    state = last.state.replace(to_json(claim.clock.due_at), b"%(due_at)b")
    state = state.replace(to_json(claim.clock.due_soon_at), b"%(due_soon_at)b")
    return [*templates[:-1], _Template(last.topic, state)]
