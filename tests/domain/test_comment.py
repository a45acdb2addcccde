"""Comments, and what history needs of every fact."""

import re

import pytest
from pydantic import ValidationError

from domain.claim import EVENTS
from domain.command import ApproveClaim, PostComment
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


@pytest.mark.rule("R23")
@pytest.mark.parametrize("text", ["First line.\n\tSecond.\r\nThird.", "Müşteri imzaladı – 你好"])
def test_a_comment_is_text_of_any_language_and_many_lines(text: str) -> None:
    """Line breaks and tabs are part of it."""
    assert PostComment.model_validate({"text": text}).text == text


@pytest.mark.rule("R23")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nul \0 byte", "must not contain the control character U+0000"),
        ("escape \x1b[31m", "must not contain the control character U+001B"),
        (" \n ", "at least 1 character"),
        ("x" * 10_001, "at most 10000 characters"),
    ],
    ids=["nul", "escape", "blank", "endless"],
)
@pytest.mark.fault(39)
def test_what_is_no_text_is_no_comment(text: str, reason: str) -> None:
    """Nothing invisible, nothing empty, nothing endless."""
    with pytest.raises(ValidationError, match=re.escape(reason)):
        PostComment.model_validate({"text": text})


@pytest.mark.rule("R23")
@pytest.mark.parametrize("data", [{}, {"note": None}, {"note": "  "}])
def test_a_note_that_may_be_left_out_may_be_empty(data: dict[str, str | None]) -> None:
    """Absent, null and blank all mean that nothing was noted."""
    assert ApproveClaim.model_validate(data).note == ""
    assert ApproveClaim.model_validate({"note": " Fine. "}).note == "Fine."
