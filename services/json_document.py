"""Reading JSON from outside: what strict parsers refuse is named instead of accepted."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple, cast

import jiter
from pydantic_core import ErrorDetails

from domain.refusal import FieldError

_MAX_DIGITS = 4300
"""What Python and the strict parser read of one number."""
MAX_ERRORS = 20
"""How many wrong places of a document are named."""
MAX_NAME = 100
"""Characters of a member's name that are repeated when it is wrong."""
MAX_DEPTH = 64
"""How deep arrays and objects may be nested: many times what any command needs."""


class Unreadable(Exception):  # noqa: N818 - a finding about a message, not a fault of ours
    """A message has no readable envelope: nobody can be answered, so it becomes a dead letter."""


class JsonDocument(NamedTuple):
    """A parsed document, and what in it JSON (RFC 8259, I-JSON) does not allow."""

    value: Any
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands where a value can't be taken as it is."""

    detail: str


def load(body: bytes) -> JsonDocument:
    """Parse a JSON document from UTF-8.

    Raises Unreadable when it is not UTF-8, not JSON, or nested too deeply to be parsed at all.
    Numbers that are none (NaN) or absurdly long, keys named twice, lone surrogates and nesting
    beyond MAX_DEPTH don't make the rest unreadable: the first MAX_ERRORS of them are listed by
    their JSON pointers.
    """
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        return _examined(body)
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        return _flawed(value)
    return JsonDocument(value)


def _examined(body: bytes) -> JsonDocument:
    """Find out what is wrong with a document that a strict parser does not take."""

    def number(digits: str) -> int | _Flaw:
        return int(digits) if len(digits) <= _MAX_DIGITS else _Flaw("is too long a number")

    def constant(name: str) -> _Flaw:
        return _Flaw(f"is {name}, which is no JSON number")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    value[key] = _Flaw("is named twice")
                seen.add(key)
        return value

    try:
        value = json.loads(
            body.decode(), parse_int=number, parse_constant=constant, object_pairs_hook=members
        )
    except UnicodeDecodeError:
        raise Unreadable("body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"body is not JSON: {error.msg}") from None
    except RecursionError:
        raise Unreadable("body is nested too deeply") from None
    return _flawed(value)


def _flawed(value: Any) -> JsonDocument:  # noqa: ANN401 - JSON may be anything
    return JsonDocument(value, tuple(islice(_errors(value), MAX_ERRORS)))


_NO_INSTANT = "must be a date and time with its offset, as in 2021-05-25T00:00:00Z"
SENTENCES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "model_type": "must be an object",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "timezone_aware": _NO_INSTANT,
    "datetime_type": _NO_INSTANT,
    "datetime_parsing": _NO_INSTANT,
    "datetime_from_date_parsing": _NO_INSTANT,
}
"""What is wrong, by pydantic's type of error: its own words speak of Python."""
_MEMBER: Final = re.compile(r"<[^:<>]+: ('[^']*')>")
"""How Python shows a member of an enumeration: its value is what counts."""


def sentence(wrong: ErrorDetails) -> str:
    """What pydantic found, in the words of whoever sent it."""
    words = SENTENCES.get(wrong["type"])
    if words is None:
        return wrong["msg"].removeprefix("Value error, ")
    return _MEMBER.sub(r"\1", words.format(**wrong.get("ctx", {})))


def pointer_to(*parts: str | int) -> str:
    """The JSON pointer to a place (RFC 6901), cut where a name is absurdly long."""
    return "".join(
        "/" + str(part)[:MAX_NAME].replace("~", "~0").replace("/", "~1") for part in parts
    )


def _errors(document: object) -> Iterator[FieldError]:
    """Everything that is flawed, found without recursion."""
    pending: list[tuple[str, object]] = [("", document)]
    while pending:
        pointer, value = pending.pop()
        if pointer.count("/") > MAX_DEPTH:
            yield FieldError(pointer, "is nested too deeply")
            continue
        match value:
            case _Flaw(detail=detail):
                yield FieldError(pointer, detail)
            case str() if not _encodable(value):
                yield FieldError(pointer, "has a lone surrogate, which is no character")
            case dict():
                for key, member in cast("dict[str, object]", value).items():
                    name = key if _encodable(key) else key.encode("ascii", "replace").decode()
                    if name != key:
                        yield FieldError(
                            pointer + pointer_to(name), "has a lone surrogate in its name"
                        )
                    pending.append((pointer + pointer_to(name), member))
            case list():
                items = cast("list[object]", value)
                pending += [(f"{pointer}/{place}", item) for place, item in enumerate(items)]
            case _:
                pass


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
