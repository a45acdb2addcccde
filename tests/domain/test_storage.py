"""What is stored for ever: topics, fields, older versions; and what is never stored."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import ClassVar

import pytest
from pydantic import ValidationError

from domain.claim import EVENTS, Claim, Details
from domain.event import ContactRef, DomainEvent
from domain.schema import UPCASTERS, State, UnknownEvent, Upcaster, recall
from domain.vocabulary import RejectionReason
from tests.domain.examples import CUSTOMER_CONTACT, created, rejected
from tests.domain.shape import (
    EXAMPLES,
    HOW_TO_CHANGE,
    differences,
    fields,
    pinned,
    pinned_anew,
    shapes,
    stored,
)

IDENTITY = {"originator_id": "c1a10000-0000-4000-8000-000000000001", "originator_version": 1}
"""What a store keeps beside an event's state."""

PINNED_STATES = [
    pytest.param(topic.removeprefix("claim."), state, id=f"{topic}-{number}")
    for topic, shape in pinned().items()
    for number, state in enumerate(shape["stored"], start=1)
]


def recalled(
    name: str, state: State, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS
) -> DomainEvent:
    """The event that a store would give back for this state."""
    return recall(name, deepcopy(state) | IDENTITY, upcasters)


def test_every_stored_shape_is_pinned() -> None:
    """Topics and fields are the storage format: a change must be meant."""
    changed = differences(pinned(), shapes())

    assert not changed, "\n".join([*changed, "", HOW_TO_CHANGE])


def test_every_event_has_an_example() -> None:
    """No event is left out, and topics are written out under the claim."""
    assert [example.event_name() for example in EXAMPLES] == list(EVENTS)
    assert {event.TOPIC for event in EVENTS.values()} == {f"claim.{name}" for name in EVENTS}


@pytest.mark.parametrize(("name", "state"), PINNED_STATES)
def test_whatever_was_pinned_still_loads(name: str, state: State) -> None:
    """Every example of every age becomes an event of today."""
    event = recalled(name, state)

    assert type(event) is EVENTS[name]
    assert event.event_name() == name


@pytest.mark.parametrize(("name", "state"), PINNED_STATES)
def test_a_stored_event_goes_through_storage_unchanged(name: str, state: State) -> None:
    """What is loaded and stored again is the same event, and loses nothing."""
    event = recalled(name, state)

    again = stored(event)

    assert recalled(name, json.loads(json.dumps(again))) == event
    if state["schema_version"] == event.SCHEMA_VERSION:
        assert again == again | state


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.TOPIC)
def test_an_event_of_today_goes_through_storage_unchanged(example: DomainEvent) -> None:
    """Storing and recalling gives an equal event."""
    event = example.model_copy(update={"originator_version": 1})

    assert recalled(event.event_name(), json.loads(json.dumps(stored(event)))) == event


class Renamed(DomainEvent):
    """An approval as a careless change might leave it."""

    TOPIC = "claim.approved"
    SCHEMA_VERSION: ClassVar[int] = 1
    remark: str
    clocks: tuple[str, ...]


def test_a_changed_field_is_named_with_what_to_do() -> None:
    """The message says which field changed how, and how to change a shape well."""
    now = shapes()
    now["claim.approved"]["fields"] = fields(Renamed)
    del now["claim.commented"]
    now["claim.praised"] = {}

    found = differences(pinned(), now)

    assert "claim.approved: note is gone or renamed" in found
    assert "claim.approved: remark is new (string)" in found
    assert "claim.approved: clocks[] was (object) and is (string)" in found
    assert "claim.commented is gone, but history holds such events" in found
    assert "claim.praised is new and not pinned yet" in found
    assert "UPCASTERS in domain/schema.py" in HOW_TO_CHANGE


def test_pinning_anew_keeps_every_older_example() -> None:
    """What was once stored is still tried when the shape has moved on."""
    before = pinned()
    now = shapes()
    now["claim.approved"]["schema_version"] = 2
    now["claim.approved"]["stored"] = [{"schema_version": 2}]

    anew = pinned_anew(before, now)

    assert anew["claim.approved"]["stored"] == [
        *before["claim.approved"]["stored"],
        {"schema_version": 2},
    ]
    assert pinned_anew(before, shapes()) == before


# The worked example of upcasting: suppose that a rejection once had a single reason, version 0.
ONE_REASON = stored(rejected()) | {"schema_version": 0, "reason": "insufficient_poe"}
del ONE_REASON["reasons"]


def codes_become_words(state: State) -> State:
    """The step from version -1 of `rejected`, which had numbers for reasons, to version 0."""
    return state | {"reason": ["insufficient_poe", "missing_products"][state["reason"]]}


def one_reason_becomes_several(state: State) -> State:
    """The step from version 0 of `rejected` to version 1."""
    return {k: v for k, v in state.items() if k != "reason"} | {"reasons": [state["reason"]]}


@pytest.mark.fault(42)
def test_an_older_version_is_upcast_to_today() -> None:
    """A pure function for the one step, and history of that age loads again."""
    event = recalled("rejected", ONE_REASON, {("rejected", 0): one_reason_becomes_several})

    assert event == rejected().model_copy(update={"originator_version": 1})


@pytest.mark.fault(42)
def test_versions_are_upcast_step_by_step() -> None:
    """An event two versions old takes both steps, in order."""
    coded = ONE_REASON | {"schema_version": -1, "reason": 1}

    event = recalled(
        "rejected",
        coded,
        {
            ("rejected", -1): codes_become_words,
            ("rejected", 0): one_reason_becomes_several,
        },
    )

    assert isinstance(event, Claim.Rejected)
    assert event.reasons == (RejectionReason.MISSING_PRODUCTS,)


@pytest.mark.fault(42)
@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_an_unknown_version_stops_replay(version: object) -> None:
    """Neither a version that nobody upcasts, nor one from the future, is ever guessed at."""
    state = stored(rejected()) | {"schema_version": version}

    with pytest.raises(UnknownEvent) as caught:
        recalled("rejected", state)

    assert str(caught.value) == f"event 'rejected' has the unknown schema version {version!r}"


@pytest.mark.fault(42)
def test_an_unknown_event_stops_replay() -> None:
    """An event of another time or another program is never skipped."""
    with pytest.raises(UnknownEvent) as caught:
        recalled("praised", stored(rejected()))

    assert str(caught.value) == "no event is called 'praised'"


@pytest.mark.fault(42)
def test_an_unknown_field_stops_replay() -> None:
    """A field that this code does not know may have mattered."""
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        recalled("rejected", stored(rejected()) | {"severity": "high"})


def test_there_is_nothing_to_upcast_yet() -> None:
    """Every event is in its first version; the seam is there for the day when one is not."""
    assert dict(UPCASTERS) == {}
    assert {event.SCHEMA_VERSION for event in EVENTS.values()} == {1}


ALLOWED_NAMES = {
    "claim.created": {"name", "customer.name"},
    "claim.edited": {"changes.name", "changes.customer.name"},
    "claim.submitted": {"policy.name", "policy.title", "policy.title.en", "policy.title.tr"},
}
"""Names and titles that are no person's: the claim's, the customer company's, the profile's."""


@pytest.mark.rule("R30")
@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.TOPIC)
def test_no_event_can_hold_a_contacts_name_title_or_address(event: type[DomainEvent]) -> None:
    """Of all paths into an event only those known to be harmless say name, title or e-mail."""
    suspicious = {
        path
        for path in fields(event)
        if {"name", "title", "email", "e_mail", "mail", "phone"} & set(path.split("."))
    }

    assert suspicious == ALLOWED_NAMES.get(event.TOPIC, set())


@pytest.mark.rule("R30")
@pytest.mark.parametrize(
    ("event", "path"),
    [
        (Claim.Created, "customer_contact"),
        (Claim.Created, "partner_contact"),
        (Claim.Edited, "changes.customer_contact"),
        (Claim.Edited, "changes.partner_contact"),
    ],
)
def test_a_contact_is_an_id_and_a_keyed_digest(event: type[DomainEvent], path: str) -> None:
    """Nothing else about a contact has a place in an event."""
    below = {field for field in fields(event) if field.startswith(f"{path}.")}

    assert below == {f"{path}.id", f"{path}.digest"}


@pytest.mark.rule("R30")
@pytest.mark.parametrize("leak", ["name", "title", "email"])
def test_a_contact_that_says_more_is_refused(leak: str) -> None:
    """A person's details can't slip into an event beside the reference."""
    told = CUSTOMER_CONTACT.model_dump() | {leak: "Ada Berg"}

    with pytest.raises(ValidationError):
        ContactRef.model_validate(told)
    with pytest.raises(ValidationError):
        Claim.Created.model_validate(created().__dict__ | {"customer_contact": told})
    with pytest.raises(ValidationError):
        Details.model_validate({"customer_contact": told})
