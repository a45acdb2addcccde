"""CloudEvents 1.0 in JSON: strict reading of commands, writing of events and outcomes."""

import hmac
import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeGuard, TypeVar
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import from_json, to_json

from domain.actor import Actor, ActorId, Org
from domain.claim import ClaimEvent
from domain.command import COMMANDS, AnyCommand, Instant
from domain.refusal import (
    FieldError,
    Invalid,
    NotPossible,
    Refusal,
    StaleVersion,
    TooLarge,
    UnsupportedMediaType,
)
from domain.schema import recall
from domain.text import Must
from domain.vocabulary import Role
from services.json_document import MAX_ERRORS, Unreadable, load, pointer_to, sentence

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json"
SOURCE = "/cpor"
MAX_COMMAND_BYTES = 256 * 1024
"""What a command may weigh."""

_COMMAND_SUBJECT = re.compile(r"cpor\.commands\.([a-z_]+)\.([^.]+)")
COMMAND_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a command id looks like; `new_command_id` makes one."""
_TYPE_PREFIX = "cpor.command."
_OF_THE_ENVELOPE = frozenset({"/specversion", "/type", "/id", "/subject"})
"""The attributes without which nobody can be answered."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_CLAIM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Envelope(NamedTuple):
    """What a command message says about itself, once it can be answered."""

    command: str
    command_id: str
    claim_id: UUID


class CommandMessage(NamedTuple):
    """A command that was understood: what is asked, by whom, of which claim."""

    envelope: Envelope
    command: AnyCommand
    actor: Actor
    source: str
    content: bytes
    """What is asked and by whom, as understood: tells a repetition from a reused command id."""
    expected_version: int | None
    sent_at: datetime | None
    traceparent: str | None


class Readable(NamedTuple):
    """A message that can be answered; whether its contents are in order is another matter."""

    envelope: Envelope
    attributes: Mapping[str, Any]
    errors: tuple[FieldError, ...]
    """What JSON itself does not allow, each named by its pointer."""


def new_command_id() -> str:
    """A command's id, of 22 characters: sent again under it, the command has its effect once."""
    return secrets.token_urlsafe(16)


def parse_envelope(subject: str, body: bytes) -> Readable:
    """Read as much of a command message as is needed to answer it.

    Raises Unreadable when the message is no JSON, no CloudEvent, or not a known command with a
    usable command id and a claim id that match the NATS subject.
    """
    matched = _COMMAND_SUBJECT.fullmatch(subject)
    if matched is None:
        raise Unreadable("subject is not cpor.commands.<command>.<claim_id>")
    document = load(body)
    attributes = document.value
    if not _is_object(attributes):
        raise Unreadable("body is not a JSON object")
    for flaw in document.errors:
        if flaw.pointer in _OF_THE_ENVELOPE:
            raise Unreadable(f"{flaw.pointer[1:]} {flaw.detail}")
    if attributes.get("specversion") != SPEC_VERSION:
        raise Unreadable("not a CloudEvent: specversion is not 1.0")
    name, subject_claim = matched.groups()
    if name not in COMMANDS:
        raise Unreadable(f"no command is called {name}")
    if attributes.get("type") != _TYPE_PREFIX + name:
        raise Unreadable("type does not match the command in the subject")
    command_id = attributes.get("id")
    if not isinstance(command_id, str) or not COMMAND_ID_PATTERN.fullmatch(command_id):
        raise Unreadable("id is not a command id: 1 to 64 of A-Z a-z 0-9 _ -")
    claim = attributes.get("subject")
    if not isinstance(claim, str) or claim != subject_claim:
        raise Unreadable("subject attribute does not match the claim id in the NATS subject")
    return Readable(Envelope(name, command_id, _claim_id(claim)), attributes, document.errors)


@lru_cache(maxsize=10_000)
def _claim_id(text: str) -> UUID:
    """The claim's id, read once for several commands of its life. Raises Unreadable."""
    if not _CLAIM_ID.fullmatch(text):
        raise Unreadable("claim id is not a UUID in its usual, lower-case form")
    return UUID(text)


class BadCommand(NamedTuple):
    """A command that can be answered, but not decided: something in it is wrong."""

    envelope: Envelope
    actor: Actor | None
    """Who sent it, where at least that is clear."""
    refusal: Refusal


def parse_command(
    readable: Readable, content_type: str | None = None
) -> CommandMessage | BadCommand:
    """Read the rest of a command message, and the header that says what it is.

    What is wrong is named by JSON pointers: fields of `data` from `data` on, as the HTTP API's
    callers know them; attributes by their own name.
    """
    envelope, attributes = readable.envelope, readable.attributes
    if content_type is not None and _media_type(content_type) != CONTENT_TYPE:
        wrong = UnsupportedMediaType(f"the header Content-Type must be {CONTENT_TYPE}")
        return BadCommand(envelope, None, wrong)
    errors = [FieldError(_within_data(error.pointer), error.detail) for error in readable.errors]
    if errors:
        return BadCommand(envelope, None, Invalid(errors))
    data: object = {} if attributes.get("data") is None else attributes["data"]
    command = _validated(COMMANDS[envelope.command], data, errors)
    attribute = _validated(_Attributes, attributes, errors)
    if attribute is None:
        return BadCommand(envelope, None, Invalid(errors))
    if "data_base64" in attributes:
        errors.append(FieldError("/data_base64", "is not read: the command's data stands in data"))
    if attribute.dataschema not in {None, f"/schemas/{envelope.command}/1"}:
        errors.append(FieldError("/dataschema", f"must be /schemas/{envelope.command}/1"))
    actor: Actor | None = None
    try:
        actor = _actor(attribute.actorrole, attribute.actororg, attribute.actorid)
    except ValidationError as error:
        errors.append(FieldError("/actororg", sentence(error.errors()[0])))
    if command is None or actor is None or errors:
        return BadCommand(envelope, actor, Invalid(errors))
    return CommandMessage(
        envelope=envelope,
        command=command,
        actor=actor,
        source=attribute.source,
        content=to_json([envelope.command, actor, command]),
        expected_version=attribute.expectedversion,
        sent_at=attribute.time,
        traceparent=trace_of(attribute.traceparent),
    )


class _Attributes(BaseModel):
    """The attributes of a command that are judged after its envelope; others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    source: Annotated[
        str,
        StringConstraints(max_length=512, pattern=r"^\S+$"),
        Must("a URI of 1 to 512 characters, without white space"),
    ]
    time: Instant | None = None
    datacontenttype: (
        Annotated[
            str, StringConstraints(pattern=r"^application/json *(;|$)"), Must("application/json")
        ]
        | None
    ) = None
    dataschema: str | None = None
    actorid: ActorId
    actorrole: Role
    actororg: Org | None = None
    expectedversion: Annotated[int, Field(strict=True, ge=0)] | None = None
    traceparent: object = None


@lru_cache(maxsize=10_000)
def _actor(role: Role, org: str | None, actor_id: str) -> Actor:
    """The actor, checked once: the same people send most commands. Raises ValidationError."""
    return Actor(role=role, org=org, id=actor_id)


def trace_of(traceparent: object) -> str | None:
    """The sender's trace; what is malformed is ignored, as W3C Trace Context asks."""
    if not isinstance(traceparent, str) or not _TRACEPARENT.fullmatch(traceparent):
        return None
    return traceparent


def _media_type(content_type: str) -> str:
    """Without parameters; case does not matter."""
    return content_type.partition(";")[0].strip().lower()


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


_Model = TypeVar("_Model", bound=BaseModel)


def _validated(model: type[_Model], value: object, errors: list[FieldError]) -> _Model | None:
    """The value as the model; else nothing, and what is wrong joins the errors."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A list whose items are all wrong is not too short as well.
        within = {wrong["loc"][:-1] for wrong in found}
        named = [
            FieldError(pointer_to(*wrong["loc"]), sentence(wrong))
            for wrong in found
            if wrong["type"] != "too_short" or wrong["loc"] not in within
        ]
        errors += named[:MAX_ERRORS]
        if len(named) > MAX_ERRORS:
            errors.append(FieldError("", f"and {len(named) - MAX_ERRORS} more"))
        return None


def _within_data(pointer: str) -> str:
    """A pointer into the message, as one into its data where it leads there."""
    inside = pointer == "/data" or pointer.startswith("/data/")
    return pointer.removeprefix("/data") if inside else pointer


def command_event(  # noqa: PLR0913 - the attributes of the contract
    *,
    claim_id: UUID,
    command: str,
    command_id: str,
    data: Mapping[str, Any],
    actor: Actor,
    source: str,
    time: datetime,
    expected_version: int | None = None,
    traceparent: str | None = None,
) -> bytes:
    """The body of a command message, as senders within the project publish it."""
    body: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": command_id,
        "type": _TYPE_PREFIX + command,
        "subject": str(claim_id),
        "source": source,
        "time": time,
        "datacontenttype": "application/json",
        "actorid": actor.id,
        "actorrole": actor.role,
        "data": data,
    }
    if actor.org is not None:
        body["actororg"] = actor.org
    if expected_version is not None:
        body["expectedversion"] = expected_version
    if traceparent is not None:
        body["traceparent"] = traceparent
    return to_json(body)


def stored_event_message(
    *, claim_id: UUID, version: int, position: int, name: str, state: bytes
) -> bytes:
    """The body of an event message, made from the event as it is stored."""
    data: dict[str, Any] = from_json(state)
    cause = data.pop("cause")
    actor = cause["actor"]
    body: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": f"{claim_id}-{version}",
        "type": f"cpor.event.{name}",
        "subject": str(claim_id),
        "source": SOURCE,
        "time": data.pop("timestamp"),
        "datacontenttype": "application/json",
        "dataschema": f"/schemas/{name}/{data.pop('schema_version')}",
        "actorid": actor["id"],
        "actorrole": actor["role"],
        "causationid": cause["command_id"],
        "sequence": position,
        "claimversion": version,
    }
    if "org" in actor:
        body["actororg"] = actor["org"]
    if "traceparent" in cause:
        body["traceparent"] = cause["traceparent"]
    body["data"] = data
    return to_json(body)


def read_event(body: bytes) -> tuple[int, ClaimEvent]:
    """The position and the event of an event message, brought up to its present schema."""
    message: dict[str, Any] = from_json(body)
    name, _, version = message["dataschema"].removeprefix("/schemas/").partition("/")
    actor = {"role": message["actorrole"], "id": message["actorid"]}
    if "actororg" in message:
        actor["org"] = message["actororg"]
    state = {
        **message["data"],
        "schema_version": int(version),
        "originator_id": message["subject"],
        "originator_version": message["claimversion"],
        "timestamp": message["time"],
        "cause": {
            "actor": actor,
            "command_id": message["causationid"],
            "traceparent": message.get("traceparent"),
        },
    }
    return message["sequence"], recall(name, state)


class Outcome(NamedTuple):
    """What became of a command."""

    envelope: Envelope
    decided_at: datetime
    version: int | None
    events: tuple[str, ...] = ()
    position: int | None = None
    refusal: Refusal | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The outcome as callers read it."""
        data: dict[str, Any] = {
            "command": self.envelope.command,
            "command_id": self.envelope.command_id,
            "result": "refused" if self.refusal else "accepted",
            "version": self.version,
            "events": list(self.events),
            "position": self.position,
        }
        if self.refusal is not None:
            data["problem"] = problem(self.refusal)
        return data

    def message(self) -> bytes:
        """The body of the outcome message."""
        return to_json(
            {
                "specversion": SPEC_VERSION,
                "id": f"{self.envelope.command_id}-outcome",
                "type": f"cpor.outcome.{'refused' if self.refusal else 'accepted'}",
                "subject": str(self.envelope.claim_id),
                "source": SOURCE,
                "time": self.decided_at,
                "datacontenttype": "application/json",
                "causationid": self.envelope.command_id,
                "data": self.data,
            }
        )


PROBLEMS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The body can't be read"),
    "unauthenticated": (401, "The caller is unknown"),
    "not_allowed": (403, "Not allowed"),
    "not_found": (404, "Not found"),
    "not_possible": (409, "Not possible in this status"),
    "too_late": (409, "Too late"),
    "already_exists": (409, "Already exists"),
    "command_id_reused": (409, "Command id was used for another command"),
    "stale_version": (412, "The claim has changed since"),
    "too_large": (413, "Too large"),
    "unsupported_media_type": (415, "Unsupported media type"),
    "invalid": (422, "Wrong or unknown fields"),
    "rate_limited": (429, "Too many requests"),
    "unavailable": (503, "Unavailable: nothing was recorded"),
    "outcome_unknown": (504, "Outcome unknown: ask again with the same id"),
}
"""Every problem of the contract: its HTTP status and title."""


def problem(refusal: Refusal) -> dict[str, Any]:
    """A refusal as an RFC 9457 problem."""
    status, title = PROBLEMS[refusal.code]
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": title,
        "status": status,
        "detail": refusal.detail,
    }
    if refusal.rule is not None:
        body["rule"] = refusal.rule
    match refusal:
        case Invalid(errors=errors):
            body["errors"] = [error._asdict() for error in errors]
        case StaleVersion(current_version=current, changed=changed):
            body["current_version"] = current
            body["changed"] = list(changed)
        case NotPossible(status=claim_status):
            body["claim_status"] = claim_status
        case _:
            pass
    return body


def too_large(size: int) -> TooLarge:
    """The refusal of a message above the contract's limit."""
    return TooLarge(f"{size} bytes; a command has at most {MAX_COMMAND_BYTES}")


def keyed_digest(key: bytes, content: bytes) -> str:
    """A digest that only the holder of the key can make or guess at (R30)."""
    digest = _keyed(key).copy()
    digest.update(content)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _keyed(key: bytes) -> hmac.HMAC:
    """To be copied: setting it up costs more than a command's digest."""
    return hmac.new(key, digestmod="sha256")


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no white space: equal values, equal bytes."""
    return _CANONICAL.encode(value).encode()
