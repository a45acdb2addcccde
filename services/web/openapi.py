"""The API's description: OpenAPI 3.1, as true as the code can make it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from domain.command import COMMANDS, EditClaim
from services.web import example
from services.web.clock import Movement
from services.web.reference import VERSION
from services.web.schema import Problem, problems

_Json: TypeAlias = dict[str, "_Json"] | list["_Json"] | str | float | None

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """
Partner association claims: commands, the status board, documents.

* **Commands** are sent with `POST /api/claims/{claim_id}/{command}`. The header `Idempotency-Key`
  is the command's id: the same command under the same id has its effect once. In doubt, send it
  again.
* **Reads** come from the board, which follows the commands within moments; `wait_for` with an
  outcome's `position` waits until it has.
* **Errors** are `application/problem+json`; their `type` leads to an explanation.
* **Lists** are paged by `after`, with the `next` of the page before.
"""
_EXAMPLES = {
    "ClaimView": example.CLAIM,
    "OutcomeData": example.OUTCOME,
    "Problem": example.PROBLEM,
    "Uploaded": example.DATA["attach_poe"]["document"],
}
_OF_SCHEMAS = frozenset({"type", "$ref", "anyOf", "properties", "enum", "const"})
"""By which a schema is told from an example."""
_TAGS = (
    ("commands", "What can be done to a claim. The claim decides; its answer is the outcome."),
    ("claims", "The board: claims as they stand, as they stood, and how they came to it."),
    ("documents", "Proof of execution."),
    ("reference", "What hardly ever changes."),
    ("operations", "How the system is."),
    ("development", "Only with development settings."),
)


def document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    described = get_openapi(
        title="cpor",
        version=VERSION,
        description=_DESCRIPTION.strip(),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=[{"name": name, "description": text} for name, text in _TAGS],
        routes=routes,
    )
    schemas: dict[str, Any] = described["components"]["schemas"]
    for leftover in ("HTTPValidationError", "ValidationError"):
        schemas.pop(leftover, None)
    for answer in schemas.values():
        _say_what_answers_hold(answer)
    schemas.update(_body_schemas())
    for operations in described["paths"].values():
        for operation in operations.values():
            _use_problems(operation["responses"])
            _drop_null(operation.get("parameters", ()))
    untitled = cast("dict[str, Any]", _untitled(described))
    schemas = untitled["components"]["schemas"]
    for name, each in _EXAMPLES.items():
        schemas[name]["examples"] = [each]
    untitled["components"]["schemas"] = dict(sorted(schemas.items()))
    return untitled


def _body_schemas() -> Mapping[str, Any]:
    """What operations refer to that FastAPI doesn't know: problems, and bodies that we read."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in (*COMMANDS.values(), Movement)],
        ref_template=_REFERENCE,
    )
    schemas = definitions["$defs"]
    _say_that_something_is_named(schemas[EditClaim.__name__])
    _say_that_something_is_named(schemas[Movement.__name__])
    schemas[Movement.__name__]["maxProperties"] = 1
    problem = TypeAdapter(Problem).json_schema(ref_template=_REFERENCE)
    return {**schemas, **problem.pop("$defs"), "Problem": problem}


def _say_what_answers_hold(schema: dict[str, Any]) -> None:
    """Every field, also one that has a default for whoever makes the answer."""
    if "properties" in schema:
        schema["required"] = list(schema["properties"])


def _say_that_something_is_named(schema: dict[str, Any]) -> None:
    """A field is left out or has a value, and there is one: the models check it."""
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        _require_value(field)
        del field["default"]


def _use_problems(responses: dict[str, Any]) -> None:
    """No errors that only FastAPI knows of; and what can happen anywhere."""
    theirs = responses.get("422", {}).get("content", {})
    if "application/json" in theirs:
        del responses["422"]
    responses["default"] = {**problems(400)[400], "description": "Any other problem."}


def _drop_null(parameters: Iterable[dict[str, Any]]) -> None:
    """A parameter that may be left out is never null."""
    for parameter in parameters:
        _require_value(parameter["schema"])
        parameter["schema"].pop("description", None)


def _require_value(schema: dict[str, Any]) -> None:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])


def _untitled(part: _Json) -> _Json:
    """Without the titles that pydantic makes of names: they say nothing more."""
    if isinstance(part, dict):
        is_schema = bool(part.keys() & _OF_SCHEMAS)
        return {
            name: _untitled(member)
            for name, member in part.items()
            if not (is_schema and name == "title" and isinstance(member, str))
        }
    if isinstance(part, list):
        return [_untitled(each) for each in part]
    return part
