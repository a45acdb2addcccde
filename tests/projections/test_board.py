"""The fold from events to the claim's row."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from domain.claim import EVENTS, ClaimEvent, Details
from domain.event import Customer
from domain.lifecycle import LIFECYCLE
from domain.vocabulary import (
    ActionReason,
    Assessment,
    AssessmentResult,
    ClockName,
    Consent,
    Dispute,
    Programme,
    RejectionReason,
    Sla,
    Status,
    Turn,
)
from projections.board import ClaimRow, NotNext, past, project
from tests.domain import examples as ex
from tests.projections.log import told


def row_of(*facts: ClaimEvent) -> ClaimRow:
    """The row after these facts."""
    row = past(told(*facts))
    assert row is not None
    return row


LIVES = {
    **{phase.value: history for phase, history in ex.HISTORIES.items()},
    "upheld": ex.UPHELD,
    "dismissed": ex.DISMISSED,
    "window_closed": ex.WINDOW_CLOSED,
    "declined": ex.DECLINED,
    "edited": (*ex.EDITING, ex.edited(Details(products=("teams",)))),
    "assigned": (*ex.UNDER_REVIEW, ex.reviewer_assigned(), ex.commented()),
    "expired": (
        *ex.ACTION_REQUIRED,
        ex.partner_response_expired(),
        ex.rejected(reasons=(RejectionReason.NO_PARTNER_RESPONSE,), cause=ex.TIMER),
    ),
    "resubmitted": (*ex.ACTION_REQUIRED, ex.resubmitted()),
    "resubmitted_in_dispute": (
        *ex.ACTION_REQUIRED_IN_DISPUTE,
        ex.resubmitted(clock=ClockName.DISPUTE_RESULT, at=ex.instant("2021-05-26T09:00Z")),
    ),
    "expired_in_dispute": (
        *ex.ACTION_REQUIRED_IN_DISPUTE,
        ex.partner_response_expired(ex.instant("2021-06-01T00:00Z")),
        ex.dispute_dismissed(at=ex.instant("2021-06-01T00:00Z"), cause=ex.TIMER),
    ),
    "late": (*ex.SUBMITTED, ex.review_start_overdue(), ex.review_started(), ex.review_overdue()),
    "late_in_dispute": (*ex.DISPUTED, ex.dispute_result_overdue()),
    "assessed": (*ex.CONSENT_ELAPSED, ex.assessment_recorded()),
}
"""Lives in which everything happens that can happen."""


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_a_row_says_what_the_claim_itself_says_at_every_step_of_its_life(
    life: Sequence[ClaimEvent],
) -> None:
    """Two folds of the same events, written for different ends, agree."""
    for length in range(1, len(life) + 1):
        row, claim = row_of(*life[:length]), ex.given(*life[:length])
        for field in (
            *("version", "org", "solution_area", "activities", "products", "subscription_ids"),
            *("status", "consent", "dispute", "assessment", "reviewer", "rejection_reasons"),
        ):
            assert getattr(row, field) == getattr(claim, field), field
        assert [each["digest"] for each in row.documents] == [d.digest for d in claim.documents]
        assert row.phase is claim.phase
        assert row.whose_turn is LIFECYCLE[claim.phase].turn
        clock = claim.clock
        expected = (clock.clock, clock.opened_at, clock.due_at) if clock else (None, None, None)
        assert (row.clock, row.clock_opened_at, row.due_at) == expected
        assert row.policy == (claim.policy.name if claim.policy else None)


@pytest.mark.rule("R1")
def test_a_created_claim_stands_on_the_board_as_it_was_stated() -> None:
    """Everything that creation states, contacts by their ids alone (R30)."""
    assert row_of(ex.created()) == ClaimRow(
        claim_id=ex.CLAIM_ID,
        version=1,
        name="Contoso collaboration",
        org=ex.ORG,
        mpn_id="7654321",
        customer_name="Contoso",
        customer_domain="contoso.example",
        tenant_id=ex.CONTOSO.tenant_id,
        solution_area="microsoft_365",
        activities=("usage",),
        products=("teams", "exchange"),
        subscription_ids=(),
        customer_contact=ex.CUSTOMER_CONTACT.id,
        partner_contact=ex.PARTNER_CONTACT.id,
        supersedes=None,
        created_at=ex.CREATED_AT,
        updated_at=ex.CREATED_AT,
    )


@pytest.mark.rule("R21")
def test_an_edit_changes_what_it_names_and_nothing_else() -> None:
    """Each field of an edit; the others stay."""
    before = row_of(ex.created())
    wingtip = Customer(name="Wingtip", domain="wingtip.example", tenant_id=UUID(int=7))

    renamed = row_of(ex.created(), ex.edited(Details(name="New name", mpn_id="1")))
    assert (renamed.name, renamed.mpn_id, renamed.products) == ("New name", "1", before.products)

    moved = row_of(ex.created(), ex.edited(Details(customer=wingtip, products=("yammer",))))
    assert (moved.customer_name, moved.customer_domain) == ("Wingtip", "wingtip.example")
    assert (moved.tenant_id, moved.products, moved.name) == (UUID(int=7), ("yammer",), before.name)


def test_a_document_is_listed_with_its_note_and_time() -> None:
    """What was attached, why, and when."""
    row = row_of(ex.created(), ex.poe_attached(note="signed"))

    assert row.documents == [
        {
            "digest": ex.document().digest,
            "filename": "statement-of-work-1.pdf",
            "media_type": "application/pdf",
            "size": 1001,
            "note": "signed",
            "attached_at": "2021-05-03T10:00:00Z",
        }
    ]


@pytest.mark.rule("R15g")
def test_the_decision_target_is_not_shown_while_the_partner_holds_the_claim() -> None:
    """None while editing and while action is required; moved on resubmission."""
    assert row_of(*ex.EDITING).decision_target_at is None
    assert row_of(*ex.SUBMITTED).decision_target_at == ex.DECISION_TARGET
    assert row_of(*ex.ACTION_REQUIRED).decision_target_at is None
    resubmitted = row_of(*ex.ACTION_REQUIRED, ex.resubmitted())
    assert resubmitted.decision_target_at == ex.DECISION_TARGET + timedelta(days=2)


@pytest.mark.rule("R5")
def test_reasons_for_action_are_shown_until_the_partner_resubmits() -> None:
    """They are answered then."""
    required = row_of(*ex.ACTION_REQUIRED)
    assert required.action_reasons == (ActionReason.MISSING_OR_OLD_DATES,)
    assert required.status is Status.PARTNER_ACTION_REQUIRED

    again = row_of(*ex.ACTION_REQUIRED, ex.resubmitted())
    assert (again.action_reasons, again.status) == ((), Status.SUBMITTED)
    assert again.submitted_at == ex.SUBMITTED_AT


@pytest.mark.rule("R12")
def test_a_resubmission_in_a_dispute_returns_to_rejected() -> None:
    """With the dispute open and reviewers to move."""
    clock = ClockName.DISPUTE_RESULT
    row = row_of(*ex.ACTION_REQUIRED_IN_DISPUTE, ex.resubmitted(clock=clock))

    assert (row.status, row.dispute, row.clock) == (Status.REJECTED, Dispute.OPEN, clock)
    assert row.whose_turn is Turn.REVIEWER


def test_decisions_leave_their_time_and_reasons() -> None:
    """Approval clears the reasons of an earlier rejection; every decision is the last one."""
    rejected = row_of(*ex.DISPUTABLE)
    assert rejected.rejection_reasons == (RejectionReason.INSUFFICIENT_POE,)
    assert rejected.decided_at == ex.DECIDED_AT

    upheld = row_of(*ex.UPHELD)
    assert (upheld.rejection_reasons, upheld.consent) == ((), Consent.PENDING)
    assert upheld.decided_at == ex.DISPUTE_DECIDED_AT
    assert row_of(*ex.DISMISSED).decided_at == ex.DISPUTE_DECIDED_AT


@pytest.mark.rule("R29")
def test_a_later_result_of_a_programme_replaces_the_earlier_one() -> None:
    """One result each; one eligible programme makes the claim eligible."""
    osu = ex.assessment_recorded(Programme.OSU, AssessmentResult.INELIGIBLE, note="no seats")
    osa = ex.assessment_recorded(Programme.OSA, AssessmentResult.ELIGIBLE)
    osu_again = ex.assessment_recorded(Programme.OSU, AssessmentResult.ELIGIBLE)

    assert row_of(*ex.CONSENT_ELAPSED).assessment is Assessment.SENT
    assert row_of(*ex.CONSENT_ELAPSED, osu).assessment is Assessment.INELIGIBLE
    both = row_of(*ex.CONSENT_ELAPSED, osu, osa, osu_again)
    assert both.assessment is Assessment.ELIGIBLE
    assert [(each["programme"], each["result"]) for each in both.assessments] == [
        ("osa", "eligible"),
        ("osu", "eligible"),
    ]


@pytest.mark.rule("R15a")
@pytest.mark.rule("R15b")
@pytest.mark.rule("R15f")
@pytest.mark.parametrize(
    ("history", "overdue"),
    [
        (ex.SUBMITTED, ex.review_start_overdue()),
        (ex.UNDER_REVIEW, ex.review_overdue()),
        (ex.DISPUTED, ex.dispute_result_overdue()),
    ],
)
def test_a_missed_target_marks_the_clock_and_nothing_else(
    history: Sequence[ClaimEvent], overdue: ClaimEvent
) -> None:
    """The status does not change, the clock stays open."""
    before, after = row_of(*history), row_of(*history, overdue)

    assert (after.passed, before.passed) == (True, False)
    assert (after.status, after.due_at, after.whose_turn) == (
        *(before.status, before.due_at, before.whose_turn),
    )
    assert after.sla(ex.CREATED_AT) is Sla.MISSED


@pytest.mark.rule("R16")
def test_how_a_clock_stands_depends_on_the_time_of_reading() -> None:
    """Soon from the recorded instant on; exactly at the due instant it is missed."""
    row = row_of(*ex.SUBMITTED)
    second = timedelta(seconds=1)
    assert row.due_at == ex.REVIEW_START_DUE
    assert row.due_soon_at is not None

    assert row.sla(row.due_soon_at - second) is Sla.OK
    assert row.sla(row.due_soon_at) is Sla.DUE_SOON
    assert row.sla(ex.REVIEW_START_DUE - second) is Sla.DUE_SOON
    assert row.sla(ex.REVIEW_START_DUE) is Sla.MISSED
    assert row_of(*ex.EDITING).sla(ex.REVIEW_START_DUE) is Sla.OK


def test_every_event_counts_as_an_update() -> None:
    """A comment is news as well."""
    row = row_of(*ex.SUBMITTED, ex.commented(at=ex.DECIDED_AT))

    assert (row.version, row.updated_at) == (4, ex.DECIDED_AT)


@pytest.mark.fault(46)
def test_an_event_that_the_row_has_seen_changes_nothing() -> None:
    """A whole life a second time, from the first event on."""
    life = told(*ex.UPHELD)
    row = past(life)
    for fact in life:
        row = project(row, fact)

    assert row == past(life)


def test_an_event_that_comes_too_early_is_not_taken_in() -> None:
    """Neither in the middle nor at the beginning."""
    life = told(*ex.SUBMITTED)
    row = project(None, life[0])

    with pytest.raises(NotNext, match=r"version 3 \(submitted\) follows version 1"):
        project(row, life[2])
    with pytest.raises(NotNext, match=r"version 2 \(poe_attached\) follows version 0"):
        project(None, life[1])
    assert row == past(life[:1])


def test_a_claim_is_created_once() -> None:
    """A second creation is no next event."""
    row = project(None, told(ex.created())[0])
    again = told(ex.created(), ex.created())[1]

    with pytest.raises(NotNext):
        project(row, again)


@pytest.mark.rule("R24")
def test_the_past_is_shown_by_version_or_by_instant() -> None:
    """As it was then; nothing before it began."""
    life = told(*ex.UPHELD)

    by_version = past(life, version=3)
    assert by_version == row_of(*ex.UPHELD[:3])
    by_instant = past(life, as_of=ex.SUBMITTED_AT)
    assert by_instant == by_version
    assert past(life, as_of=ex.CREATED_AT - timedelta(microseconds=1)) is None


def test_everything_that_can_happen_happens_in_these_lives() -> None:
    """An event that is added one day is missed here."""
    assert {type(fact) for life in LIVES.values() for fact in life} == set(EVENTS.values())
