"""Whatever is asked of a claim, in whatever order, some things always hold."""

import json
from copy import deepcopy
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.claim import Claim, ClaimEvent
from domain.event import Cause, DomainEvent
from domain.lifecycle import LIFECYCLE
from domain.refusal import Refusal
from domain.schema import recall
from domain.vocabulary import Assessment, Consent, Role, Status
from tests.domain.decision import DECISIONS, SENDER, create
from tests.domain.examples import CLAIM_ID, CREATED_AT, by_reviewer
from tests.domain.shape import stored


class Step(NamedTuple):
    """What is tried next: after how long, by which reviewer, something possible or anything."""

    choice: int
    sensible: bool
    """Whether it is possible, and does not end the claim's life before it has begun."""
    reviewer: str
    wait: timedelta


steps = st.builds(
    Step,
    choice=st.integers(0, 1_000),
    sensible=st.sampled_from((True, True, True, True, True, False)),
    reviewer=st.sampled_from(("deniz", "selin")),
    wait=st.sampled_from([timedelta(hours=hours) for hours in (0, 1, 3, 30, 200, 900)]),
)


class Life(NamedTuple):
    """The commands with which a claim's life begins, and what is tried after them."""

    beginning: str
    steps: list[Step]


REVIEWED = "attach_poe submit_claim start_review"
lives = st.builds(
    Life,
    beginning=st.sampled_from(
        (
            "",
            REVIEWED,
            f"{REVIEWED} require_action",
            f"{REVIEWED} approve_claim",
            f"{REVIEWED} reject_claim open_dispute",
            f"{REVIEWED} reject_claim open_dispute require_action",
        )
    ),
    steps=st.lists(steps, min_size=8, max_size=30),
)


def chosen(claim: Claim, step: Step) -> str:
    """The command that the step sends to the claim as it is."""
    every = sorted(DECISIONS.keys() - {"create_claim"})
    possible = LIFECYCLE[claim.phase].possible | {"pass_deadline"}
    among = sorted(possible - {"request_rejection"}) if step.sensible else every
    return among[step.choice % len(among)]


def sender(command: str, reviewer: str, command_id: str) -> Cause:
    """Somebody who may send it; of the reviewers, this one."""
    cause = SENDER[command]
    if cause.actor.role is Role.REVIEWER:
        return by_reviewer(reviewer, command_id=command_id)
    return cause.model_copy(update={"command_id": command_id})


def live(life: Life) -> tuple[Claim, list[DomainEvent]]:
    """Let a claim live through all that; the claim, with its events collected."""
    claim = create()
    now = CREATED_AT
    for command in life.beginning.split():
        reviewer = "deniz" if command == "reject_claim" else "selin"
        cause = sender(command, reviewer, f"begin-{claim.version}")
        DECISIONS[command](claim, cause, now)
        check(claim)
    for number, step in enumerate(life.steps):
        now += step.wait
        command = chosen(claim, step)
        before = deepcopy(claim)
        try:
            DECISIONS[command](claim, sender(command, step.reviewer, f"command-{number}"), now)
        except Refusal:
            assert claim == before, f"refusing {command} changed the claim"
        else:
            assert claim.version > before.version, f"{command} was accepted without a word"
        now = max(now, claim.modified_on)
        check(claim)
    return claim, [e for e in claim.collect_events() if isinstance(e, DomainEvent)]


def check(claim: Claim) -> None:
    """What holds at any moment of any claim's life."""
    row = LIFECYCLE[claim.phase]
    assert (claim.clock.clock if claim.clock else None) is row.clock
    assert not (claim.clock_passed and claim.clock is None)
    assert claim.products, "a claim never goes below one product (R22)"
    assert bool(claim.rejection_reasons) or claim.status is not Status.REJECTED
    assert claim.consent is not Consent.PENDING or claim.status is Status.APPROVED
    if claim.assessment is not Assessment.NOT_SENT:
        assert claim.consent is Consent.ELAPSED, "never sent before consent has elapsed (R9)"


def recalled(event: DomainEvent) -> ClaimEvent:
    """The event after a trip through storage."""
    state = json.loads(json.dumps(stored(event)))
    identity = {"originator_id": str(CLAIM_ID), "originator_version": event.originator_version}
    return recall(event.event_name(), state | identity)


@pytest.mark.rule("R9")
@pytest.mark.rule("R11")
@pytest.mark.rule("R17")
@pytest.mark.rule("R18")
@pytest.mark.rule("R22")
@pytest.mark.fault(32)
@settings(max_examples=60)
@for_all(lives)
def test_no_order_of_commands_breaks_a_claim(life: Life) -> None:
    """One clock at most, versions without gap, time that never runs back, one dispute."""
    claim, events = live(life)
    names = [event.event_name() for event in events]
    times: list[datetime] = [event.timestamp for event in events]

    assert [event.originator_version for event in events] == list(range(1, claim.version + 1))
    assert times == sorted(times)
    assert names.count("disputed") <= 1
    assert names.count("sent_for_assessment") <= 1
    assert names.count("submitted") <= 1
    for event in events:
        for clock in getattr(event, "clocks", ()):
            assert clock.opened_at == event.timestamp < clock.due_at


@pytest.mark.rule("R17")
@pytest.mark.fault(46)
@settings(max_examples=25)
@for_all(lives)
def test_history_alone_makes_an_equal_claim(life: Life) -> None:
    """Folding the stored events again gives every part of the claim's state, memory included."""
    claim, events = live(life)

    again: Claim | None = None
    for event in events:
        loaded = recalled(event)
        assert loaded == event
        again = loaded.mutate(again)

    assert again == claim


@settings(max_examples=25)
@for_all(lives)
def test_every_accepted_command_is_known_by_its_events(life: Life) -> None:
    """The memory of commands covers every event exactly once."""
    claim, events = live(life)

    spans = sorted((known.first, known.last) for known in claim.commands.values())
    covered = [version for first, last in spans for version in range(first, last + 1)]

    assert covered == [event.originator_version for event in events]
    for event in events:
        known = claim.commands[event.cause.command_id]
        assert known.first <= event.originator_version <= known.last
        assert known.at == event.timestamp
