"""A claim's history and thread, as different readers are told them."""

from collections.abc import Sequence

import pytest

from domain.actor import Actor
from domain.claim import ClaimEvent, Details
from domain.event import Customer
from domain.vocabulary import AssessmentResult, ClockName, Programme, Role, Side
from projections.history import HistoryItem, Kind, Who, comments, history
from tests.domain import examples as ex
from tests.projections.log import told
from tests.projections.test_board import LIVES

PARTNER = ex.PARTNER.actor
REVIEWER = ex.REVIEWER.actor
AUDITOR = Actor(role=Role.AUDITOR, id="ada")


def sentences(*facts: ClaimEvent, reader: Actor = REVIEWER) -> list[str]:
    """The history's texts."""
    return [item.text for item in history(told(*facts), reader=reader)]


def last(*facts: ClaimEvent, reader: Actor = REVIEWER) -> HistoryItem:
    """What the history says of the last of these facts."""
    return history(told(*facts), reader=reader)[-1]


@pytest.mark.rule("R24")
def test_an_item_says_what_happened_when_by_whom_and_from_which_side() -> None:
    """All of it, once."""
    assert last(*ex.UNDER_REVIEW) == HistoryItem(
        version=4,
        event="review_started",
        time=ex.REVIEW_STARTED_AT,
        actor=Who(Role.REVIEWER, None, "deniz"),
        side=Side.REVIEWER,
        text="deniz started the review. A decision is due before 2021-05-14 00:00 UTC.",
        data={
            "reviewer": "deniz",
            "clocks": [
                {
                    "clock": "review_decision",
                    "opened_at": "2021-05-06T09:00:00Z",
                    "due_at": "2021-05-14T00:00:00Z",
                    "due_soon_at": "2021-05-13T00:00:00Z",
                    "skipped": [
                        {"date": "2021-05-08", "why": "weekend"},
                        {"date": "2021-05-09", "why": "weekend"},
                    ],
                }
            ],
        },
    )


def test_a_life_reads_as_a_story() -> None:
    """From the first event to consent."""
    assert sentences(*ex.CONSENT_ELAPSED) == [
        "Created the claim “Contoso collaboration” for Contoso (contoso.example): teams, exchange.",
        "Attached the proof of execution statement-of-work-1.pdf.",
        (
            "Submitted for review under the policy seed-2021."
            " The review is to start before 2021-05-12 00:00 UTC."
        ),
        "deniz started the review. A decision is due before 2021-05-14 00:00 UTC.",
        "Approved. The customer may decline before 2021-05-18 00:00 UTC.",
        "The customer did not decline before 2021-05-18 00:00 UTC: that is consent.",
        "Sent to be assessed for incentives.",
    ]


@pytest.mark.parametrize(
    ("before", "fact", "text"),
    [
        (
            ex.UNDER_REVIEW,
            ex.action_required(products=("teams",)),
            (
                "Required partner action (about teams): missing or old dates."
                " The partner is to respond before 2021-05-18 00:00 UTC. Please add the dates."
            ),
        ),
        (
            ex.ACTION_REQUIRED,
            ex.resubmitted(comment="Here they are."),
            "Resubmitted. The review is to start before 2021-05-20 00:00 UTC. Here they are.",
        ),
        (
            ex.UNDER_REVIEW,
            ex.rejected(),
            (
                "Rejected: insufficient poe."
                " The partner may dispute it before 2021-06-10 00:00 UTC."
                " The proof says nothing about usage."
            ),
        ),
        (
            ex.DISPUTABLE,
            ex.disputed(),
            (
                "Disputed the rejection."
                " A decision on the dispute is due before 2021-05-28 00:00 UTC."
                " The usage stands on page 3."
            ),
        ),
        (ex.DISPUTED, ex.dispute_upheld(), "Upheld the dispute. Page 3 proves it."),
        (
            ex.DISPUTED,
            ex.dispute_dismissed(note=""),
            "The dispute was dismissed: insufficient poe.",
        ),
        (
            ex.UNDER_REVIEW,
            ex.rejection_requested(),
            "The partner asked to have the claim rejected. We no longer work with this customer.",
        ),
        (ex.CONSENT_PENDING, ex.consent_declined(), "The customer declined the association."),
        (ex.UNDER_REVIEW, ex.reviewer_assigned("selin"), "Assigned the review to selin."),
        (ex.UNDER_REVIEW, ex.commented("Why?"), "Commented: Why?"),
        (ex.UNDER_REVIEW, ex.commented("Odd.", internal=True), "Noted internally: Odd."),
        (
            ex.CONSENT_ELAPSED,
            ex.assessment_recorded(
                Programme.REVENUE_ASSOCIATION, AssessmentResult.INELIGIBLE, note="No revenue."
            ),
            "Assessed for revenue association: ineligible. No revenue.",
        ),
        (
            ex.SUBMITTED,
            ex.review_start_overdue(),
            "The review was to start before 2021-05-12 00:00 UTC: target missed.",
        ),
        (
            ex.UNDER_REVIEW,
            ex.review_overdue(),
            "The review was to be decided before 2021-05-14 00:00 UTC: target missed.",
        ),
        (
            ex.DISPUTED,
            ex.dispute_result_overdue(),
            "The dispute was to be decided before 2021-05-28 00:00 UTC: target missed.",
        ),
        (
            ex.ACTION_REQUIRED,
            ex.partner_response_expired(),
            "The partner did not respond before 2021-05-18 00:00 UTC.",
        ),
        (
            ex.DISPUTABLE,
            ex.dispute_window_closed(),
            "Nobody disputed the rejection before 2021-06-10 00:00 UTC: it is final.",
        ),
    ],
)
def test_every_event_is_a_sentence(
    before: Sequence[ClaimEvent], fact: ClaimEvent, text: str
) -> None:
    """One that a person understands, with what was said and what comes next."""
    assert last(*before, fact).text == text


def test_an_edit_says_what_it_was_and_what_it_is() -> None:
    """Contacts are named by reference only (R30)."""
    wingtip = Customer(name="Wingtip", domain="wingtip.example", tenant_id=ex.CONTOSO.tenant_id)
    tenant = ex.CONTOSO.tenant_id

    changed = last(
        ex.created(),
        ex.edited(Details(name="Wingtip", mpn_id="1", products=("teams",), customer=wingtip)),
    )
    assert changed.text == (
        "Changed the name from “Contoso collaboration” to “Wingtip”; "
        "the MPN id from 7654321 to 1; "
        f"the customer from Contoso (contoso.example, {tenant}) to Wingtip (wingtip.example,"
        f" {tenant}); the products from teams, exchange to teams."
    )
    contact = last(ex.created(), ex.edited(Details(customer_contact=ex.PARTNER_CONTACT)))
    assert contact.text == "Changed the customer contact."
    assert contact.data == {
        "changes": {
            "customer_contact": {
                "id": str(ex.PARTNER_CONTACT.id),
                "digest": ex.PARTNER_CONTACT.digest,
            }
        }
    }


@pytest.mark.rule("R24")
def test_internal_notes_are_hidden_from_partners() -> None:
    """In the history and in the thread; others who may read them do."""
    facts = (*ex.UNDER_REVIEW, ex.commented("Odd.", internal=True), ex.commented("Why?"))

    for reader, texts in ((PARTNER, ["Why?"]), (REVIEWER, ["Odd.", "Why?"])):
        assert [item.text for item in comments(told(*facts), reader=reader)] == texts
    assert [item.version for item in history(told(*facts), reader=PARTNER)] == [1, 2, 3, 4, 6]
    assert [item.internal for item in comments(told(*facts), reader=AUDITOR)] == [True, False]


@pytest.mark.rule("R25")
def test_partners_do_not_learn_which_reviewer_it_was() -> None:
    """Not as an actor, not in a sentence, not in the data."""
    facts = (*ex.UNDER_REVIEW, ex.reviewer_assigned("selin"), ex.commented())

    told_to_partner = repr(
        (history(told(*facts), reader=PARTNER), comments(told(*facts), reader=PARTNER))
    )
    assert "deniz" not in told_to_partner
    assert "selin" not in told_to_partner
    assert sentences(*facts, reader=PARTNER)[4] == "Assigned the review to Reviewer."
    assert last(*facts, reader=PARTNER).actor == Who(Role.REVIEWER, None, "Reviewer")
    assert last(*facts, reader=AUDITOR).actor == Who(Role.REVIEWER, None, "deniz")


@pytest.mark.rule("R23")
def test_the_thread_holds_all_that_was_said_to_each_other() -> None:
    """Comments, requests for action, resubmissions, decisions, disputes and explanations."""
    facts = (
        *ex.ACTION_REQUIRED,
        ex.resubmitted(comment="Added."),
        ex.review_started(at=ex.DISPUTED_AT),
        ex.commented("Thanks."),
        ex.rejected(note="Still no dates."),
        ex.disputed(justification="See page 3."),
        ex.action_required(comment="Which one?"),
        ex.resubmitted(clock=ClockName.DISPUTE_RESULT),
        ex.dispute_upheld(note="Found it."),
        ex.approved(note=""),
        ex.consent_declined(reason="Not our partner."),
    )

    thread = comments(told(*facts), reader=PARTNER)
    assert [(item.version, item.side, item.kind, item.text) for item in thread] == [
        (5, Side.REVIEWER, Kind.ACTION_REQUIRED, "Please add the dates."),
        (6, Side.PARTNER, Kind.RESUBMISSION, "Added."),
        (8, Side.REVIEWER, Kind.COMMENT, "Thanks."),
        (9, Side.REVIEWER, Kind.DECISION, "Still no dates."),
        (10, Side.PARTNER, Kind.DISPUTE, "See page 3."),
        (11, Side.REVIEWER, Kind.ACTION_REQUIRED, "Which one?"),
        (13, Side.REVIEWER, Kind.DECISION, "Found it."),
        (15, Side.CUSTOMER, Kind.EXPLANATION, "Not our partner."),
    ]
    explained = comments(told(*ex.WITHDRAWN), reader=REVIEWER)
    assert [(item.kind, item.text) for item in explained] == [
        (Kind.EXPLANATION, "We no longer work with this customer.")
    ]


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_every_life_can_be_told(life: Sequence[ClaimEvent]) -> None:
    """Each event an item, in order, each text a sentence."""
    items = history(told(*life), reader=AUDITOR)

    assert [item.version for item in items] == list(range(1, len(life) + 1))
    assert all(item.text[0].isalpha() for item in items)
