"""The AsyncAPI 3 document of the messages: `python -m tools.asyncapi [--check]`.

It is made from what runs: the models of the commands and events, the roles that may send them, the
definitions of the streams, and messages of claims that were really decided (`claim_life`).
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from inspect import isclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import domain.refusal
from domain.access import SENDERS
from domain.actor import PARTNER_ROLES, ActorId, Org
from domain.claim import EVENTS
from domain.command import COMMANDS
from domain.refusal import Refusal
from domain.vocabulary import Role
from services import streams
from services.cloudevent import (
    CONTENT_TYPE,
    MAX_COMMAND_BYTES,
    PROBLEMS,
    SOURCE,
    SPEC_VERSION,
    Outcome,
)
from services.dead_letter import DELIVERIES, LONGEST_REASON, REASON, SUBJECT
from services.health import Health, State
from services.runtime import MODULES
from services.settings import CHECKOUT
from tools.claim_life import Library, Told, tell

FILE: Final = CHECKOUT / "docs" / "asyncapi.json"

Schema = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/{model}"
_EXAMPLES: Final = 2
"""How many examples a message has at most."""
_UNPUBLISHED: Final = frozenset({"originator_id", "originator_version", "timestamp", "cause"})
"""Fields of an event that stand in its envelope, or stay in the store."""

_UUID: Final[Schema] = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
}
_COMMAND_ID: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_TRACEPARENT: Final[Schema] = {"type": "string", "maxLength": 128, "title": "W3C trace context"}


def document() -> Schema:
    """The whole document."""
    library = tell()
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(),
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": _messages(library),
            "schemas": _schemas(),
            "parameters": _parameters(),
            "correlationIds": {
                "command": {
                    "description": "The command's id: the sender's, unique for the claim.",
                    "location": "$message.payload#/id",
                },
                "cause": {
                    "description": "The id of the command that this came of.",
                    "location": "$message.payload#/causationid",
                },
            },
            "securitySchemes": {
                "userPassword": {
                    "type": "userPassword",
                    "description": "A user for each system; see deploy/nats.conf.",
                }
            },
        },
    }


def render() -> str:
    """The document as it stands in the file."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the file, or with `--check` only tell whether it is up to date."""
    text = render()
    if "--check" in arguments:
        fresh = FILE.is_file() and FILE.read_text("utf-8") == text
        print(f"{FILE.name} is {'up to date' if fresh else 'stale: run `make docs`'}.")
        return 0 if fresh else 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, "utf-8")
    print(f"{Path('docs', FILE.name)} is written.")
    return 0


def _info() -> Schema:
    return {
        "title": "cpor: partner association claims",
        "version": "1.0.0",
        "description": (
            "Commands in, outcomes and events out, over NATS JetStream. Bodies are CloudEvents "
            f"{SPEC_VERSION} in JSON structured mode. Publishers are trusted systems that vouch "
            "for the actors they name.\n\n"
            "To send a command: subscribe to the outcome's subject, publish the command, wait. In "
            "doubt send it again, with the same id: an accepted command has its effect once and "
            "answers the same again.\n\n"
            "What can't be read as a command is not answered but put among the dead letters, as "
            "is what fails again and again for a defect of ours.\n\n"
            "The schemas say what fields look like. Which command is possible when is said by the "
            "domain's rules (R1, R2, …), which refusals name."
        ),
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "tags": [
            {"name": "commands", "description": "What is asked of a claim."},
            {"name": "outcomes", "description": "What became of a command."},
            {"name": "events", "description": "What has happened, in the order of the store."},
            {"name": "operation", "description": "What keeps the system running."},
        ],
    }


def _servers() -> Schema:
    return {
        "embedded": {
            "host": "127.0.0.1:4222",
            "protocol": "nats",
            "description": "What `make run` starts: on loopback only, without login.",
        },
        "deployed": {
            "host": "nats:4222",
            "protocol": "nats",
            "description": "A server with accounts; permissions on subjects decide who may send "
            "what (deploy/nats.conf).",
            "security": [{"$ref": "#/components/securitySchemes/userPassword"}],
        },
    }


def _channels() -> Schema:
    channels: Schema = {}
    for name, command in COMMANDS.items():
        channels[f"commands.{name}"] = {
            "address": f"cpor.commands.{name}.{{claim_id}}",
            "summary": _about(command),
            "messages": {name: _message(name)},
            "parameters": _reference("parameters", "claim_id"),
            "tags": [{"name": "commands"}],
            "x-stream": streams.COMMANDS,
        }
    channels["outcomes"] = {
        "address": "cpor.outcomes.{claim_id}.{command_id}",
        "summary": "The outcome of each command that could be read, kept for a day.",
        "messages": {"accepted": _message("accepted"), "refused": _message("refused")},
        "parameters": _reference("parameters", "claim_id", "command_id"),
        "tags": [{"name": "outcomes"}],
        "x-stream": streams.OUTCOMES,
    }
    for name in EVENTS:
        channels[f"events.{name}"] = {
            "address": f"cpor.events.{name}.{{claim_id}}",
            "messages": {name: _message(name)},
            "parameters": _reference("parameters", "claim_id"),
            "tags": [{"name": "events"}],
            "x-stream": streams.EVENTS,
        }
    channels["dead_letters"] = {
        "address": "cpor.dead_letters.{service}",
        "summary": "Messages that were given up, as they were sent, kept for 90 days.",
        "messages": {"dead_letter": _message("dead_letter")},
        "parameters": _reference("parameters", "service"),
        "tags": [{"name": "operation"}],
        "x-stream": streams.DEAD_LETTERS,
    }
    channels["health"] = {
        "address": "cpor.health.{service}",
        "summary": "Asks a service how it is; each instance answers.",
        "description": "Request and reply without a stream, served by FastStream's subscribers.",
        "messages": {"health_question": _message("health_question")},
        "parameters": _reference("parameters", "service"),
        "tags": [{"name": "operation"}],
    }
    channels["health_answers"] = {
        "address": None,
        "summary": "The inbox that a health question names as its reply subject.",
        "messages": {"health": _message("health")},
        "tags": [{"name": "operation"}],
    }
    return channels


def _operations() -> Schema:
    reply = {
        "channel": {"$ref": "#/channels/outcomes"},
        "messages": [
            {"$ref": f"#/channels/outcomes/messages/{name}"} for name in ("accepted", "refused")
        ],
    }
    received = {
        f"receive_{name}": _operation("receive", f"commands.{name}", _about(command), reply=reply)
        for name, command in COMMANDS.items()
    }
    sent = {
        f"send_{name}": _operation("send", f"events.{name}", f"The relay publishes `{name}`.")
        for name in EVENTS
    }
    return {
        **received,
        "send_outcome": _operation(
            "send", "outcomes", "The claims service answers, whether or not somebody waits."
        ),
        **sent,
        "send_dead_letter": _operation(
            "send", "dead_letters", "A service gives a message up that nobody can be answered for."
        ),
        "answer_health": _operation(
            "receive",
            "health",
            "A service says how it is.",
            reply={
                "channel": {"$ref": "#/channels/health_answers"},
                "messages": [{"$ref": "#/channels/health_answers/messages/health"}],
            },
        ),
    }


def _operation(action: str, channel: str, summary: str, **more: object) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        **more,
    }


def _messages(library: Library) -> Schema:
    messages: Schema = {}
    for name, command in COMMANDS.items():
        messages[name] = {
            "name": f"cpor.command.{name}",
            "title": command.__name__,
            "summary": _about(command),
            "description": f"At most {MAX_COMMAND_BYTES // 1024} KiB. From: {_listed(name)}.",
            "tags": [{"name": "commands"}],
            "headers": _headers({"Content-Type": {"const": CONTENT_TYPE}}),
            "correlationId": {"$ref": "#/components/correlationIds/command"},
            "payload": {"$ref": f"#/components/schemas/{command.__name__}Command"},
            "examples": _examples(library.commands[name]),
        }
    for result, summary in (
        ("accepted", "The command was accepted: what it recorded."),
        ("refused", "The command was refused: why, and nothing was recorded."),
    ):
        messages[result] = {
            "name": f"cpor.outcome.{result}",
            "title": result.capitalize(),
            "summary": summary,
            "tags": [{"name": "outcomes"}],
            "headers": _headers({"Content-Type": {"const": CONTENT_TYPE}}, ["Content-Type"]),
            "correlationId": {"$ref": "#/components/correlationIds/cause"},
            "payload": {"$ref": f"#/components/schemas/{result.capitalize()}Outcome"},
            "examples": _examples(_one_of_each(library.outcomes[result]), most=10),
        }
    for name, event in EVENTS.items():
        messages[name] = {
            "name": f"cpor.event.{name}",
            "title": event.__name__,
            "summary": f"Recorded by {_enumerated(library.causes[name])}.",
            "tags": [{"name": "events"}],
            "headers": _headers({"Content-Type": {"const": CONTENT_TYPE}}, ["Content-Type"]),
            "correlationId": {"$ref": "#/components/correlationIds/cause"},
            "payload": {"$ref": f"#/components/schemas/{event.__name__}Event"},
            "examples": _examples(library.events[name]),
        }
    messages["dead_letter"] = {
        "name": "cpor.dead_letter",
        "title": "Dead letter",
        "summary": "The payload is the original one, whatever it was; the headers say why.",
        "contentType": "application/octet-stream",
        "tags": [{"name": "operation"}],
        "headers": _headers(
            {
                REASON: {
                    "type": "string",
                    "maxLength": LONGEST_REASON,
                    "description": "Why it was given up.",
                },
                SUBJECT: {"type": "string", "description": "Its subject, as sent."},
                DELIVERIES: {"type": "string", "pattern": "^[0-9]+$"},
            },
            [REASON, SUBJECT, DELIVERIES],
        ),
        "payload": {"description": "Bytes of any kind; not necessarily JSON or text."},
        "examples": [
            {
                "name": "not a CloudEvent",
                "headers": {
                    REASON: buried.reason,
                    SUBJECT: buried.subject,
                    DELIVERIES: "1",
                },
                "payload": json.loads(buried.body),
            }
            for buried in library.buried
        ],
    }
    messages["health_question"] = {
        "name": "cpor.health.question",
        "title": "How are you?",
        "summary": "Any body, also none; the reply subject is what counts.",
        "contentType": "application/json",
        "tags": [{"name": "operation"}],
        "payload": {"description": "Not read."},
    }
    messages["health"] = {
        "name": "cpor.health",
        "title": "Health",
        "summary": "How an instance of a service is, and since when.",
        "contentType": "application/json",
        "tags": [{"name": "operation"}],
        "payload": {"$ref": "#/components/schemas/Health"},
        "examples": [
            {
                "name": "running",
                "payload": Health.model_validate(
                    {
                        "service": "relay",
                        "state": State.RUNNING,
                        "detail": "",
                        "since": "2021-05-03T08:00:00Z",
                    }
                ).model_dump(mode="json"),
            }
        ],
    }
    return messages


def _schemas() -> Schema:
    schemas = _merged(
        _models(COMMANDS.values(), "validation"),
        {name: _event_model(name, each) for name, each in _models(EVENTS.values()).items()},
        _models([Health]),
    )
    schemas["EditClaim"] = {**_without_null(schemas["EditClaim"]), "minProperties": 1}
    for unpublished in ("Cause", "Actor"):
        del schemas[unpublished]
    for name, command in COMMANDS.items():
        schemas[f"{command.__name__}Command"] = _command_envelope(name, command)
    for name, event in EVENTS.items():
        schemas[f"{event.__name__}Event"] = _event_envelope(name, event)
    schemas["AcceptedOutcome"] = _outcome_envelope("accepted")
    schemas["RefusedOutcome"] = _outcome_envelope("refused")
    schemas["OutcomeData"] = _outcome_data()
    schemas["Problem"] = _problem()
    return dict(sorted(schemas.items()))


def _models(
    models: Iterable[type[BaseModel]], mode: JsonSchemaMode = "serialization"
) -> Mapping[str, Schema]:
    """The schemas of these models and all they consist of, by name."""
    _, schema = models_json_schema([(model, mode) for model in models], ref_template=_REFERENCE)
    definitions: Mapping[str, Schema] = schema["$defs"]
    return definitions


def _merged(*parts: Mapping[str, Schema]) -> Schema:
    """All schemas under their names; ValueError when one name means two things."""
    merged: Schema = {}
    for part in parts:
        for name, schema in part.items():
            if merged.setdefault(name, schema) != schema:
                raise ValueError(f"two schemas are called {name}")
    return merged


def _event_model(name: str, schema: Schema) -> Schema:
    """A part of an event as it is published: without what is kept back, absent where it is null."""
    schema = _without_null(schema)
    if name in {event.__name__ for event in EVENTS.values()}:
        schema["properties"] = {
            field: each for field, each in schema["properties"].items() if field not in _UNPUBLISHED
        }
        required = [field for field in schema["required"] if field not in _UNPUBLISHED]
        schema["required"] = required
        if not required:
            del schema["required"]
    return schema


def _without_null(schema: Schema) -> Schema:
    """An object's schema in which fields that would be null are absent instead."""
    if "properties" not in schema:
        return schema
    return {**schema, "properties": {k: _not_null(v) for k, v in schema["properties"].items()}}


def _not_null(schema: Schema) -> Schema:
    kept = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if "anyOf" not in schema or len(kept) == len(schema["anyOf"]):
        return schema
    rest = {k: v for k, v in schema.items() if k not in {"anyOf", "default"}}
    return {**rest, **kept[0]} if len(kept) == 1 else {**rest, "anyOf": kept}


def _command_envelope(name: str, command: type[BaseModel]) -> Schema:
    roles = sorted(SENDERS[name])
    partners = [role for role in roles if role in PARTNER_ROLES]
    actor: Schema = {
        "actorid": TypeAdapter(ActorId).json_schema(),
        "actorrole": {"enum": roles},
    }
    if partners:
        actor["actororg"] = {**TypeAdapter(Org).json_schema(), "description": "Partners only."}
    required = ["id", "source", "specversion", "subject", "type", "actorid", "actorrole"]
    if any(field.is_required() for field in command.model_fields.values()) or name == "edit_claim":
        required.append("data")
    return {
        "type": "object",
        "title": f"{command.__name__} as a CloudEvent",
        "description": "Other attributes are ignored.",
        "required": required + (["actororg"] if partners == roles else []),
        "properties": {
            "specversion": {"const": SPEC_VERSION},
            "id": {**_COMMAND_ID, "description": "The command id: unique for the claim."},
            "type": {"const": f"cpor.command.{name}"},
            "subject": {**_UUID, "description": "The claim id, as in the NATS subject."},
            "source": {
                "type": "string",
                "format": "uri-reference",
                "minLength": 1,
                "maxLength": 512,
                "pattern": r"^\S+$",
                "description": "Who sent it.",
            },
            "time": {**_INSTANT, "description": "When it was sent: never judged (R18)."},
            "datacontenttype": {"type": "string", "pattern": r"^application/json\b"},
            "dataschema": {"const": f"/schemas/{name}/1"},
            **actor,
            "expectedversion": {
                "type": "integer",
                "minimum": 0,
                "description": "The version of the claim that the sender saw (R14).",
            },
            "traceparent": _TRACEPARENT,
            "data": {"$ref": f"#/components/schemas/{command.__name__}"},
        },
        **_org_rule(roles, partners),
    }


def _org_rule(roles: Sequence[str], partners: Sequence[str]) -> Schema:
    """Partners name their organisation, others none."""
    named: Schema = {"required": ["actororg"]}
    if not partners:
        return {"not": named}
    if len(partners) == len(roles):
        return {}
    by_partner = {"properties": {"actorrole": {"enum": partners}}}
    return {"if": by_partner, "then": named, "else": {"not": named}}


def _event_envelope(name: str, event: type[BaseModel]) -> Schema:
    version: int = EVENTS[name].SCHEMA_VERSION
    return {
        "type": "object",
        "title": f"{event.__name__} as a CloudEvent",
        "additionalProperties": False,
        "required": [
            *("specversion", "id", "type", "subject", "source", "time", "datacontenttype"),
            *("dataschema", "actorid", "actorrole", "causationid", "sequence", "claimversion"),
            "data",
        ],
        "properties": {
            "specversion": {"const": SPEC_VERSION},
            "id": {"type": "string", "description": "`<claim_id>-<version>`."},
            "type": {"const": f"cpor.event.{name}"},
            "subject": {**_UUID, "description": "The claim id."},
            "source": {"const": SOURCE},
            "time": {**_INSTANT, "description": "When it happened (R18)."},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": f"/schemas/{name}/{version}"},
            "actorid": {"type": "string"},
            "actorrole": {"$ref": "#/components/schemas/Role"},
            "actororg": {"type": "string", "description": "Partners only."},
            "causationid": {**_COMMAND_ID, "description": "The command that recorded it."},
            "traceparent": _TRACEPARENT,
            "sequence": {"type": "integer", "minimum": 1, "description": "Position in the log."},
            "claimversion": {
                "type": "integer",
                "minimum": 1,
                "description": "The claim's version: from 1, without gaps.",
            },
            "data": {"$ref": f"#/components/schemas/{event.__name__}"},
        },
    }


def _outcome_envelope(result: str) -> Schema:
    return {
        "type": "object",
        "title": f"{result.capitalize()} as a CloudEvent",
        "additionalProperties": False,
        "required": [
            *("specversion", "id", "type", "subject", "source", "time", "datacontenttype"),
            *("causationid", "data"),
        ],
        "properties": {
            "specversion": {"const": SPEC_VERSION},
            "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}-outcome$"},
            "type": {"const": f"cpor.outcome.{result}"},
            "subject": {**_UUID, "description": "The claim id."},
            "source": {"const": SOURCE},
            "time": {**_INSTANT, "description": "When it was decided."},
            "datacontenttype": {"const": "application/json"},
            "causationid": {**_COMMAND_ID, "description": "The command's id."},
            "data": {
                "allOf": [
                    {"$ref": "#/components/schemas/OutcomeData"},
                    {
                        "properties": {"result": {"const": result}},
                        **({"required": ["problem"]} if result == "refused" else {}),
                    },
                ]
            },
        },
    }


def _outcome_data() -> Schema:
    return {
        "type": "object",
        "title": Outcome.__name__,
        "additionalProperties": False,
        "required": ["command", "command_id", "result", "version", "events", "position"],
        "properties": {
            "command": {"enum": list(COMMANDS)},
            "command_id": _COMMAND_ID,
            "result": {"enum": ["accepted", "refused"]},
            "version": {
                "type": ["integer", "null"],
                "description": "The claim's; null when there is no claim, or none to know of.",
            },
            "events": {"type": "array", "items": {"enum": list(EVENTS)}},
            "position": {
                "type": ["integer", "null"],
                "description": "Of the last event in the log; null without events.",
            },
            "problem": {"$ref": "#/components/schemas/Problem"},
        },
    }


def _problem() -> Schema:
    codes = sorted(
        {
            each.code
            for each in vars(domain.refusal).values()
            if isclass(each) and issubclass(each, Refusal) and each is not Refusal
        }
    )
    return {
        "type": "object",
        "title": "Problem (RFC 9457)",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"enum": [f"/problems/{code}" for code in codes]},
            "title": {"type": "string"},
            "status": {
                "enum": sorted({PROBLEMS[code][0] for code in codes}),
                "description": "As over HTTP.",
            },
            "detail": {"type": "string"},
            "rule": {"type": "string", "pattern": "^R[0-9]+[a-z]?$"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": {
                            "type": "string",
                            "description": "A JSON pointer: fields of `data` from `data` on.",
                        },
                        "detail": {"type": "string"},
                    },
                },
            },
            "claim_status": {"$ref": "#/components/schemas/Status"},
            "current_version": {"type": "integer"},
            "changed": {
                "type": "array",
                "items": {"enum": list(EVENTS)},
                "description": "What came since the version that the sender saw.",
            },
        },
    }


def _parameters() -> Schema:
    return {
        "claim_id": {
            "description": "A UUID in lower case, chosen by whoever creates the claim.",
            "location": "$message.payload#/subject",
        },
        "command_id": {
            "description": "The id of the command that this is the outcome of.",
            "location": "$message.payload#/causationid",
        },
        "service": {"description": "A service that lives on NATS.", "enum": list(MODULES)},
    }


def _examples(told: Sequence[Told], most: int = _EXAMPLES) -> list[Schema]:
    return [
        {
            "name": each.name,
            "summary": each.subject,
            "headers": {"Content-Type": each.content_type},
            "payload": each.body,
        }
        for each in told[:most]
    ]


def _one_of_each(told: Iterable[Told]) -> list[Told]:
    """The first of each problem; of outcomes without one, the first of all."""
    found: dict[object, Told] = {}
    for each in told:
        found.setdefault(each.body["data"].get("problem", {}).get("type"), each)
    return list(found.values())


def _headers(properties: Schema, required: Sequence[str] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        **({"required": list(required)} if required else {}),
    }


def _message(name: str) -> Schema:
    return {"$ref": f"#/components/messages/{name}"}


def _reference(kind: str, *names: str) -> Schema:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}


def _about(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


def _listed(command: str) -> str:
    return ", ".join(role for role in Role if role in SENDERS[command])


def _enumerated(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
