"""What a webhook is told of an event: as much as people of its organisation can read."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import from_json

from domain.actor import Actor
from domain.claim import EVENTS, ClaimEvent, Details
from domain.vocabulary import Role
from projections.history import history
from services.cloudevent import stored_event_message
from services.notifier.webhook_message import Entry, message, signed
from services.store import EventMapper
from services.webhook import TARGET_SOON, Webhook
from tests.domain.examples import (
    ACTION_REQUIRED,
    ACTION_REQUIRED_IN_DISPUTE,
    CLAIM_ID,
    CONSENT_ELAPSED,
    DECLINED,
    DISMISSED,
    ORG,
    REVIEW_START_DUE,
    SUBMITTED_AT,
    UPHELD,
    WINDOW_CLOSED,
    WITHDRAWN,
    assessment_recorded,
    commented,
    created,
    dispute_result_overdue,
    edited,
    partner_response_expired,
    poe_attached,
    resubmitted,
    review_overdue,
    review_start_overdue,
    reviewer_assigned,
    submitted,
)

NOON = datetime(2031, 5, 20, 12, tzinfo=UTC)
SECRET_WORDS = "Between us: ask Selin."
LIVES: tuple[tuple[ClaimEvent, ...], ...] = (
    (*ACTION_REQUIRED, commented(), commented(SECRET_WORDS, internal=True), resubmitted()),
    (created(), edited(Details(name="Another name")), poe_attached(), submitted()),
    (*ACTION_REQUIRED, partner_response_expired()),
    (*ACTION_REQUIRED_IN_DISPUTE, reviewer_assigned()),
    (*CONSENT_ELAPSED, assessment_recorded()),
    (created(), poe_attached(), submitted(), review_start_overdue(), review_overdue()),
    (*DISMISSED, dispute_result_overdue()),
    *(DECLINED, UPHELD, WINDOW_CLOSED, WITHDRAWN),
)
"""Lives of claims, in which every event happens."""


def webhook(org: str | None = None, *events: str) -> Webhook:
    """One that stands at the beginning."""
    return Webhook(
        webhook_id=1,
        url="https://crm.example/cpor",
        org=org,
        events=events or None,
        secret=b"secret",
        created_at=NOON,
        position=0,
        notice_id=0,
        replays=0,
        parked=False,
        attempts=0,
        failing_since=None,
        next_at=NOON,
        words="",
        behind=0,
    )


def entries(life: tuple[ClaimEvent, ...]) -> list[Entry]:
    """A claim's life as the log has it."""
    mapper = EventMapper()
    found: list[Entry] = []
    for version, fact in enumerate(life, start=1):
        stored = mapper.to_stored_event(fact.model_copy(update={"originator_version": version}))
        happened = (fact.originator_id, version, stored.topic, stored.state)
        found.append(Entry(40 + version, 0, *happened, ORG))
    return found


def told(life: tuple[ClaimEvent, ...], to: Webhook) -> list[dict[str, Any]]:
    """The CloudEvents that a receiver is sent."""
    messages = [message(entry, to) for entry in entries(life)]
    return [from_json(each.body) for each in messages if each]


def test_the_lives_are_whole() -> None:
    """So that what holds for them holds for every event."""
    assert {fact.event_name() for life in LIVES for fact in life} == EVENTS.keys()


@pytest.mark.parametrize("life", LIVES)
def test_the_vendor_is_told_what_stands_on_the_event_stream(life: tuple[ClaimEvent, ...]) -> None:
    """To the letter, known by the event's id."""
    for entry in entries(life):
        body = stored_event_message(
            claim_id=CLAIM_ID,
            version=entry.version,
            position=entry.position,
            name=entry.name,
            state=entry.state,
        )
        assert message(entry, webhook()) == (f"{CLAIM_ID}-{entry.version}", body)


@pytest.mark.rule("R25")
@pytest.mark.parametrize("life", LIVES)
def test_a_partner_is_told_what_its_people_can_read(life: tuple[ClaimEvent, ...]) -> None:
    """The same events, with the same data, by the same people as in the claim's history."""
    reader = Actor(role=Role.INCENTIVES_ADMIN, org=ORG, id="ayse")
    placed = [
        fact.model_copy(update={"originator_version": version})
        for version, fact in enumerate(life, start=1)
    ]
    read = [
        (
            item.version,
            f"cpor.event.{item.event}",
            _instant(item.time),
            (item.actor.role, item.actor.org, item.actor.id),
            item.data,
        )
        for item in history(placed, reader=reader)
    ]

    assert [
        (
            event["claimversion"],
            event["type"],
            event["time"],
            (event["actorrole"], event.get("actororg"), event["actorid"]),
            event["data"],
        )
        for event in told(life, webhook(ORG))
    ] == read


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@pytest.mark.rule("R24")
@pytest.mark.rule("R25")
@pytest.mark.parametrize("life", LIVES)
def test_a_partner_is_told_no_reviewer_no_internal_comment_and_no_command(
    life: tuple[ClaimEvent, ...],
) -> None:
    """Wherever in an event it may stand."""
    traced = tuple(
        fact.model_copy(update={"cause": fact.cause.model_copy(update={"traceparent": "00-trace"})})
        for fact in life
    )
    for entry in entries(traced):
        to_vendor, to_partner = message(entry, webhook()), message(entry, webhook(ORG))
        assert to_vendor is not None
        assert b'"causationid":"command"' in to_vendor.body
        assert (to_partner is None) == (SECRET_WORDS.encode() in to_vendor.body)
        if to_partner:
            for hidden in (b"deniz", b"selin", b"causationid", b"traceparent"):
                assert hidden not in to_partner.body.lower()


@pytest.mark.rule("R25")
@pytest.mark.parametrize("life", LIVES)
def test_a_partner_is_told_nothing_of_others_claims(life: tuple[ClaimEvent, ...]) -> None:
    """Not even that there are any."""
    assert not told(life, webhook("7654321"))


def test_only_what_was_chosen_is_told() -> None:
    """By the events' names."""
    chosen = told(UPHELD, webhook(None, "approved", "rejected"))

    assert [event["type"] for event in chosen] == ["cpor.event.rejected", "cpor.event.approved"]


@pytest.mark.rule("R26")
def test_a_target_that_is_due_soon_is_the_vendors_to_know() -> None:
    """It names the event that opened the clock, and by itself: the same at each try."""
    entry = entries((created(), poe_attached(), submitted()))[-1]._replace(notice_id=7)
    soon = message(entry, webhook())

    assert soon is not None
    assert soon.message_id == f"{CLAIM_ID}-3-target_soon"
    (clock,) = submitted().clocks
    assert from_json(soon.body) == {
        "specversion": "1.0",
        "id": soon.message_id,
        "type": "cpor.notice.target_soon",
        "source": "/cpor",
        "subject": str(CLAIM_ID),
        "time": _instant(clock.due_soon_at),
        "datacontenttype": "application/json",
        "claimversion": 3,
        "data": {
            "clock": "review_start",
            "opened_at": _instant(SUBMITTED_AT),
            "due_at": _instant(REVIEW_START_DUE),
        },
    }
    assert message(entry, webhook(None, TARGET_SOON)) == soon
    assert message(entry, webhook(None, "submitted")) is None
    assert message(entry, webhook(ORG)) is None


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example that the libraries of Standard Webhooks are tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    now = datetime.fromtimestamp(1614265330, UTC)

    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', secret, now)

    assert headers == {
        "content-type": "application/cloudevents+json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
