"""The AsyncAPI document: fresh, valid, complete, and as strict as the code that reads messages."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from domain.access import SENDERS
from domain.claim import EVENTS
from domain.command import COMMANDS
from services.cloudevent import BadCommand, parse_command, parse_envelope
from services.embedded.address import resolved
from services.json_document import Unreadable
from services.runtime import MODULES, Shell
from services.settings import Settings
from tools import asyncapi

OFFICIAL = Path(__file__).parent / "schema" / "asyncapi-3.0.0.json"

DOCUMENT: dict[str, Any] = asyncapi.document()
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """A validator of a schema that refers to the document's components."""
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "components": DOCUMENT["components"],
        "allOf": [schema],
    }
    return jsonschema_rs.validator_for(whole, validate_formats=True)


def flaws(schema: dict[str, Any], instance: Any) -> list[str]:  # noqa: ANN401 - JSON
    """What the schema finds wrong with an instance."""
    return [
        f"{error.instance_path}: {error.message}"
        for error in validator(schema).iter_errors(instance)
    ]


def test_the_file_is_fresh() -> None:
    """`docs/asyncapi.json` says what the code says now."""
    assert asyncapi.FILE.read_text("utf-8") == asyncapi.render(), "run `make docs`"


def test_check_tells_a_stale_file_by_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--check` passes what was just written, and fails what was changed or is missing."""
    monkeypatch.setattr(asyncapi, "FILE", tmp_path / "docs" / "asyncapi.json")

    assert asyncapi.main(["--check"]) == 1
    assert asyncapi.main([]) == 0
    assert asyncapi.main(["--check"]) == 0
    asyncapi.FILE.write_text("{}", "utf-8")
    assert asyncapi.main(["--check"]) == 1


def test_the_document_is_valid_by_the_official_schema() -> None:
    """AsyncAPI's own JSON Schema of version 3.0.0 has no objection."""
    official = jsonschema_rs.validator_for(json.loads(OFFICIAL.read_text("utf-8")))

    assert [error.message for error in official.iter_errors(DOCUMENT)] == []


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` names something that is in the document."""
    references = re.findall(r'"\$ref": "#/([^"]+)"', asyncapi.render())

    assert references
    for reference in references:
        target: Any = DOCUMENT
        for key in reference.split("/"):
            assert key in target, reference
            target = target[key]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_described(command: str) -> None:
    """A command has a channel, an operation that receives and answers it, and an example."""
    assert DOCUMENT["channels"][f"commands.{command}"]["address"] == (
        f"cpor.commands.{command}.{{claim_id}}"
    )
    operation = DOCUMENT["operations"][f"receive_{command}"]
    assert operation["action"] == "receive"
    assert operation["reply"]["channel"] == {"$ref": "#/channels/outcomes"}
    assert MESSAGES[command]["examples"]


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_described(event: str) -> None:
    """An event has a channel, an operation that sends it, and an example."""
    assert DOCUMENT["channels"][f"events.{event}"]["address"] == f"cpor.events.{event}.{{claim_id}}"
    assert DOCUMENT["operations"][f"send_{event}"]["action"] == "send"
    assert MESSAGES[event]["examples"]


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_validate_against_their_schemas(name: str) -> None:
    """Payload and headers of each example are what the message's schemas ask for."""
    message = MESSAGES[name]

    for example in message.get("examples", []):
        assert flaws(message["payload"], example["payload"]) == []
        if "headers" in message:
            assert flaws(message["headers"], example["headers"]) == []


@pytest.mark.parametrize("name", [*COMMANDS, *EVENTS, "accepted", "refused"])
def test_examples_stand_under_a_subject_of_their_channel(name: str) -> None:
    """The subject that an example was sent under has the form of its channel's address."""
    (address,) = (
        channel["address"]
        for channel in DOCUMENT["channels"].values()
        if name in channel["messages"]
    )
    form = re.sub(r"\\\{\w+\\\}", "[A-Za-z0-9_-]+", re.escape(address))

    for example in MESSAGES[name]["examples"]:
        assert re.fullmatch(form, example["summary"])


@pytest.mark.parametrize("name", MODULES)
def test_health_is_asked_where_faststream_answers(name: str) -> None:
    """A service's FastStream application describes a subject of the health channel."""
    settings = resolved(Settings(nats_url="nats://127.0.0.1:4222"))
    shell = Shell(import_module(MODULES[name]).service(settings), settings)
    described = json.loads(shell.application.schema.to_specification().to_json())
    addresses = [channel["address"] for channel in described["channels"].values()]

    health = DOCUMENT["channels"]["health"]
    assert name in DOCUMENT["components"]["parameters"]["service"]["enum"]
    assert addresses == [health["address"].replace("{service}", name)]


def test_refusals_of_every_kind_are_among_the_examples() -> None:
    """The refused outcome shows more than one problem, each once."""
    types = [each["payload"]["data"]["problem"]["type"] for each in MESSAGES["refused"]["examples"]]

    assert len(types) == len(set(types)) > 4


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_commands_are_what_the_service_reads(command: str) -> None:
    """What the document shows as a command is read without an objection."""
    for example in MESSAGES[command]["examples"]:
        readable = parse_envelope(example["summary"], json.dumps(example["payload"]).encode())

        assert not isinstance(parse_command(readable), BadCommand)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    def spoil(body: dict[str, Any]) -> None:
        del body[name]

    return spoil


def _with(**attributes: Any) -> Callable[[dict[str, Any]], None]:  # noqa: ANN401 - JSON
    return lambda body: body.update(attributes)


def _with_data(**fields: Any) -> Callable[[dict[str, Any]], None]:  # noqa: ANN401 - JSON
    return lambda body: body["data"].update(fields)


@pytest.mark.parametrize(
    "spoil",
    [
        *(
            _without(name)
            for name in ("specversion", "id", "type", "subject", "source", "actorid", "actorrole")
        ),
        _without("actororg"),
        _without("data"),
        _with(specversion="0.3"),
        _with(type="cpor.command.approve_claim"),
        _with(id="with.dots"),
        _with(id="x" * 65),
        _with(subject="6F1C1A0E-9F3B-4A57-8D0E-2A7C5B1F4E90"),
        _with(source="two words"),
        _with(time="yesterday"),
        _with(datacontenttype="text/plain"),
        _with(dataschema="/schemas/create_claim/2"),
        _with(actorrole="reviewer"),
        _with(actorid=""),
        _with(actororg="one org"),
        _with(expectedversion=-1),
        _with(expectedversion="1"),
        _with(data=[]),
        _with_data(products=[]),
        _with_data(products=["Teams"]),
        _with_data(solution_area="games"),
        _with_data(customer={"name": "Contoso"}),
        _with_data(mpn_id=7654321),
        _with_data(nmae="misspelt"),
    ],
)
def test_what_the_schema_refuses_the_service_refuses(
    spoil: Callable[[dict[str, Any]], None],
) -> None:
    """A spoilt command fails its schema, and the service does not decide it."""
    example = MESSAGES["create_claim"]["examples"][0]
    body = deepcopy(example["payload"])
    spoil(body)

    assert flaws(MESSAGES["create_claim"]["payload"], body)
    assert not _is_decided(example["summary"], body)


@pytest.mark.parametrize("command", ["start_review", "record_assessment", "post_comment"])
def test_only_partners_name_an_organisation(command: str) -> None:
    """An organisation beside another role is refused, by the schema as by the service."""
    examples = MESSAGES[command]["examples"]
    for example in (each for each in examples if "actororg" not in each["payload"]):
        body = example["payload"] | {"actororg": "1234567"}

        assert flaws(MESSAGES[command]["payload"], body)
        assert not _is_decided(example["summary"], body)


def _is_decided(subject: str, body: dict[str, Any]) -> bool:
    """Whether the service would let a claim decide this."""
    try:
        message = parse_command(parse_envelope(subject, json.dumps(body).encode()))
    except Unreadable:
        return False
    if isinstance(message, BadCommand):
        return False
    return message.actor.role in SENDERS[message.envelope.command]
