"""The shapes of answers, as OpenAPI describes them."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from domain.command import DocumentData
from domain.vocabulary import Status

PROBLEM_TYPE = "application/problem+json"
"""The media type of problems."""


class FieldProblem(TypedDict):
    """One wrong field or parameter."""

    pointer: Annotated[str, Field(description="JSON pointer into the body, or `/<parameter>`.")]
    detail: str


class Problem(TypedDict):
    """Why the answer is no (RFC 9457)."""

    type: Annotated[str, Field(description="`/problems/<code>`; that address explains it.")]
    title: str
    status: int
    detail: str
    rule: NotRequired[Annotated[str, Field(description="The rule of the programme: `R21`.")]]
    errors: NotRequired[Annotated[list[FieldProblem], Field(description="With `invalid`.")]]
    claim_status: NotRequired[Annotated[Status, Field(description="With `not_possible`.")]]
    current_version: NotRequired[Annotated[int, Field(description="With `stale_version`.")]]
    changed: NotRequired[
        Annotated[list[str], Field(description="With `stale_version`: the events that came since.")]
    ]


class OutcomeData(BaseModel):
    """What an accepted command has come to."""

    command: str
    command_id: str
    result: Literal["accepted"]
    version: Annotated[int, Field(description="The claim's version now.")]
    events: Annotated[list[str], Field(description="What was recorded, in order.")]
    position: Annotated[
        int | None,
        Field(description="Of the last event in the log: what `wait_for` takes."),
    ]


class Uploaded(DocumentData):
    """A document that is kept."""


_ERRORS: dict[int, str] = {
    400: "The body can't be read.",
    401: "The caller is unknown.",
    403: "Role or ownership does not permit it.",
    404: "There is nothing there, or nothing that the caller may know of.",
    405: "Not done to this address.",
    408: "The body did not arrive in time.",
    409: "Not possible: the state, the time, or what is there already forbids it.",
    412: "The claim has changed since the version named.",
    413: "Too large.",
    415: "Of a kind that is not taken.",
    422: "Wrong or unknown fields or parameters; `errors` names them.",
    503: "A server is away; nothing was recorded.",
    504: "Outcome unknown: ask again with the same command id.",
}


def header(description: str) -> dict[str, Any]:
    """What a response's description says of one of its headers."""
    return {"description": description, "schema": {"type": "string"}}


_HEADERS = {401: {"headers": {"WWW-Authenticate": header("The header that names the caller.")}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation's description says of the problems with these statuses."""
    return {
        status: {
            "description": _ERRORS[status],
            **_HEADERS.get(status, {}),
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
