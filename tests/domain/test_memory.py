"""A claim remembers the commands that it accepted, so that a repetition has no second effect."""

import pytest

from domain.claim import Claim, Remembered
from domain.event import Cause
from domain.lifecycle import LIFECYCLE, Phase
from domain.refusal import Refusal
from tests.domain.decision import DECISIONS, SENDER
from tests.domain.examples import (
    CONSENT_PENDING,
    DISPUTABLE,
    DISPUTED_AT,
    HISTORIES,
    PARTNER,
    RESUBMITTED_AT,
    UNDER_REVIEW,
    by_customer,
    by_partner,
    created,
    document,
    given,
    poe_attached,
)

DIGEST = "keyed digest of the content"


def repeatable(cause: Cause, command_id: str = "the-command") -> Cause:
    """The same sender, with a command that can be told from others."""
    return cause.model_copy(update={"command_id": command_id, "digest": DIGEST})


def accepted(claim: Claim, command: str) -> None:
    """Let the claim accept the command, a little before anything is due."""
    now = max(RESUBMITTED_AT, claim.modified_on)
    DECISIONS[command](claim, repeatable(SENDER[command]), now)


@pytest.mark.fault(28)
@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("phase", "command"),
    [
        (phase, command)
        for phase in Phase
        for command in [*sorted(LIFECYCLE[phase].possible), "pass_deadline"]
        if command != "pass_deadline" or LIFECYCLE[phase].clock
    ],
)
def test_every_accepted_command_is_remembered(phase: Phase, command: str) -> None:
    """By its id: the digest of its content, when it came, and exactly the events that it caused."""
    claim = given(*HISTORIES[phase])
    before = claim.version

    accepted(claim, command)

    caused = claim.pending_events
    assert claim.commands["the-command"] == Remembered(
        DIGEST, before + 1, claim.version, caused[-1].timestamp
    )
    assert claim.version == before + len(caused)


@pytest.mark.fault(2)
@pytest.mark.parametrize("phase", Phase)
def test_the_memory_is_that_of_the_events(phase: Phase) -> None:
    """A claim that is loaded again remembers what the one that decided remembers."""
    for command in sorted(LIFECYCLE[phase].possible):
        decided = given(*HISTORIES[phase])
        loaded = given(*HISTORIES[phase])
        accepted(decided, command)

        for event in decided.collect_events():
            event.mutate(loaded)

        assert loaded == decided


def test_a_command_of_several_events_is_remembered_as_one() -> None:
    """Two documents and a dispute: three events, one command."""
    claim = given(*DISPUTABLE)
    first = len(DISPUTABLE) + 1

    claim.open_dispute(
        documents=[document(2), document(3)],
        cause=by_partner(command_id="dispute-1"),
        now=DISPUTED_AT,
    )

    assert claim.commands["dispute-1"] == Remembered("", first, first + 2, DISPUTED_AT)


def test_commands_are_remembered_for_good() -> None:
    """Even the first one, at the end of the claim's life."""
    claim = given(
        created(cause=by_partner(command_id="create-1")),
        poe_attached(cause=by_partner(command_id="attach-1")),
        *CONSENT_PENDING[2:],
    )
    claim.decline_consent(cause=by_customer(command_id="decline-1"), now=RESUBMITTED_AT)

    assert {"create-1", "attach-1", "decline-1"} <= claim.commands.keys()
    assert claim.commands["create-1"].first == claim.commands["create-1"].last == 1
    assert claim.commands["decline-1"].last == claim.commands["decline-1"].first + 1 == 7


def test_a_refused_command_is_not_remembered() -> None:
    """It is decided anew when it comes again."""
    claim = given(*UNDER_REVIEW)

    with pytest.raises(Refusal):
        claim.resubmit(cause=repeatable(PARTNER), now=RESUBMITTED_AT)

    assert "the-command" not in claim.commands
