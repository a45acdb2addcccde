"""Errors as RFC 9457 problems: no answer of this API fails in any other form."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import nats.errors
import psycopg
import structlog
from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from psycopg_pool import PoolTimeout
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from domain.refusal import FieldError, Invalid, NotFound, Refusal, TooLarge
from services.cloudevent import PROBLEMS, problem
from services.json_document import pointer_to, sentence
from services.web.schema import PROBLEM_TYPE, problems

_log = structlog.get_logger(__name__)


class Malformed(Refusal):
    """The body can't be read as what it should be."""

    code = "malformed"


class Unauthenticated(Refusal):
    """Nobody, or nobody that we know, is calling."""

    code = "unauthenticated"
    challenge: ClassVar[str] = "X-Cpor-Actor"
    """How to say who is calling: the header `WWW-Authenticate`."""


class TokenNeeded(Unauthenticated):
    """Nobody says who is calling."""

    challenge = "Bearer"


class InvalidToken(TokenNeeded):
    """The token proves nothing."""

    challenge = 'Bearer error="invalid_token"'


class MethodNotAllowed(Refusal):
    """There is something at this address, but this can't be done to it."""

    code = "method_not_allowed"


class RequestTimeout(Refusal):
    """The body did not arrive in time."""

    code = "request_timeout"


class WrongHost(Refusal):
    """The request was meant for another host: a browser was led here under a foreign name."""

    code = "wrong_host"


class RateLimited(Refusal):
    """Too many requests came from there in too short a time."""

    code = "rate_limited"


class Unavailable(Refusal):
    """A server that is needed can't be reached; nothing was recorded."""

    code = "unavailable"


class OutcomeUnknown(Refusal):
    """The command may or may not have been recorded."""

    code = "outcome_unknown"


class Failed(Refusal):
    """A defect of ours."""

    code = "failed"


ALL_PROBLEMS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        **PROBLEMS,
        "method_not_allowed": (405, "Method not allowed"),
        "request_timeout": (408, "The request took too long to arrive"),
        "wrong_host": (421, "Not the host that was asked for"),
        "failed": (500, "Something failed on our side"),
    }
)
"""Every problem that an answer can carry: its HTTP status and title."""

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "malformed": "Send what the API's description says: JSON in UTF-8, or a multipart form.",
        "unauthenticated": "Say who is calling; the detail says how.",
        "not_allowed": "Your role, or who you are, does not permit it. Asking again won't help.",
        "not_found": "There is nothing there, or nothing that you may know of.",
        "not_possible": "The claim is in a state in which this can't be done. `claim_status` names "
        "its status, `rule` the rule.",
        "too_late": "The period in which it could be done has passed.",
        "already_exists": "What should be made is there already.",
        "command_id_reused": "The command id was used for another command. The first one stands.",
        "stale_version": "The claim has changed since the version that you named. "
        "`current_version` is its version now, `changed` says what came since. Look again.",
        "too_large": "The detail names the limit.",
        "unsupported_media_type": "The detail names what is taken.",
        "invalid": "`errors` names each wrong field: where it stands (`pointer`) and what is wrong "
        "with it (`detail`).",
        "rate_limited": "Slow down, and try again later.",
        "unavailable": "Nothing was recorded. Try again in a moment.",
        "outcome_unknown": "Send the same command again with the same command id: it has no second "
        "effect, and you get its outcome.",
        "method_not_allowed": "The header `Allow` names the methods that are.",
        "request_timeout": "Try again on a faster line.",
        "wrong_host": "Use the address that the system was started with.",
        "failed": "It is logged. Try again later, a command with the same command id.",
    }
)
"""What a caller can do about each problem."""


class Described(BaseModel):
    """What a type of problem means."""

    type: str
    title: str
    status: int
    description: str


def respond(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as a response."""
    return answer(body(refusal), headers)


def answer(problem: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A response that carries this problem, under the problem's own status."""
    return JSONResponse(problem, problem["status"], headers, PROBLEM_TYPE)


def body(refusal: Refusal) -> Mapping[str, Any]:
    """A refusal as a problem."""
    if refusal.code in PROBLEMS:
        return problem(refusal)
    status, title = ALL_PROBLEMS[refusal.code]
    return {
        "type": f"/problems/{refusal.code}",
        "title": title,
        "status": status,
        "detail": refusal.detail,
    }


def register(app: FastAPI) -> None:
    """Let the application answer what is raised in it with a problem; of HTTP's own, pages tell."""
    app.exception_handler(Refusal)(_on_refusal)
    app.exception_handler(RequestValidationError)(_on_invalid_request)
    for fault in (
        PoolTimeout,
        psycopg.OperationalError,
        psycopg.errors.UndefinedTable,
        psycopg.errors.InvalidSchemaName,
        nats.errors.Error,
    ):
        app.exception_handler(fault)(_on_unavailable)


router = APIRouter(tags=["reference"])


@router.get(
    "/problems/{code}",
    summary="What a type of problem means",
    operation_id="read_problem",
    responses=problems(404),
)
async def describe(code: Annotated[str, Path(examples=["stale_version"])]) -> Described:
    """What a problem's `type` points to."""
    if code not in ALL_PROBLEMS:
        raise NotFound("there is no such problem")
    status, title = ALL_PROBLEMS[code]
    return Described(type=f"/problems/{code}", title=title, status=status, description=ADVICE[code])


async def _on_refusal(_: Request, refusal: Refusal) -> Response:
    if isinstance(refusal, Unauthenticated):
        return respond(refusal, {"WWW-Authenticate": refusal.challenge})
    return respond(refusal)


async def _on_invalid_request(_: Request, error: RequestValidationError) -> Response:
    return respond(Invalid(list(field_errors(error))))


def refusal_of(request: Request, error: HTTPException) -> Refusal:
    """What the framework refuses by itself, as a refusal of ours."""
    match error.status_code:
        case 404:
            return NotFound(f"there is nothing at {request.url.path}")
        case 405:
            return MethodNotAllowed(f"{request.method} can't be done to {request.url.path}")
        case 413:
            return TooLarge(error.detail)
        case _:
            return Malformed(error.detail)


async def _on_unavailable(_: Request, error: Exception) -> Response:
    """A server of ours is away, or the admin step has not made its tables yet."""
    server = "NATS" if isinstance(error, nats.errors.Error) else "PostgreSQL"
    _log.warning("server_unavailable", server=server, error=str(error) or type(error).__name__)
    return respond(Unavailable(f"{server} can't be used at the moment"))


def field_errors(error: RequestValidationError) -> Iterable[FieldError]:
    """Parameters by their names, fields of a body by their JSON pointers."""
    for wrong in error.errors():
        _, *place = wrong["loc"]
        yield FieldError(pointer_to(*place), sentence(wrong))
