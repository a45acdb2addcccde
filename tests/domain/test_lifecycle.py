"""The lifecycle on one page: every command in every phase, executed against real decisions."""

from copy import deepcopy

import pytest

from domain.access import SENDERS, require_sender
from domain.claim import Claim, ClaimEvent
from domain.command import COMMANDS
from domain.lifecycle import LIFECYCLE, RULES, Phase
from domain.refusal import Refusal
from domain.vocabulary import ClockName, RejectionReason, Turn
from tests.domain.decision import DECISIONS, SENDER
from tests.domain.examples import (
    CONSENT_ELAPSED,
    DECLINED,
    DISMISSED,
    DISPUTED,
    EDITING,
    HISTORIES,
    RESUBMITTED_AT,
    SUBMITTED,
    UPHELD,
    WINDOW_CLOSED,
    consent_elapsed,
    created,
    dispute_result_overdue,
    given,
    rejected_for_good,
    rejection_requested,
    review_start_overdue,
    sent_for_assessment,
)

# The phases: editing, submitted, under_review, partner_action_required (without and with a dispute
# open), approved (consent pending, elapsed), rejected (window open, dispute open, final).
# The answers: yes, or the code of the refusal (no: not_possible, late: too_late).
# create_claim is a new claim that supersedes this one; pass_deadline is that of the open clock.
TABLE = """
                   editing submitted review action in-disp. pending elapsed window  disputed final
create_claim       invalid invalid  invalid invalid invalid invalid invalid yes     yes      yes
edit_claim         yes     yes       no     yes     yes     no      no      no      no       no
attach_poe         yes     yes       no     yes     yes     yes     yes     no      no       no
submit_claim       yes     no        no     no      no      no      no      no      no       no
start_review       no      yes       no     no      no      no      no      no      no       no
assign_reviewer    no      no        yes    no      no      no      no      no      yes      no
require_action     no      no        yes    no      no      no      no      no      yes      no
resubmit_claim     no      no        no     yes     yes     no      no      no      no       no
approve_claim      no      no        yes    no      no      no      no      no      no       no
reject_claim       no      no        yes    no      no      no      no      no      no       no
decline_consent    no      no        no     no      no      yes     late    no      no       no
request_rejection  yes     yes       yes    yes     yes     yes     yes     no      no       no
open_dispute       no      no        no     no      no      no      no      yes     no       no
uphold_dispute     no      no        no     no      no      no      no      no      yes      no
dismiss_dispute    no      no        no     no      no      no      no      no      yes      no
post_comment       no      yes       yes    yes     yes     yes     yes     yes     yes      yes
record_assessment  no      no        no     no      no      no      yes     no      no       no
pass_deadline      no      yes       yes    yes     yes     yes     no      yes     yes      no
"""

CODES = {"no": "not_possible", "late": "too_late", "invalid": "invalid"}
"""The refusals of the table by their codes."""

CELLS = [
    (command, phase, answer)
    for command, *answers in (line.split() for line in TABLE.strip().splitlines()[1:])
    for phase, answer in zip(Phase, answers, strict=True)
]

STANDING = {
    Phase.EDITING: (Turn.PARTNER, None),
    Phase.SUBMITTED: (Turn.REVIEWER, ClockName.REVIEW_START),
    Phase.UNDER_REVIEW: (Turn.REVIEWER, ClockName.REVIEW_DECISION),
    Phase.ACTION_REQUIRED: (Turn.PARTNER, ClockName.PARTNER_RESPONSE),
    Phase.ACTION_REQUIRED_IN_DISPUTE: (Turn.PARTNER, ClockName.PARTNER_RESPONSE),
    Phase.CONSENT_PENDING: (Turn.CUSTOMER, ClockName.CONSENT),
    Phase.CONSENT_ELAPSED: (Turn.NOBODY, None),
    Phase.DISPUTABLE: (Turn.NOBODY, ClockName.DISPUTE_WINDOW),
    Phase.DISPUTED: (Turn.REVIEWER, ClockName.DISPUTE_RESULT),
    Phase.FINAL: (Turn.NOBODY, None),
}
"""Whose turn it is in each phase, and which clock is open."""

MOVES = {
    (Phase.EDITING, "submit_claim"): Phase.SUBMITTED,
    (Phase.SUBMITTED, "start_review"): Phase.UNDER_REVIEW,
    (Phase.UNDER_REVIEW, "require_action"): Phase.ACTION_REQUIRED,
    (Phase.UNDER_REVIEW, "approve_claim"): Phase.CONSENT_PENDING,
    (Phase.UNDER_REVIEW, "reject_claim"): Phase.DISPUTABLE,
    (Phase.ACTION_REQUIRED, "resubmit_claim"): Phase.SUBMITTED,
    (Phase.ACTION_REQUIRED, "pass_deadline"): Phase.DISPUTABLE,
    (Phase.ACTION_REQUIRED_IN_DISPUTE, "resubmit_claim"): Phase.DISPUTED,
    (Phase.ACTION_REQUIRED_IN_DISPUTE, "pass_deadline"): Phase.FINAL,
    (Phase.CONSENT_PENDING, "decline_consent"): Phase.FINAL,
    (Phase.CONSENT_PENDING, "pass_deadline"): Phase.CONSENT_ELAPSED,
    (Phase.DISPUTABLE, "open_dispute"): Phase.DISPUTED,
    (Phase.DISPUTABLE, "pass_deadline"): Phase.FINAL,
    (Phase.DISPUTED, "require_action"): Phase.ACTION_REQUIRED_IN_DISPUTE,
    (Phase.DISPUTED, "uphold_dispute"): Phase.CONSENT_PENDING,
    (Phase.DISPUTED, "dismiss_dispute"): Phase.FINAL,
    **{
        (phase, "request_rejection"): Phase.FINAL
        for phase in Phase
        if not phase.startswith("rejected")
    },
}
"""Where a command leads to; where it stands not here, the claim stays where it is."""

OTHER_WAYS = {
    "overdue": (Phase.SUBMITTED, (*SUBMITTED, review_start_overdue())),
    "upheld": (Phase.CONSENT_PENDING, UPHELD),
    "upheld and elapsed": (
        Phase.CONSENT_ELAPSED,
        (*UPHELD, consent_elapsed(), sent_for_assessment()),
    ),
    "dispute overdue": (Phase.DISPUTED, (*DISPUTED, dispute_result_overdue())),
    "declined": (Phase.FINAL, DECLINED),
    "dismissed": (Phase.FINAL, DISMISSED),
    "window closed": (Phase.FINAL, WINDOW_CLOSED),
    "dropped draft": (
        Phase.FINAL,
        (*EDITING, rejection_requested(), rejected_for_good(RejectionReason.PARTNER_REQUEST)),
    ),
    "given up after consent": (
        Phase.FINAL,
        (
            *CONSENT_ELAPSED,
            rejection_requested(),
            rejected_for_good(RejectionReason.PARTNER_REQUEST),
        ),
    ),
}
"""Further histories that lead into a phase."""


def perform(claim: Claim, command: str) -> None:
    """Send the command by somebody who may, a little later but before anything is due."""
    cause = SENDER[command]
    require_sender(command, cause.actor)
    DECISIONS[command](claim, cause, max(RESUBMITTED_AT, claim.modified_on))


def answer_to(claim: Claim, command: str) -> str:
    """What the command comes to: yes, or the code of its refusal."""
    try:
        perform(deepcopy(claim), command)
    except Refusal as refusal:
        return refusal.code
    return "yes"


@pytest.mark.parametrize(("command", "phase", "answer"), CELLS)
def test_what_is_possible_where(command: str, phase: Phase, answer: str) -> None:
    """One cell of the table: the claim moves as it should, or refuses and stays as it is."""
    claim = given(*HISTORIES[phase])
    before = deepcopy(claim)

    if answer == "yes":
        perform(claim, command)
        assert claim.phase is MOVES.get((phase, command), phase)
        assert claim.pending_events or command == "create_claim"
        return

    with pytest.raises(Refusal) as caught:
        perform(claim, command)
    assert caught.value.code == CODES[answer]
    assert caught.value.rule == ("R13" if command == "create_claim" else RULES[command])
    assert claim == before


def test_the_table_is_complete() -> None:
    """It has every command of the contract, and each of them a sender and a rule."""
    commands = {command for command, _, _ in CELLS}

    assert commands == COMMANDS.keys() == DECISIONS.keys() == SENDERS.keys() == RULES.keys()
    assert len(CELLS) == 18 * 10


@pytest.mark.parametrize("phase", Phase)
def test_the_lifecycle_says_what_the_table_says(phase: Phase) -> None:
    """What is published as possible is exactly what is accepted; timers apart."""
    accepted = {c for c, where, answer in CELLS if where is phase and answer == "yes"}

    assert LIFECYCLE[phase].possible == accepted - {"create_claim", "pass_deadline"}


@pytest.mark.parametrize("phase", Phase)
def test_whose_turn_it_is_and_which_clock_runs(phase: Phase) -> None:
    """The last two columns of the lifecycle, and the clock of a real claim."""
    claim = given(*HISTORIES[phase])
    turn, clock = STANDING[phase]

    assert claim.phase is phase
    assert (LIFECYCLE[phase].turn, LIFECYCLE[phase].clock) == (turn, clock)
    assert (claim.clock.clock if claim.clock else None) is clock


@pytest.mark.parametrize(("phase", "history"), OTHER_WAYS.values(), ids=OTHER_WAYS)
def test_the_way_into_a_phase_changes_nothing(
    phase: Phase, history: tuple[ClaimEvent, ...]
) -> None:
    """Whatever led into a phase, the same commands are possible in it."""
    claim = given(*history)

    assert claim.phase is phase
    assert {c for c in LIFECYCLE[phase].possible if answer_to(claim, c) == "yes"} == LIFECYCLE[
        phase
    ].possible
    for command in COMMANDS.keys() - LIFECYCLE[phase].possible - {"create_claim", "pass_deadline"}:
        assert answer_to(claim, command) in {"not_possible", "too_late"}


def test_a_claim_that_has_just_begun_can_do_all_of_editing_but_be_submitted() -> None:
    """The one command that needs more than its phase is the submission: proof (R2)."""
    claim = given(created())

    answers = {command: answer_to(claim, command) for command in LIFECYCLE[Phase.EDITING].possible}

    assert answers == {
        "edit_claim": "yes",
        "attach_poe": "yes",
        "submit_claim": "not_possible",
        "request_rejection": "yes",
    }
