"""`POST /api/claims/{claim_id}/{command}`: a command by HTTP goes the way of every command."""

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response

from domain.access import SENDERS
from domain.actor import Actor
from domain.command import COMMANDS
from domain.refusal import FieldError, Invalid
from services import sender
from services.cloudevent import COMMAND_ID_PATTERN, command_event, new_command_id, trace_of
from services.sender import NotStored, send
from services.web.backend import Backend, Served
from services.web.body import read_json
from services.web.caller import Caller
from services.web.example import DATA
from services.web.identifier import ClaimId
from services.web.problem import OutcomeUnknown, Unavailable, answer
from services.web.schema import OutcomeData, header, problems

SOURCE: Final = "/cpor/http"

_ENTITY_TAG = re.compile(r'"(0|[1-9][0-9]{0,8})"')

_HEADERS = {
    "Idempotency-Key": header("The command id, given or generated."),
    "ETag": header('`"<version>"`: the claim\'s version now.'),
}

router = APIRouter(tags=["commands"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        json_schema_extra={
            "pattern": f"^{COMMAND_ID_PATTERN.pattern}$",
            "examples": ["3f9c2a1b-submit"],
        },
        description="The command id, unique for the claim: 1 to 64 of `A-Z a-z 0-9 _ -`. The same "
        "command under the same id has its effect once, however often it is sent. Generated, and "
        "returned in the header of the same name, when absent.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        json_schema_extra={"pattern": f"^{_ENTITY_TAG.pattern}$", "examples": ['"3"']},
        description='`"<version>"`: the version of the claim that the decision was made on (R14).',
    ),
]


def _handler(command: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def handle(
        request: Request,
        caller: Caller,
        backend: Served,
        claim_id: ClaimId,
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> Response:
        command_id = _command_id(idempotency_key)
        outcome = await deliver(
            backend,
            claim_id=claim_id,
            command=command,
            command_id=command_id,
            data=await read_json(request),
            actor=caller,
            expected_version=_expected_version(if_match),
            traceparent=trace_of(request.headers.get("traceparent")),
        )
        headers = {"Idempotency-Key": command_id}
        if outcome["version"] is not None:
            headers["ETag"] = f'"{outcome["version"]}"'
        problem = outcome.get("problem")
        return answer(problem, headers) if problem else JSONResponse(outcome, headers=headers)

    return handle


async def deliver(
    backend: Backend,
    *,
    claim_id: UUID,
    command: str,
    command_id: str,
    data: Mapping[str, Any],
    actor: Actor,
    expected_version: int | None = None,
    traceparent: str | None = None,
) -> dict[str, Any]:
    """Send a command on the command stream, whoever asked for it; its outcome's `data`.

    Raises Unavailable when nothing was recorded, and OutcomeUnknown.
    """
    message = command_event(
        claim_id=claim_id,
        command=command,
        command_id=command_id,
        data=data,
        actor=actor,
        source=SOURCE,
        time=backend.clock.now(),
        expected_version=expected_version,
        traceparent=traceparent,
    )
    nats = backend.broker.connection
    try:
        outcome = await send(
            nats, message, claim_id=claim_id, command=command, command_id=command_id
        )
    except NotStored as error:
        raise Unavailable(str(error)) from error
    except sender.OutcomeUnknown as error:
        raise OutcomeUnknown(str(error)) from error
    problem = outcome.get("problem")
    code = problem["type"].rpartition("/")[2] if problem else "accepted"
    backend.metrics.outcomes.labels(command, code).inc()
    return outcome


def _command_id(given: str | None) -> str:
    if given is None:
        return new_command_id()
    if not COMMAND_ID_PATTERN.fullmatch(given):
        raise Invalid([FieldError("/Idempotency-Key", "must be 1 to 64 of A-Z a-z 0-9 _ -")])
    return given


def _expected_version(given: str | None) -> int | None:
    if given is None:
        return None
    tag = _ENTITY_TAG.fullmatch(given)
    if tag is None:
        raise Invalid(
            [FieldError("/If-Match", 'must be one version in quotation marks, as in "3"')]
        )
    return int(tag[1])


def _add_routes() -> None:
    """One operation for each command, so that each is described by its own schema."""
    for command, model in COMMANDS.items():
        purpose = (model.__doc__ or "").strip()
        senders = ", ".join(f"`{role}`" for role in sorted(SENDERS[command]))
        router.add_api_route(
            f"/api/claims/{{claim_id}}/{command}",
            _handler(command),
            methods=["POST"],
            operation_id=command,
            summary=purpose.removesuffix("."),
            description=f"For {senders}.",
            response_model=OutcomeData,
            response_description="Accepted: the outcome's data.",
            responses={
                200: {"headers": _HEADERS},
                **problems(400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 503, 504),
            },
            openapi_extra={
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
                            "example": DATA[command],
                        }
                    },
                    "required": any(f.is_required() for f in model.model_fields.values()),
                }
            },
        )


_add_routes()
