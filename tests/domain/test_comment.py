"""Comments, and what history needs of every fact."""

import pytest

from domain.claim import EVENTS
from domain.event import Cause, DomainEvent
from domain.lifecycle import Phase
from domain.refusal import NotAllowed, NotPossible
from domain.vocabulary import Role, Side
from tests.domain.examples import (
    ASSESSOR,
    CUSTOMER,
    EDITING,
    HISTORIES,
    PARTNER,
    RESUBMITTED_AT,
    REVIEWER,
    TIMER,
    UNDER_REVIEW,
    by,
    commented,
    given,
    refused,
    stated,
)

NOW = RESUBMITTED_AT


@pytest.mark.rule("R23")
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.EDITING])
@pytest.mark.parametrize("cause", [PARTNER, REVIEWER], ids=["partner", "reviewer"])
def test_comments_go_both_ways_from_submission_on(phase: Phase, cause: Cause) -> None:
    """A comment adds to the thread, and changes neither phase nor clock."""
    claim = given(*HISTORIES[phase])
    clock = claim.clock

    claim.comment(text="Which seats?", cause=cause, now=NOW)

    assert stated(claim) == [commented("Which seats?", at=NOW, cause=cause)]
    assert (claim.phase, claim.clock) == (phase, clock)


@pytest.mark.rule("R23")
def test_a_draft_has_no_thread() -> None:
    """Reviewers don't see a draft, so there is nobody to talk to."""
    claim = given(*EDITING)

    with refused(
        claim,
        NotPossible(
            "post_comment is not possible in the state editing", rule="R23", status="editing"
        ),
    ):
        claim.comment(text="Hello?", cause=PARTNER, now=NOW)


@pytest.mark.rule("R24")
def test_a_reviewer_writes_an_internal_note() -> None:
    """It is marked, so that partners are not shown it."""
    claim = given(*UNDER_REVIEW)

    claim.comment(text="Seen this text before.", internal=True, cause=REVIEWER, now=NOW)

    assert stated(claim) == [commented("Seen this text before.", internal=True, at=NOW)]


@pytest.mark.rule("R24")
def test_a_partner_writes_no_internal_note() -> None:
    """A note that its writer could not read again is refused."""
    claim = given(*UNDER_REVIEW)

    with refused(claim, NotAllowed("only reviewers write internal comments", rule="R24")):
        claim.comment(text="Between us …", internal=True, cause=PARTNER, now=NOW)


@pytest.mark.rule("R24")
@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.TOPIC)
def test_every_fact_tells_who_and_when(event: type[DomainEvent]) -> None:
    """History can show actor and time of everything that happened."""
    assert event.model_fields["timestamp"].is_required()
    assert event.model_fields["cause"].is_required()
    assert event.model_fields["cause"].annotation is Cause


@pytest.mark.rule("R24")
@pytest.mark.parametrize(
    ("cause", "side"),
    [
        (PARTNER, Side.PARTNER),
        (by(Role.BILLING_ADMIN, "ayse", org="1234567"), Side.PARTNER),
        (by(Role.GLOBAL_ADMIN, "ayse", org="1234567"), Side.PARTNER),
        (REVIEWER, Side.REVIEWER),
        (CUSTOMER, Side.CUSTOMER),
        (ASSESSOR, Side.SYSTEM),
        (TIMER, Side.SYSTEM),
        (by(Role.OPERATOR, "ops"), Side.SYSTEM),
        (by(Role.AUDITOR, "audit"), Side.SYSTEM),
    ],
    ids=lambda x: x.actor.role if isinstance(x, Cause) else x,
)
def test_every_actor_has_a_side(cause: Cause, side: Side) -> None:
    """History shows what happened from the partner's or the reviewer's side, or another."""
    assert cause.actor.side is side
