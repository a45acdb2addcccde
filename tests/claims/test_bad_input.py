"""What upstream systems may send by mistake or malice: each gets its answer, and the next works."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from nats.aio.msg import Msg

from services.claims import service
from services.connection import Connection, connected
from services.settings import Settings
from services.streams import prepare
from tests.claims.orders import CREATE, PARTNER, REVIEWER, TIMER, body, upload
from tests.service import running

CLAIM = UUID("c1a10000-0000-4000-8000-00000000000a")
SUBJECT = f"cpor.commands.create_claim.{CLAIM}"


class Answers:
    """Outcomes and dead letters, as they come."""

    def __init__(self, nats: Connection) -> None:
        self._nats = nats
        self._messages: asyncio.Queue[Msg] = asyncio.Queue()

    async def listen(self) -> None:
        """Hear both."""
        await self._nats.listen("cpor.outcomes.>", self._messages.put)
        await self._nats.listen("cpor.dead_letters.>", self._messages.put)
        await self._nats.flush()

    async def after(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None
    ) -> Msg:
        """The first answer after sending this."""
        await self._nats.publish(subject, payload, headers=headers)
        async with asyncio.timeout(20):
            return await self._messages.get()


@pytest_asyncio.fixture
async def answers(database_url: str, nats_url: str) -> AsyncGenerator[Answers]:
    """The claims service at work, and its answers."""
    upload(database_url)
    settings = Settings(database_url=database_url, nats_url=nats_url)
    await prepare(nats_url)
    async with connected(nats_url, "test", 10.0) as nats:
        answers = Answers(nats)
        await answers.listen()
        async with running(service(settings), settings, nats):
            yield answers


def envelope(**attributes: object) -> dict[str, Any]:
    """A good create command's envelope, but for these attributes; None removes one."""
    good: dict[str, Any] = json.loads(body(CLAIM, "create_claim", CREATE))
    good |= attributes
    return {name: value for name, value in good.items() if value is not None}


def text(**attributes: object) -> bytes:
    """The same, as it is sent."""
    return json.dumps(envelope(**attributes)).encode()


DEAD: dict[str, tuple[str, bytes]] = {
    "no JSON": (SUBJECT, b"create it, please"),
    "empty": (SUBJECT, b""),
    "no UTF-8": (SUBJECT, text().replace(b"Teams", b"\xff\xfe")),
    "a byte order mark": (SUBJECT, b"\xef\xbb\xbf" + text()),
    "a list": (SUBJECT, b"[]"),
    "no CloudEvent": (SUBJECT, text(specversion=None)),
    "another CloudEvents version": (SUBJECT, text(specversion="0.3")),
    "no known command": (f"cpor.commands.burn_claim.{CLAIM}", text(type="cpor.command.burn_claim")),
    "another command than the subject's": (SUBJECT, text(type="cpor.command.edit_claim")),
    "no type": (SUBJECT, text(type=None)),
    "a command id with dots": (SUBJECT, text(id="a.b")),
    "a command id with a wildcard": (SUBJECT, text(id="*")),
    "a command id with spaces": (SUBJECT, text(id="a b\r\n")),
    "no command id": (SUBJECT, text(id=None)),
    "a numeric command id": (SUBJECT, text(id=7)),
    "another claim than the subject's": (SUBJECT, text(subject=str(UUID(int=7)))),
    "a claim id that is no UUID": (
        "cpor.commands.create_claim.claim-7",
        text(subject="claim-7"),
    ),
    "a command id with a line break": (SUBJECT, text(id="abc\n")),
    "an id named twice": (SUBJECT, text().replace(b'"id":', b'"id":"x","id":', 1)),
    "nested 200,000 deep": (SUBJECT, b'{"a":' * 200_000),
    "larger than 256 KiB, and unreadable": (SUBJECT, b"x" * (256 * 1024 + 1)),
}

CREATE_WITH_NAN = json.dumps(envelope()).replace('"mpn_id": "4567890"', '"mpn_id": NaN')

REFUSED: dict[str, tuple[bytes, str]] = {
    "a missing field": (text(data={k: v for k, v in CREATE.items() if k != "name"}), "/name"),
    "a misspelt field": (text(data={**CREATE, "nmae": "x"}), "/nmae"),
    "an unknown nested field": (
        text(data={**CREATE, "partner_contact": {"name": "A", "email": "a@b.example", "x": 1}}),
        "/partner_contact/x",
    ),
    "a wrong type": (text(data={**CREATE, "name": 7}), "/name"),
    "a number as text": (text(data={**CREATE, "mpn_id": 4567890}), "/mpn_id"),
    "data that is no object": (text(data=[1, 2]), ""),
    "NaN": (CREATE_WITH_NAN.encode(), "/mpn_id"),
    "1e999": (CREATE_WITH_NAN.replace("NaN", "1e999").encode(), "/mpn_id"),
    "a number of 100,000 digits": (
        CREATE_WITH_NAN.replace("NaN", "9" * 100_000).encode(),
        "/mpn_id",
    ),
    "a key named twice": (
        text().replace(b'"mpn_id":', b'"mpn_id":"1","mpn_id":'),
        "/mpn_id",
    ),
    "NUL": (text(data={**CREATE, "name": "a\0b"}), "/name"),
    "a lone surrogate": (text(data={**CREATE, "name": "\ud800"}), "/name"),
    "a naive time": (text(time="2021-05-17T12:00:00"), "/time"),
    "a time that is a number": (text(time="1621252800"), "/time"),
    "no source": (text(source=None), "/source"),
    "no actor": (text(actorid=None), "/actorid"),
    "an unknown role": (text(actorrole="king"), "/actorrole"),
    "a partner without an organisation": (text(actororg=None), "/actororg"),
    "an expected version that is text": (text(expectedversion="1"), "/expectedversion"),
    "data in base64 beside data": (text(data_base64="e30="), "/data_base64"),
    "data in base64": (text(data_base64="e30=", data=None), "/data_base64"),
    "data that is said to be text": (text(datacontenttype="text/plain"), "/datacontenttype"),
    "another schema": (text(dataschema="/schemas/create_claim/2"), "/dataschema"),
    "data nested 300 deep": (
        CREATE_WITH_NAN.replace("NaN", "[" * 300 + "]" * 300).encode(),
        "/mpn_id" + "/0" * 63,
    ),
    "an unknown attribute nested 300 deep": (
        text().replace(b"{", b'{"extra":' + b"[" * 300 + b"]" * 300 + b",", 1),
        "/extra" + "/0" * 64,
    ),
    "a name with a slash and a tilde": (text(data={**CREATE, "a/b~c": 1}), "/a~1b~0c"),
    "a product that is none": (text(data={**CREATE, "products": ["abacus"]}), "/products/0"),
}


@pytest.mark.fault(37)
@pytest.mark.fault(41)
async def test_what_nobody_can_be_answered_for_becomes_a_dead_letter_at_once(
    answers: Answers,
) -> None:
    """The payload is kept as it came, with the reason and the subject as sent."""
    for what, (subject, payload) in DEAD.items():
        letter = await answers.after(subject, payload)

        assert letter.subject == "cpor.dead_letters.claims", what
        assert letter.data == payload, what
        assert letter.headers, what
        assert letter.headers["cpor-subject"] == subject, what
        assert letter.headers["cpor-deliveries"] == "1", what
        assert letter.headers["cpor-reason"], what
    await _works(answers)


@pytest.mark.fault(38)
@pytest.mark.fault(39)
async def test_wrong_contents_are_refused_naming_the_field(answers: Answers) -> None:
    """A readable envelope always gets an outcome; the pointer tells the sender where to look."""
    for what, (payload, pointer) in REFUSED.items():
        outcome = await answers.after(SUBJECT, payload)

        data = json.loads(outcome.data)["data"]
        assert data["result"] == "refused", what
        assert data["problem"]["type"] == "/problems/invalid", what
        assert data["problem"]["status"] == 422, what
        assert pointer in {error["pointer"] for error in data["problem"]["errors"]}, what
    await _works(answers)


async def test_a_flood_of_mistakes_is_answered_in_brief(answers: Answers) -> None:
    """However much is wrong, the outcome stays small, and the next command works."""
    wrong = {**CREATE, "activities": ["a"] * 30_000, "products": ["?"] * 10_000}
    wrong |= {f"unknown-{number}": 1 for number in range(100)}

    outcome = await answers.after(SUBJECT, text(data=wrong))

    assert len(outcome.data) < 16 * 1024
    assert "more" in json.loads(outcome.data)["data"]["problem"]["errors"][-1]["detail"]
    await _works(answers)


async def test_a_wrong_item_is_named_alone(answers: Answers) -> None:
    """A list whose only item is wrong is not said to be too short as well."""
    wrong = {**CREATE, "activities": ["juggling"]}

    outcome = await answers.after(SUBJECT, text(data=wrong))

    errors = json.loads(outcome.data)["data"]["problem"]["errors"]
    assert [error["pointer"] for error in errors] == ["/activities/0"]


async def test_extension_attributes_that_nobody_knows_are_ignored(answers: Answers) -> None:
    """Upstream systems may carry their own along."""
    outcome = await answers.after(SUBJECT, text(partitionkey="7", Odd_Name=[1]))

    assert json.loads(outcome.data)["type"] == "cpor.outcome.accepted"


@pytest.mark.fault(40)
async def test_a_command_above_the_limit_is_refused_as_too_large(answers: Answers) -> None:
    """At the limit it is read; a byte more gets an outcome of its own."""
    create = text()
    padding = 256 * 1024 - len(create)

    above = await answers.after(SUBJECT, create + b" " * (padding + 1))
    at_limit = await answers.after(SUBJECT, create + b" " * padding)

    problem = json.loads(above.data)["data"]["problem"]
    assert (problem["type"], problem["status"]) == ("/problems/too_large", 413)
    assert json.loads(at_limit.data)["type"] == "cpor.outcome.accepted"


async def test_a_wrong_place_is_told_in_words_that_are_not_pythons(answers: Answers) -> None:
    """Whoever sent it writes another language, perhaps."""
    contact = {"name": "", "email": "ayse"}
    wrong: dict[str, Any] = {**CREATE, "mpn_id": "№ 7", "partner_contact": contact, "nmae": "x"}
    wrong |= {
        "customer": "Contoso",
        "activities": "usage",
        "solution_area": "sports",
        "supersedes": "none",
    }
    del wrong["name"]

    outcome = await answers.after(SUBJECT, text(data=wrong, actororg="Org 7"))

    errors = json.loads(outcome.data)["data"]["problem"]["errors"]
    assert {error["pointer"]: error["detail"] for error in errors} == {
        "/name": "is missing",
        "/mpn_id": "must be 1 to 32 of A-Z a-z 0-9 -",
        "/customer": "must be an object",
        "/solution_area": "must be 'business_applications' or 'microsoft_365'",
        "/activities": "must be an array",
        "/partner_contact/name": "must not be empty",
        "/partner_contact/email": "must be an e-mail address, such as name@company.example",
        "/supersedes": "must be a UUID",
        "/nmae": "is not known",
        "/actororg": "must be 1 to 64 of A-Z a-z 0-9 _ -",
    }


async def test_each_emptied_field_is_named(answers: Answers) -> None:
    """An edit leaves out what it does not change; null is nothing that a field can become."""
    outcome = await answers.after(
        f"cpor.commands.edit_claim.{CLAIM}",
        body(CLAIM, "edit_claim", {"name": None, "products": None, "mpn_id": "7"}),
    )

    errors = json.loads(outcome.data)["data"]["problem"]["errors"]
    assert [(error["pointer"], error["detail"]) for error in errors] == [
        ("/name", "cannot be emptied"),
        ("/products", "cannot be emptied"),
    ]


async def test_possible_values_are_told_as_they_are_sent(answers: Answers) -> None:
    """Of the reasons of a rejection only some are a reviewer's."""
    data = {"reasons": ["customer_declined"], "note": "n"}
    outcome = await answers.after(
        f"cpor.commands.reject_claim.{CLAIM}", body(CLAIM, "reject_claim", data, actor=REVIEWER)
    )

    (error,) = json.loads(outcome.data)["data"]["problem"]["errors"]
    assert error == {
        "pointer": "/reasons/0",
        "detail": "must be 'insufficient_poe', 'missing_customer_consent', 'missing_products' or"
        " 'poe_unavailable'",
    }


async def test_a_dead_letter_names_the_attribute_that_stands_twice(answers: Answers) -> None:
    """It is not said to be of a wrong form: it is."""
    twice = text().replace(b'"id":', b'"id":"x","id":', 1)

    letter = await answers.after(SUBJECT, twice)

    assert letter.headers
    assert letter.headers["cpor-reason"] == "id is named twice"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/cloudevents+json"},
        {"content-type": "Application/CloudEvents+JSON; charset=utf-8"},
        {"X-Other": "text/plain"},
    ],
    ids="-".join,
)
async def test_a_content_type_is_compared_as_one(answers: Answers, headers: dict[str, str]) -> None:
    """Whatever the case of its letters, and its parameters; it may be missing."""
    outcome = await answers.after(SUBJECT, text(), headers)

    assert json.loads(outcome.data)["type"] == "cpor.outcome.accepted"


async def test_another_content_type_is_refused(answers: Answers) -> None:
    """Who says that it is something else is believed, and told."""
    outcome = await answers.after(SUBJECT, text(), {"Content-Type": "application/xml"})

    problem = json.loads(outcome.data)["data"]["problem"]
    assert (problem["type"], problem["status"]) == ("/problems/unsupported_media_type", 415)
    assert problem["detail"] == "the header Content-Type must be application/cloudevents+json"
    await _works(answers)


async def test_a_malformed_trace_is_ignored(answers: Answers, database_url: str) -> None:
    """As W3C Trace Context asks: a command is not lost over it, and no event repeats it."""
    outcome = await answers.after(SUBJECT, text(traceparent="<script>"))

    assert json.loads(outcome.data)["type"] == "cpor.outcome.accepted"
    with psycopg.connect(database_url) as store:
        row = store.execute("SELECT state FROM cpor.stored_events").fetchone()
    assert row
    assert b"<script>" not in row[0]


@pytest.mark.rule("R18")
@pytest.mark.parametrize("due_at", ["2021-05-25T00:00:00Z", "2101-01-01T00:00:00Z"])
async def test_a_deadline_that_nobody_armed_has_no_effect(answers: Answers, due_at: str) -> None:
    """Whatever the instant: no such clock is open."""
    await _works(answers)
    outcome = await answers.after(
        f"cpor.commands.pass_deadline.{CLAIM}",
        body(CLAIM, "pass_deadline", {"clock": "consent", "due_at": due_at}, actor=TIMER),
    )

    problem = json.loads(outcome.data)["data"]["problem"]
    assert (problem["type"], problem["rule"]) == ("/problems/not_possible", "R18")


@pytest.mark.rule("R25")
async def test_a_role_that_may_not_send_a_command_is_refused(answers: Answers) -> None:
    """Whoever it is that the publisher vouches for."""
    outcome = await answers.after(SUBJECT, body(CLAIM, "create_claim", CREATE, actor=REVIEWER))

    assert json.loads(outcome.data)["data"]["problem"]["type"] == "/problems/not_allowed"


async def _works(answers: Answers) -> None:
    """After all that, a good command has its effect."""
    outcome = await answers.after(SUBJECT, body(CLAIM, "create_claim", CREATE, actor=PARTNER))
    assert json.loads(outcome.data)["type"] == "cpor.outcome.accepted"
