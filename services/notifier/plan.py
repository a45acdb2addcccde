"""What a batch of events comes to: who is told of what, and which reminders are ahead (R26)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.claim import Claim, ClaimEvent
from domain.event import OpenedClock
from domain.notice import Kind, Recipient, Reminder, reminders, told
from domain.policy import Policy
from projections.board import ClaimRow, project
from projections.memory import Memory
from projections.open_clock import Change, change
from services.store import remember

KEPT: Final = 5_000
"""Claims that are kept in memory, those that changed last."""

_BEFORE: Final = """
SELECT originator_id, originator_version, topic, state
FROM unnest(%s::uuid[], %s::bigint[]) AS wanted (claim_id, version)
JOIN cpor.stored_events ON originator_id = claim_id AND originator_version < version
ORDER BY originator_id, originator_version
"""


class Notice(NamedTuple):
    """Somebody is to be told of an event."""

    claim_id: UUID
    version: int
    """Of the event: the one that it is about, or that opened the clock that it reminds of."""
    recipient: Recipient
    kind: Kind
    number: int = 0
    """Among the reminders of a clock, from 1 on."""


class Planned(NamedTuple):
    """A reminder of an open clock."""

    claim_id: UUID
    version: int
    """Of the event that opened the clock."""
    reminder: Reminder
    due_at: datetime


@dataclass(slots=True)
class Plan:
    """What a batch of events comes to."""

    notices: list[Notice] = field(default_factory=list[Notice])
    closed: set[UUID] = field(default_factory=set[UUID])
    """Claims whose clock has closed or passed: of their reminders those ahead are of no use."""
    reminders: dict[UUID, list[Planned]] = field(default_factory=dict[UUID, list[Planned]])


@dataclass(slots=True)
class _Known:
    """A claim as it stood, and the policy that it recorded."""

    row: ClaimRow | None = None
    policy: Policy | None = None

    def follow(self, fact: ClaimEvent) -> None:
        self.row = project(self.row, fact)
        if isinstance(fact, Claim.Submitted):
            self.policy = fact.policy


class Planner:
    """Plans batch after batch; what it remembers of claims it would read from the store again."""

    def __init__(self) -> None:
        self._memory = Memory[_Known](KEPT)

    async def plan(self, store: AsyncConnection, facts: Sequence[ClaimEvent]) -> Plan:
        """What these events come to, which are in the log's order and none of them left out."""
        known = await self._known(store, facts)
        plan = Plan()
        for fact in facts:
            claim_id = fact.originator_id
            claim = known.setdefault(claim_id, _Known())
            before = claim.row.phase if claim.row else None
            claim.follow(fact)
            for kind in told(fact, before):
                plan.notices.append(Notice(claim_id, fact.originator_version, kind.recipient, kind))
            _follow_clock(plan, fact, claim.policy)
        self._memory.put(known)
        return plan

    def forget(self) -> None:
        """Read claims from the store again."""
        self._memory.clear()

    async def _known(
        self, store: AsyncConnection, facts: Iterable[ClaimEvent]
    ) -> dict[UUID, _Known]:
        """The events' claims as each stood before its first event of these."""
        first: dict[UUID, int] = {}
        for fact in facts:
            first.setdefault(fact.originator_id, fact.originator_version)
        known = {
            claim_id: claim
            for claim_id, claim in self._memory.take(first.keys()).items()
            if claim.row is not None and claim.row.version == first[claim_id] - 1
        }
        missing = [each for each in first if each not in known and first[each] > 1]
        if missing:
            cursor = await store.execute(_BEFORE, [missing, [first[each] for each in missing]])
            for claim_id, version, topic, state in await cursor.fetchall():
                fact = remember(str(claim_id), version, topic, state)
                known.setdefault(claim_id, _Known()).follow(fact)
        return known


def _follow_clock(plan: Plan, fact: ClaimEvent, policy: Policy | None) -> None:
    claim_id = fact.originator_id
    match change(fact):
        case OpenedClock() as opened:
            if policy is None:
                raise LookupError(f"claim {claim_id} opened a clock and has recorded no policy")
            plan.closed.add(claim_id)
            plan.reminders[claim_id] = [
                Planned(claim_id, fact.originator_version, each, opened.due_at)
                for each in reminders(opened, policy)
            ]
        case Change.CLOSED | Change.PASSED:
            plan.closed.add(claim_id)
            plan.reminders.pop(claim_id, None)
        case Change.NONE:
            pass
