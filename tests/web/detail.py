"""The details of refusals, as they are written in the code: each once, with 7 for what varies."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from domain.refusal import Refusal
from services import json_document
from services.settings import CHECKOUT

_SPOKEN: Final = (
    *("domain/*.py", "projections/*.py", "services/web/**/*.py", "services/claims/*.py"),
    *("services/json_document.py", "services/sender.py"),
    *("services/dead_letter.py", "services/clock_mover.py"),
)
"""Where what is written may come to be read on a page."""
_SILENT: Final = {
    "domain/calendar.py",
    "domain/catalogue.py",
    "domain/claim.py",
    "domain/policy.py",
    "domain/resource.py",
    "services/web/oidc.py",
}
"""Where a ValueError is no finding about what somebody sent."""
_API_ALONE: Final = (
    *("services/web/body.py", "services/web/caller.py", "services/web/command.py"),
    *("services/web/live.py", "services/web/audience.py", "services/web/preview.py"),
)
"""What pages don't ask for: JSON bodies, headers, streams and pictures."""
_FINDINGS: Final = frozenset(
    {"FieldError", "DeadLetterError", "NotStored", "BackwardsError", "Must", "ValueError"}
)
OF_NO_PAGE: Final = frozenset(
    {
        # Timers alone pass deadlines.
        "no clock 7 that is due at this instant is open",
        "the clock 7 has already passed",
        "the clock 7 is not due before 7",
        # Other senders than pages: their actors, and JSON as pages don't write it.
        "an actor in the role 7 acts for an organisation: org is missing",
        "an actor in the role 7 acts for no organisation: org must be absent",
        "must be 1 to 128 of A-Z a-z 0-9 . _ @ + -, beginning with a letter or digit",
        "is nested too deeply",
        "has a lone surrogate, which is no character",
        "has a lone surrogate in its name",
        # The API alone.
        "can't be together with version",
        "there is no such problem",
        "must be an ISO 8601 duration of weeks, or of days and time: P1DT2H",
        "needs either advance or set",
        # Bearer tokens.
        "the token is refused: 7",
        "the token can't be read",
        "the token was made for another sign-in",
        "the token was made for another client",
        "the token does not say when it was made",
        "the token's claim 7 names no role",
        "the token's claim 7 names no role of cpor: 7",
        "the token's claim 7 names several roles of cpor",
    }
)
"""Details that no page can meet."""


def written_details() -> Iterator[str]:
    """All that are written out; not those that are somebody else's words."""
    import_module("services.web.application")  # with it come all kinds of refusals
    refusals = {each.__name__ for each in _all(Refusal)}
    for pattern in _SPOKEN:
        for file in CHECKOUT.glob(pattern):
            if file.relative_to(CHECKOUT).as_posix() not in _API_ALONE:
                yield from _in(file, refusals - {"Invalid"})
    for finding in json_document.SENTENCES.values():
        yield finding.format(
            **dict.fromkeys(("min_length", "max_length", "ge", "le"), 7), expected="'7'"
        )


def _all(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _all(each)


def _in(file: Path, refusals: set[str]) -> Iterator[str]:
    module = ast.parse(file.read_text("utf-8"))
    path = file.relative_to(CHECKOUT).as_posix()
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[*_, detail]) if (
                name in refusals | _FINDINGS and not (name == "ValueError" and path in _SILENT)
            ):
                for text in _texts(detail):
                    yield f"must be {text}" if name == "Must" else text
            case ast.Assign(targets=[ast.Name(id="msg")], value=detail) if path not in _SILENT:
                yield from _texts(detail)
            case ast.FunctionDef(name="_wrong_with", returns=ast.Name(id="str")):
                for each in ast.walk(node):
                    if isinstance(each, ast.Return) and each.value is not None:
                        yield from _texts(each.value)
            case _:
                pass


def _texts(node: ast.expr) -> Iterator[str]:
    """What an expression says, if it is written out; nothing when it is empty or a variable."""
    match node:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(map(_part, parts))
        case _:
            pass


def _part(part: ast.expr) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(conversion=114):  # !r
            return "'7'"
        case _:
            return "7"
