"""`cpor webhooks`: what operators do, and what they are refused."""

import json
from collections.abc import Mapping

import pytest
from psycopg import AsyncConnection

from services import webhook
from services.webhook import WebhookRefused
from tests import cli
from tests.domain.examples import ORG, SUBMITTED
from tests.webhooks.log import open_log

URL = "https://crm.example/cpor?of=contoso"


@pytest.fixture
def variables(database_url: str) -> dict[str, str]:
    """Those that lead to the test's database."""
    return {"CPOR_DATABASE_URL": database_url}


async def listed(variables: Mapping[str, str]) -> list[dict[str, object]]:
    """What the list says, but for instants."""
    ended = await cli.run(variables, "webhooks", "list", "--json")
    assert (ended.code, ended.err) == (0, "")
    return [
        {name: value for name, value in each.items() if name not in {"created_at", "next_at"}}
        for each in json.loads(ended.out)
    ]


async def test_a_webhook_is_added_replayed_and_removed(
    database_url: str, variables: dict[str, str]
) -> None:
    """Its secret is shown once, by the command that makes it."""
    async with open_log(database_url) as log:
        positions = await log.happen(*SUBMITTED)

    options = ("--org", ORG, "--events", "rejected, approved")
    added = await cli.run(variables, "webhooks", "add", URL, *options, "--json")
    secret = json.loads(added.out)["secret"]
    assert json.loads(added.out)["id"] == 1
    assert secret.startswith("whsec_")
    standing = {
        "id": 1,
        "url": URL,
        "org": ORG,
        "events": ["approved", "rejected"],
        "position": positions[-1],
        "behind": 0,
        "state": "running",
        "attempts": 0,
        "failing_since": None,
        "words": "",
    }
    assert await listed(variables) == [standing]

    replayed = await cli.run(variables, "webhooks", "replay", "1", "--from", str(positions[1]))
    assert replayed.out == f"Webhook 1 is told again from position {positions[1]} on.\n"
    assert await listed(variables) == [standing | {"position": positions[0], "behind": 2}]
    resumed = await cli.run(variables, "webhooks", "resume", "1")
    assert resumed.out == "Webhook 1 goes on from where it stood.\n"

    table = await cli.run(variables, "webhooks", "list")
    assert ORG in table.out
    assert secret not in table.out
    removed = await cli.run(variables, "webhooks", "remove", "1")
    assert removed.out == "Webhook 1 is removed.\n"
    assert await listed(variables) == []
    assert (await cli.run(variables, "webhooks", "list")).out == "There are no webhooks.\n"


async def test_refusals_are_sentences(variables: dict[str, str]) -> None:
    """Nothing is changed."""
    missing = await cli.run(variables, "webhooks", "resume", "7")
    assert (missing.code, missing.err) == (1, "There is no webhook 7.\n")
    await cli.run(variables, "webhooks", "add", URL)
    ahead = await cli.run(variables, "webhooks", "replay", "1", "--from", "2")
    assert (ahead.code, ahead.err) == (1, "The log has not come to position 2 yet.\n")
    nowhere = await cli.run({"CPOR_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "webhooks", "list")
    assert nowhere.code == 3
    assert nowhere.err.startswith("The database can't be reached: ")


async def test_the_doctor_looks_at_webhooks(database_url: str, variables: dict[str, str]) -> None:
    """One that is parked works no more, and cpor does: a warning."""
    async with await AsyncConnection.connect(database_url) as store:
        await webhook.add(store, URL, None, [])
        await webhook.add(store, URL, ORG, [])
        await store.execute(
            "UPDATE cpor.webhooks SET parked = true, words = 'HTTP 410 Gone' WHERE webhook_id = 2"
        )

    ended = await cli.run(variables | {"CPOR_NATS_URL": "nats://127.0.0.1:1"}, "doctor", "--json")

    assert [
        (each["what"], each["level"], each["found"])
        for each in json.loads(ended.out)["checks"]
        if each["what"].startswith("webhook")
    ] == [
        ("webhook 1", "ok", "position 0"),
        ("webhook 2", "warn", "parked at position 0: HTTP 410 Gone"),
    ]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("crm.example/cpor", "such as https://"),
        ("https://", "such as https://"),
        ("https:///cpor", "such as https://"),
        ("https://crm example/cpor", "such as https://"),
        ("https://crm.example/a\nb", "such as https://"),
        ("https://ünlü.example/cpor", "such as https://"),
        ("https://crm.example:99999/cpor", "such as https://"),
        ("http://crm.example/cpor", "must begin with https://"),
        ("http://10.0.0.7/cpor", "must begin with https://"),
        ("ftp://127.0.0.1/cpor", "must begin with https://"),
        ("https://me:secret@crm.example/cpor", "without user"),
        ("https://crm.example/cpor#top", "without user"),
        (f"https://crm.example/{'x' * 2000}", "more than 2000"),
    ],
)
async def test_addresses_that_are_refused(database_url: str, url: str, sentence: str) -> None:
    """In the clear nothing leaves this machine; other addresses are the operator's business."""
    async with await AsyncConnection.connect(database_url) as store:
        with pytest.raises(WebhookRefused, match=sentence):
            await webhook.add(store, url, None, [])
        for fine in ("https://10.0.0.7:8443/cpor", "http://[::1]:8080/", "http://localhost/cpor"):
            await webhook.add(store, fine, None, [])


@pytest.mark.parametrize(
    ("org", "events", "sentence"),
    [
        (None, ["aproved"], "No event is called 'aproved'"),
        ("a b", [], "'a b' is no organisation: "),
        ("", [], "'' is no organisation: "),
        (ORG, ["target_soon"], "target_soon is for the vendor"),
    ],
)
async def test_choices_that_are_refused(
    database_url: str, org: str | None, events: list[str], sentence: str
) -> None:
    """What a webhook could never be told is no choice."""
    async with await AsyncConnection.connect(database_url) as store:
        with pytest.raises(WebhookRefused, match=sentence):
            await webhook.add(store, URL, org, events)
        assert await webhook.webhooks(store) == []
