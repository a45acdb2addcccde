"""The claims application on the real store: one effect for each command, whatever happens."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from domain.refusal import StaleVersion
from services.claims.application import Answer, Behind, Claims, Early, Fault
from services.cloudevent import CommandMessage, Outcome
from services.resource import load_catalogue, load_policy
from services.settings import Settings
from tests.claims.orders import (
    CREATE,
    CUSTOMER,
    DOCUMENT,
    NOON,
    PARTNER,
    REVIEWER,
    STRANGER,
    TIMER,
    TO_APPROVAL,
    arrival,
    upload,
)

CLAIM = UUID("c1a10000-0000-4000-8000-00000000000a")
OTHER = UUID("c1a10000-0000-4000-8000-00000000000b")


def open_claims(database_url: str) -> Claims:
    """An application of its own, as another process would have it."""
    return Claims(database_url, policy=load_policy(Settings()), catalogue=load_catalogue())


@pytest.fixture
def claims(database_url: str) -> Iterator[Claims]:
    """The application, with the example document uploaded."""
    upload(database_url)
    application = open_claims(database_url)
    yield application
    application.close()


def outcome(answer: Answer) -> dict[str, Any]:
    """An outcome's data, as callers read it."""
    assert isinstance(answer, Outcome)
    return answer.data


def code(answer: Answer) -> str:
    """Why a command was refused."""
    assert isinstance(answer, Outcome)
    assert answer.refusal is not None
    return answer.refusal.code


def recorded(database_url: str) -> list[tuple[int, str]]:
    """Everything in the store: version and topic, in order."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT originator_version, topic FROM cpor.stored_events ORDER BY notification_id"
        ).fetchall()


def to_approval(claims: Claims, claim_id: UUID = CLAIM) -> list[Answer]:
    """Let a claim be approved, by one batch."""
    return claims.handle(
        [arrival(claim_id, command, data, actor=actor) for command, data, actor in TO_APPROVAL]
    )


def test_a_batch_takes_a_claim_through_its_life_by_one_commit(
    claims: Claims, database_url: str
) -> None:
    """Commands of one claim in one batch see each other's events; positions follow their order."""
    outcomes = [outcome(answer) for answer in to_approval(claims)]

    assert [each["result"] for each in outcomes] == ["accepted"] * 5
    assert [each["version"] for each in outcomes] == [1, 2, 3, 4, 5]
    assert [each["position"] for each in outcomes] == sorted(each["position"] for each in outcomes)
    assert recorded(database_url) == [
        (1, "claim.created"),
        (2, "claim.poe_attached"),
        (3, "claim.submitted"),
        (4, "claim.review_started"),
        (5, "claim.approved"),
    ]


@pytest.mark.fault(28)
@pytest.mark.fault(29)
def test_an_accepted_command_sent_again_has_the_same_outcome(
    claims: Claims, database_url: str
) -> None:
    """In the same batch, later, and after a restart: one effect, and the same answer."""
    create = arrival(CLAIM, "create_claim", CREATE)
    together = [outcome(answer) for answer in claims.handle([create, create])]
    to_approval(claims)
    days_later = arrival(CLAIM, "create_claim", CREATE, at=NOON + timedelta(days=400))
    later = outcome(claims.handle([days_later])[0])
    restarted = open_claims(database_url)
    after_restart = outcome(restarted.handle([days_later])[0])
    twice = [outcome(answer) for answer in restarted.handle([create, create])]
    restarted.close()

    assert together[0] == together[1] == later == after_restart == twice[0] == twice[1]
    assert len(recorded(database_url)) == 5


def test_a_command_of_several_events_repeats_with_all_of_them(claims: Claims) -> None:
    """The outcome is derived again from everything that the command recorded."""
    to_approval(claims)
    decline = arrival(CLAIM, "decline_consent", {"reason": "Not our partner"}, actor=CUSTOMER)

    first, again = outcome(claims.handle([decline])[0]), outcome(claims.handle([decline])[0])

    assert first == again
    assert first["events"] == ["consent_declined", "rejected"]
    assert first["version"] == 7


@pytest.mark.fault(30)
def test_a_reused_command_id_is_refused_and_the_original_kept(
    claims: Claims, database_url: str
) -> None:
    """Other content, another actor or another command under a known id is a conflict."""
    claims.handle([arrival(CLAIM, "create_claim", CREATE, command_id="one")])
    other_contact = {**CREATE, "partner_contact": {"name": "Can", "email": "can@partner.example"}}

    answers = claims.handle(
        [
            arrival(CLAIM, "create_claim", other_contact, command_id="one"),
            arrival(CLAIM, "edit_claim", {"name": "Other"}, command_id="one"),
            arrival(
                CLAIM,
                "create_claim",
                CREATE,
                actor=PARTNER.model_copy(update={"id": "can"}),
                command_id="one",
            ),
        ]
    )

    assert [code(answer) for answer in answers] == ["command_id_reused"] * 3
    assert recorded(database_url) == [(1, "claim.created")]


def test_a_refused_command_sent_again_is_decided_anew(claims: Claims) -> None:
    """What was not possible may be possible later, under the same id."""
    submit = arrival(CLAIM, "submit_claim")
    refused = claims.handle([arrival(CLAIM, "create_claim", CREATE), submit])[1]
    attach = arrival(CLAIM, "attach_poe", {"document": DOCUMENT})

    accepted = claims.handle([attach, submit])[1]

    assert code(refused) == "not_possible"
    assert outcome(accepted)["events"] == ["submitted"]


@pytest.mark.fault(33)
def test_another_writer_makes_a_batch_decide_anew_on_what_is_stored(
    claims: Claims, database_url: str
) -> None:
    """With a stale claim in memory: no version is taken twice, and each command is decided."""
    to_approval(claims)
    other = open_claims(database_url)
    withdrawal = arrival(CLAIM, "request_rejection", {"explanation": "Wrong customer"})
    assert outcome(other.handle([withdrawal])[0])["version"] == 7
    other.close()

    comment = arrival(CLAIM, "post_comment", {"text": "Thank you"}, actor=REVIEWER)
    late = arrival(CLAIM, "attach_poe", {"document": DOCUMENT}, command_id="late")
    answers = claims.handle([comment, late])

    assert outcome(answers[0])["version"] == 8
    assert code(answers[1]) == "not_possible"
    assert [version for version, _ in recorded(database_url)] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.rule("R30")
@pytest.mark.fault(50)
def test_nobody_is_refused_for_what_another_writer_has_changed(
    claims: Claims, database_url: str
) -> None:
    """What is kept in memory may be outdated: a refusal is checked against the store."""
    claims.handle([arrival(CLAIM, "create_claim", CREATE)])
    other = open_claims(database_url)
    to_approval(other)
    other.close()

    (declined,) = claims.handle([arrival(CLAIM, "decline_consent", {}, actor=CUSTOMER)])

    assert outcome(declined)["events"] == ["consent_declined", "rejected"]


def test_contacts_are_kept_apart_and_never_in_an_event(claims: Claims, database_url: str) -> None:
    """Events hold an id and a keyed digest; the people stand in a table of their own."""
    claims.handle([arrival(CLAIM, "create_claim", CREATE)])

    with psycopg.connect(database_url) as connection:
        states = connection.execute("SELECT state FROM cpor.stored_events").fetchall()
        contacts = connection.execute(
            "SELECT name, title, email FROM cpor.contacts ORDER BY name"
        ).fetchall()
    history = b"".join(state for (state,) in states).decode()
    assert contacts == [
        ("Ayşe Demir", None, "ayse@partner.example"),
        ("Zeynep Ak", "CIO", "zeynep@contoso.example"),
    ]
    assert not [word for row in contacts for word in row if word and word in history]


@pytest.mark.rule("R30")
def test_a_refused_claim_leaves_no_contact_behind(claims: Claims, database_url: str) -> None:
    """Contacts are written with the events that refer to them, or not at all."""
    unknown = {**CREATE, "products": ["abacus"]}

    assert code(claims.handle([arrival(CLAIM, "create_claim", unknown)])[0]) == "invalid"

    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM cpor.contacts").fetchone() == (0,)


@pytest.mark.rule("R25")
def test_another_organisation_s_claim_reads_as_not_found(claims: Claims) -> None:
    """Nothing tells a stranger that the claim exists, not even its version."""
    claims.handle([arrival(CLAIM, "create_claim", CREATE)])

    theirs, nobodys = claims.handle(
        [
            arrival(CLAIM, "edit_claim", {"name": "Mine"}, actor=STRANGER),
            arrival(OTHER, "edit_claim", {"name": "Mine"}, actor=STRANGER),
        ]
    )

    assert outcome(theirs)["problem"] == outcome(nobodys)["problem"]
    assert outcome(theirs)["version"] is None


def test_only_what_an_organisation_uploaded_can_be_attached(claims: Claims) -> None:
    """Another organisation's document, or one described otherwise, is named as the wrong field."""
    claims.handle(
        [
            arrival(CLAIM, "create_claim", CREATE),
            arrival(OTHER, "create_claim", CREATE, actor=STRANGER),
        ]
    )
    renamed = {**DOCUMENT, "filename": "other.pdf"}

    answers = claims.handle(
        [
            arrival(OTHER, "attach_poe", {"document": DOCUMENT}, actor=STRANGER),
            arrival(CLAIM, "attach_poe", {"document": renamed}),
        ]
    )

    for answer in answers:
        assert outcome(answer)["problem"]["errors"][0]["pointer"] == "/document"


@pytest.mark.rule("R14")
def test_a_decision_on_a_stale_version_is_refused_with_what_changed(claims: Claims) -> None:
    """The caller learns the present version, and what came since."""
    to_approval(claims)
    stale = arrival(CLAIM, "request_rejection", {"explanation": "Wrong"}, expected_version=3)

    answer = claims.handle([stale])[0]

    assert isinstance(answer, Outcome)
    assert isinstance(answer.refusal, StaleVersion)
    assert outcome(answer)["problem"]["current_version"] == 5
    assert outcome(answer)["problem"]["changed"] == ["review_started", "approved"]


@pytest.mark.rule("R13")
def test_a_claim_may_supersede_a_rejected_one_of_its_organisation_only(claims: Claims) -> None:
    """Superseding needs a rejected claim: an approved one, or none at all, is refused."""
    superseding = {**CREATE, "supersedes": str(CLAIM)}
    too_early, *_ = claims.handle([arrival(OTHER, "create_claim", superseding)])
    to_approval(claims)
    approved, *_ = claims.handle([arrival(OTHER, "create_claim", superseding)])

    _, accepted = claims.handle(
        [
            arrival(CLAIM, "request_rejection", {"explanation": "Wrong customer"}),
            arrival(OTHER, "create_claim", superseding),
        ]
    )

    assert (code(too_early), code(approved)) == ("invalid", "invalid")
    assert outcome(accepted)["events"] == ["created"]


@pytest.mark.rule("R18")
def test_event_times_never_run_backwards_within_a_claim(claims: Claims) -> None:
    """A command that arrived earlier than the claim's last event counts from that event."""
    claims.handle([arrival(CLAIM, "create_claim", CREATE)])
    early = arrival(CLAIM, "edit_claim", {"name": "Other"}, at=NOON - timedelta(hours=1))

    edited = claims.handle([early])[0]

    assert isinstance(edited, Outcome)
    assert edited.decided_at == NOON


@pytest.mark.rule("R18")
def test_a_timer_s_command_that_is_early_can_be_put_back(claims: Claims) -> None:
    """The answer says for how long; nothing is remembered, and at the instant it has effect."""
    to_approval(claims)
    due = {"clock": "consent", "due_at": "2021-05-25T00:00:00Z"}
    due_at = NOON.replace(day=25, hour=0)
    early = arrival(CLAIM, "pass_deadline", due, actor=TIMER, at=due_at - timedelta(seconds=2))

    put_back = claims.handle([early])[0]
    on_time = claims.handle([arrival(CLAIM, "pass_deadline", due, actor=TIMER, at=due_at)])[0]

    assert isinstance(put_back, Early)
    assert put_back.wait == timedelta(seconds=2)
    assert outcome(on_time)["events"] == ["consent_elapsed", "sent_for_assessment"]


@pytest.mark.fault(21)
def test_a_held_lock_puts_commands_back_instead_of_piling_them_up(
    claims: Claims, database_url: str
) -> None:
    """The batch fails as if the database were out of reach, and works once the lock is free."""
    create = arrival(CLAIM, "create_claim", CREATE)
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE cpor.stored_events IN EXCLUSIVE MODE")
        with pytest.raises(OperationalError):
            claims.handle([create])

    assert outcome(claims.handle([create])[0])["version"] == 1


@pytest.mark.fault(35)
def test_a_command_that_breaks_its_decision_leaves_the_others_of_its_batch_alone(
    claims: Claims,
) -> None:
    """A defect of ours is told as one; the same claim's other commands have their effect."""
    broken = arrival(CLAIM, "edit_claim", {"partner_contact": CREATE["partner_contact"]})
    assert isinstance(broken.message, CommandMessage)
    object.__setattr__(broken.message.command, "partner_contact", "no contact")

    answers = claims.handle(
        [
            arrival(CLAIM, "create_claim", CREATE),
            broken,
            arrival(OTHER, "create_claim", CREATE),
            arrival(CLAIM, "attach_poe", {"document": DOCUMENT}),
        ]
    )

    assert [type(answer) for answer in answers] == [Outcome, Fault, Outcome, Outcome]
    assert outcome(answers[3])["version"] == 2


@pytest.mark.rule("R18")
@pytest.mark.fault(35)
def test_a_deadline_does_not_pass_an_older_command_that_could_not_be_decided(
    claims: Claims,
) -> None:
    """The decline arrived first and fails by a defect of ours: the deadline is put back with it."""
    to_approval(claims)
    decline = arrival(CLAIM, "decline_consent", actor=CUSTOMER)
    assert isinstance(decline.message, CommandMessage)
    object.__setattr__(decline.message.command, "reason", object())
    due = {"clock": "consent", "due_at": "2021-05-25T00:00:00Z"}
    deadline = arrival(CLAIM, "pass_deadline", due, actor=TIMER, at=NOON.replace(day=25, hour=0))

    answers = claims.handle([decline, deadline, arrival(OTHER, "create_claim", CREATE)])

    assert [type(answer) for answer in answers] == [Fault, Behind, Outcome]


@pytest.mark.rule("R18")
def test_when_a_command_was_sent_is_recorded_and_never_judged(
    claims: Claims, database_url: str
) -> None:
    """The sender's time stands with the cause; the event's own time is the arrival's."""
    claims.handle([arrival(CLAIM, "create_claim", CREATE, at=NOON + timedelta(days=3))])

    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT state FROM cpor.stored_events").fetchone()
    assert row is not None
    state = json.loads(row[0])
    assert state["cause"]["sent_at"] == "2021-05-17T12:00:00Z"
    assert state["timestamp"] == "2021-05-20T12:00:00Z"
