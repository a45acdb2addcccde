"""Reading JSON bodies, as strictly as messages are read."""

from asyncio import timeout
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from domain.refusal import Invalid, UnsupportedMediaType
from services.json_document import Unreadable, load
from services.web.problem import Malformed, RequestTimeout

_PATIENCE = 20.0
"""Seconds in which a body must have arrived."""

_Model = TypeVar("_Model", bound=BaseModel)


async def read_json(request: Request) -> Any:  # noqa: ANN401 - JSON may be anything
    """The body, an empty one being an empty object; what JSON does not allow is named.

    Raises UnsupportedMediaType, Malformed, Invalid, RequestTimeout.
    """
    try:
        async with timeout(_PATIENCE):
            body = await request.body()
    except TimeoutError:
        raise RequestTimeout("the body did not arrive in time") from None
    if not body:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" or "content-encoding" in request.headers:
        raise UnsupportedMediaType("send application/json, without a content encoding")
    try:
        document = load(body)
    except Unreadable as error:
        raise Malformed(str(error)) from None
    if document.errors:
        raise Invalid(document.errors)
    return document.value


async def read_as(model: type[_Model], request: Request) -> _Model:
    """The body as this model. Raises as `read_json` does, and RequestValidationError."""
    try:
        return model.model_validate(await read_json(request))
    except ValidationError as error:
        raise RequestValidationError(
            [{**wrong, "loc": ("body", *wrong["loc"])} for wrong in error.errors()]
        ) from None
