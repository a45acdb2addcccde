"""Who is told of what: every event in every phase, and the reminders before due dates (R26)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest

from domain.claim import ClaimEvent, Details
from domain.event import OpenedClock
from domain.lifecycle import Phase
from domain.notice import REMINDERS, Kind, Recipient, Reminder, reminders, told
from domain.policy import Policy
from domain.vocabulary import ClockName, RejectionReason
from projections.board import ClaimRow, project
from tests.domain import examples as ex
from tests.projections.log import told as placed

pytestmark = pytest.mark.rule("R26")

_WITHDRAWN: Final = (
    ex.rejection_requested(),
    ex.rejected_for_good(RejectionReason.PARTNER_REQUEST),
)
_WITHDRAWN_IN_DISPUTE: Final = (
    ex.rejection_requested(),
    ex.dispute_dismissed(note="", cause=ex.PARTNER),
    ex.rejected_for_good(RejectionReason.PARTNER_REQUEST),
)
_EXPIRED: Final = (
    ex.partner_response_expired(),
    ex.rejected(reasons=[RejectionReason.NO_PARTNER_RESPONSE], note="", cause=ex.TIMER),
)
_EXPIRED_IN_DISPUTE: Final = (
    ex.partner_response_expired(),
    ex.dispute_dismissed(
        note="",
        reasons=[RejectionReason.INSUFFICIENT_POE, RejectionReason.NO_PARTNER_RESPONSE],
        cause=ex.TIMER,
    ),
)
_RESUBMITTED_IN_DISPUTE: Final = (
    *ex.ACTION_REQUIRED_IN_DISPUTE,
    ex.resubmitted(clock=ClockName.DISPUTE_RESULT),
)
_UPHELD: Final = (
    ex.dispute_upheld(),
    ex.approved(at=ex.DISPUTE_DECIDED_AT, cause=ex.OTHER_REVIEWER),
)


def kinds(before: Sequence[ClaimEvent], happened: Sequence[ClaimEvent]) -> list[Kind]:
    """What people are told when this happens to a claim that has come so far."""
    row: ClaimRow | None = None
    said: list[Kind] = []
    for place, fact in enumerate(placed(*before, *happened)):
        phase = row.phase if row else None
        row = project(row, fact)
        if place >= len(before):
            said += told(fact, phase)
    return said


@pytest.mark.parametrize(
    ("before", "happened", "said"),
    [
        pytest.param((), ex.EDITING, [], id="a draft"),
        pytest.param(ex.EDITING, (ex.edited(Details(name="x")),), [], id="edited"),
        pytest.param(ex.EDITING, _WITHDRAWN, [], id="a draft that its partner drops"),
        pytest.param(ex.EDITING, (ex.submitted(),), [Kind.NEW_WORK], id="submitted"),
        pytest.param(ex.SUBMITTED, (ex.edited(Details(mpn_id="1")),), [], id="edited later"),
        pytest.param(ex.SUBMITTED, (ex.poe_attached(2),), [], id="more proof"),
        pytest.param(ex.SUBMITTED, (ex.review_started(),), [], id="review started"),
        pytest.param(
            ex.SUBMITTED, (ex.review_start_overdue(),), [Kind.TARGET_MISSED], id="started late"
        ),
        pytest.param(ex.SUBMITTED, _WITHDRAWN, [Kind.REJECTED], id="withdrawn when submitted"),
        pytest.param(ex.UNDER_REVIEW, (ex.reviewer_assigned(),), [], id="assigned"),
        pytest.param(ex.UNDER_REVIEW, (ex.commented(),), [], id="comment"),
        pytest.param(ex.UNDER_REVIEW, (ex.commented(internal=True),), [], id="an internal comment"),
        pytest.param(
            ex.UNDER_REVIEW, (ex.action_required(),), [Kind.ACTION_REQUIRED], id="action required"
        ),
        pytest.param(
            ex.UNDER_REVIEW, (ex.approved(),), [Kind.CONSENT_NOTICE, Kind.APPROVED], id="approved"
        ),
        pytest.param(ex.UNDER_REVIEW, (ex.rejected(),), [Kind.REJECTED], id="rejected"),
        pytest.param(
            ex.UNDER_REVIEW, (ex.review_overdue(),), [Kind.TARGET_MISSED], id="decided late"
        ),
        pytest.param(ex.UNDER_REVIEW, _WITHDRAWN, [Kind.REJECTED], id="withdrawn in review"),
        pytest.param(ex.ACTION_REQUIRED, (ex.resubmitted(),), [Kind.NEW_WORK], id="resubmitted"),
        pytest.param(ex.ACTION_REQUIRED, (ex.commented(cause=ex.PARTNER),), [], id="a reply"),
        pytest.param(ex.ACTION_REQUIRED, _EXPIRED, [Kind.REJECTED], id="no response"),
        pytest.param(ex.ACTION_REQUIRED, _WITHDRAWN, [Kind.REJECTED], id="withdrawn instead"),
        pytest.param(
            ex.CONSENT_PENDING, ex.DECLINED[-2:], [Kind.CUSTOMER_DECLINED], id="a decline, once"
        ),
        pytest.param(
            ex.CONSENT_PENDING, ex.CONSENT_ELAPSED[-2:], [Kind.CONSENT_ELAPSED], id="silence"
        ),
        pytest.param(ex.CONSENT_PENDING, _WITHDRAWN, [Kind.REJECTED], id="withdrawn in consent"),
        pytest.param(ex.CONSENT_ELAPSED, (ex.assessment_recorded(),), [], id="assessed"),
        pytest.param(ex.CONSENT_ELAPSED, _WITHDRAWN, [Kind.REJECTED], id="withdrawn at last"),
        pytest.param(ex.DISPUTABLE, (ex.dispute_window_closed(),), [], id="window closed"),
        pytest.param(
            ex.DISPUTABLE, (ex.poe_attached(2), ex.disputed()), [Kind.NEW_WORK], id="disputed"
        ),
        pytest.param(
            ex.DISPUTED, (ex.dispute_result_overdue(),), [Kind.TARGET_MISSED], id="dispute late"
        ),
        pytest.param(
            ex.DISPUTED,
            (ex.action_required(cause=ex.OTHER_REVIEWER),),
            [Kind.ACTION_REQUIRED],
            id="action required in a dispute",
        ),
        pytest.param(
            ex.DISPUTED,
            _UPHELD,
            [Kind.DISPUTE_UPHELD, Kind.CONSENT_NOTICE],
            id="upheld: the partner once, the customer anew",
        ),
        pytest.param(
            ex.DISPUTED, (ex.dispute_dismissed(),), [Kind.DISPUTE_DISMISSED], id="dismissed"
        ),
        pytest.param(
            ex.ACTION_REQUIRED_IN_DISPUTE,
            _WITHDRAWN_IN_DISPUTE,
            [Kind.REJECTED],
            id="withdrawn in a dispute, once",
        ),
        pytest.param(
            ex.ACTION_REQUIRED_IN_DISPUTE,
            _EXPIRED_IN_DISPUTE,
            [Kind.DISPUTE_DISMISSED],
            id="no response in a dispute, once",
        ),
        pytest.param(
            ex.ACTION_REQUIRED_IN_DISPUTE,
            _RESUBMITTED_IN_DISPUTE[-1:],
            [Kind.NEW_WORK],
            id="resubmitted in a dispute",
        ),
        pytest.param(
            _RESUBMITTED_IN_DISPUTE,
            _UPHELD,
            [Kind.DISPUTE_UPHELD, Kind.CONSENT_NOTICE],
            id="upheld after more",
        ),
    ],
)
def test_what_is_told_of_what_happens(
    before: Sequence[ClaimEvent], happened: Sequence[ClaimEvent], said: list[Kind]
) -> None:
    """Each recipient hears of a decision once, and of nothing that is not theirs."""
    assert kinds(before, happened) == said
    assert len({kind.recipient for kind in said}) == len(said)


def test_an_event_tells_nobody_of_two_things_of_one_kind() -> None:
    """Event, recipient and kind name a notice: they must tell all notices apart."""
    for phase in (None, *Phase):
        for fact in (*ex.UPHELD, *ex.DECLINED, *_EXPIRED_IN_DISPUTE, *_WITHDRAWN_IN_DISPUTE):
            said = list(told(fact, phase))
            assert len(said) == len(set(said))


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_one_recipient(kind: Kind) -> None:
    """The customer hears of its consent alone, reviewers of their work alone."""
    expected = {
        "consent_notice": Recipient.CUSTOMER,
        "consent_reminder": Recipient.CUSTOMER,
        "new_work": Recipient.REVIEWERS,
        "target_soon": Recipient.REVIEWERS,
        "target_missed": Recipient.REVIEWERS,
    }.get(kind, Recipient.PARTNER)

    assert kind.recipient is expected


def test_reminders_are_the_kinds_that_no_event_tells() -> None:
    """They come from clocks alone."""
    by_events = {
        kind
        for life in (ex.UPHELD, ex.DECLINED, ex.CONSENT_ELAPSED, ex.DISMISSED, ex.ACTION_REQUIRED)
        for kind in kinds((), life)
    }

    assert by_events.isdisjoint(REMINDERS)
    assert by_events | REMINDERS | {Kind.TARGET_MISSED} == set(Kind)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock(name: ClockName, opened_at: datetime, policy: Policy) -> OpenedClock:
    """A clock as a decision opens it."""
    (opened,) = ex.opened(name, opened_at, policy=policy)
    return opened


@pytest.mark.parametrize(
    ("policy", "name", "due", "expected"),
    [
        (
            ex.SEED,
            ClockName.PARTNER_RESPONSE,
            "2021-05-18",
            [
                Reminder(Kind.RESPONSE_REMINDER, 1, at("2021-05-14")),
                Reminder(Kind.RESPONSE_REMINDER, 2, at("2021-05-17")),
            ],
        ),
        (
            ex.PARTNER_CENTER,
            ClockName.PARTNER_RESPONSE,
            "2021-05-29",
            [
                Reminder(Kind.RESPONSE_REMINDER, 1, at("2021-05-27")),
                Reminder(Kind.RESPONSE_REMINDER, 2, at("2021-05-28")),
            ],
        ),
    ],
)
def test_a_partner_is_reminded_by_the_claims_own_policy(
    policy: Policy, name: ClockName, due: str, expected: list[Reminder]
) -> None:
    """Two and one business days before the response is due."""
    opened = clock(name, ex.DECIDED_AT, policy)

    assert opened.due_at == at(due)
    assert list(reminders(opened, policy)) == expected


@pytest.mark.parametrize("policy", [ex.SEED, ex.PARTNER_CENTER], ids=lambda each: each.name)
def test_calendar_reminders_of_both_profiles(policy: Policy) -> None:
    """The dispute window 7 days and 1 day before, the consent 2 days before."""
    window = clock(ClockName.DISPUTE_WINDOW, ex.DECIDED_AT, policy)
    consent = clock(ClockName.CONSENT, ex.DECIDED_AT, policy)

    assert list(reminders(window, policy)) == [
        Reminder(Kind.DISPUTE_REMINDER, 1, at("2021-06-03")),
        Reminder(Kind.DISPUTE_REMINDER, 2, at("2021-06-09")),
    ]
    assert list(reminders(consent, policy)) == [
        Reminder(Kind.CONSENT_REMINDER, 1, at("2021-05-16")),
    ]


@pytest.mark.parametrize(
    "name", [ClockName.REVIEW_START, ClockName.REVIEW_DECISION, ClockName.DISPUTE_RESULT]
)
def test_reviewers_are_told_when_a_target_comes_near(name: ClockName) -> None:
    """Once, at the instant that the clock has recorded."""
    opened = clock(name, ex.SUBMITTED_AT, ex.SEED)

    assert list(reminders(opened, ex.SEED)) == [
        Reminder(Kind.TARGET_SOON, 1, opened.due_soon_at),
    ]


@pytest.mark.rule("R17")
def test_holidays_are_no_days_to_remind_ahead_by() -> None:
    """In Turkey 1 January is off: two business days before Tuesday's beginning is Thursday's."""
    policy = ex.SEED.model_copy(update={"holiday_country": "TR", "time_zone": "Europe/Istanbul"})
    opened = clock(ClockName.PARTNER_RESPONSE, at("2020-12-28T09:00"), policy)

    ahead = [each.remind_at for each in reminders(opened, policy)]

    assert opened.due_at == at("2021-01-05T21:00")
    assert ahead == [at("2021-01-03T21:00"), at("2021-01-04T21:00")]
    before_holiday = opened.model_copy(update={"due_at": at("2021-01-04T21:00")})
    assert [each.remind_at for each in reminders(before_holiday, policy)] == [
        at("2020-12-30T21:00"),
        at("2021-01-03T21:00"),
    ]


def test_a_clock_that_is_too_short_reminds_of_nothing_before_it_opens() -> None:
    """Nor at the very instant: who was just told needs no reminder."""
    (short,) = ex.opened(ClockName.DISPUTE_WINDOW, ex.DECIDED_AT, ex.DECIDED_AT + timedelta(days=3))
    (shortest,) = ex.opened(ClockName.CONSENT, ex.DECIDED_AT, ex.DECIDED_AT + timedelta(hours=1))
    target = clock(ClockName.REVIEW_START, ex.SUBMITTED_AT, ex.SEED).model_copy(
        update={"due_soon_at": ex.SUBMITTED_AT}
    )

    assert [each.number for each in reminders(short, ex.SEED)] == [2]
    assert list(reminders(shortest, ex.SEED)) == []
    assert list(reminders(target, ex.SEED)) == []


@pytest.mark.parametrize("policy", [ex.SEED, ex.PARTNER_CENTER], ids=lambda each: each.name)
@pytest.mark.parametrize("name", ClockName)
def test_reminders_come_one_after_the_other_before_the_clock_is_due(
    policy: Policy, name: ClockName
) -> None:
    """Whenever in the day it opened."""
    for hours in range(0, 24 * 8, 5):
        opened = clock(name, ex.CREATED_AT + timedelta(hours=hours), policy)
        ahead = list(reminders(opened, policy))

        assert ahead
        assert all(opened.opened_at < each.remind_at < opened.due_at for each in ahead)
        assert all(one.remind_at < other.remind_at for one, other in pairwise(ahead))
        assert len({each.number for each in ahead}) == len(ahead)
