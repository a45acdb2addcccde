"""Forms of pages as the data of commands: what a person fills in is checked like every command."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.datastructures import FormData

from domain.command import COMMANDS


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]
"""The form that was sent."""


def command_data(command: str, form: FormData) -> dict[str, Any]:
    """The command's data, as a form's fields of the same names state it.

    Parts of parts have dots in their names (`customer.name`). A field that may hold several values
    is given several times, or one value a line. What is optional and left empty is left out; what
    is required stands as it is, so that the refusal names it.
    """
    return _part(COMMANDS[command], form, "")


def _part(model: type[BaseModel], form: FormData, prefix: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        full = prefix + name
        kind = _kind(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if any(key.startswith(f"{full}.") for key in form):
                data[name] = _part(kind, form, f"{full}.")
        elif kind is tuple:
            values = [line for value in _texts(form, full) for line in _lines(value)]
            if values or (full in form and field.is_required()):
                data[name] = values
        elif kind is bool:
            if full in form:
                data[name] = True
        elif full in form:
            value = _texts(form, full)[0].replace("\r\n", "\n")
            if value or field.is_required():
                data[name] = value
    return data


def _texts(form: FormData, name: str) -> list[str]:
    return [value for value in form.getlist(name) if isinstance(value, str)]


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip()]


def _kind(annotation: Any) -> Any:  # noqa: ANN401 - annotations are of any kind
    """What a field holds, whether it may be left out or not."""
    if get_origin(annotation) in {Union, types.UnionType}:
        annotation = next(each for each in get_args(annotation) if each is not types.NoneType)
    return get_origin(annotation) or annotation


def kept(form: FormData) -> Mapping[str, list[str]]:
    """What somebody filled in, to be shown again beside what was wrong with it."""
    return {name: _texts(form, name) for name in form}
