"""Refusals: the answer is no, nothing has changed, and the caller learns why.

Each class is one problem code of the outside contract; HTTP status codes are the web's business.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """One wrong field: where it stands (JSON pointer) and what is wrong with it."""

    pointer: str
    detail: str


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A command was understood and refused."""

    code: ClassVar[str]

    def __init__(self, detail: str, *, rule: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.rule = rule


class Invalid(Refusal):
    """Fields are wrong or unknown."""

    code = "invalid"

    def __init__(self, errors: Sequence[FieldError], *, rule: str | None = None) -> None:
        super().__init__("; ".join(f"{e.pointer}: {e.detail}" for e in errors), rule=rule)
        self.errors = tuple(errors)


class NotAllowed(Refusal):
    """The actor's role, or who the actor is, does not permit it (R25)."""

    code = "not_allowed"


class NotFound(Refusal):
    """There is no such claim, or none that this actor may know of (R25)."""

    code = "not_found"


class NotPossible(Refusal):
    """Not in the claim's present state."""

    code = "not_possible"

    def __init__(self, detail: str, *, rule: str, status: str) -> None:
        super().__init__(detail, rule=rule)
        self.status = status


class NotYetDue(NotPossible):
    """The clock is open, but its instant has not come: a timer that is ahead comes again (R18)."""

    def __init__(self, detail: str, *, due_at: datetime, status: str) -> None:
        super().__init__(detail, rule="R18", status=status)
        self.due_at = due_at


class TooLate(Refusal):
    """The period for it has passed (R16)."""

    code = "too_late"


class AlreadyExists(Refusal):
    """What should be made is there already."""

    code = "already_exists"


class CommandIdReused(Refusal):
    """The command id was used for a command with other content."""

    code = "command_id_reused"


class StaleVersion(Refusal):
    """The claim has changed since the version that the actor saw (R14)."""

    code = "stale_version"

    def __init__(self, detail: str, *, current_version: int, changed: Sequence[str]) -> None:
        super().__init__(detail, rule="R14")
        self.current_version = current_version
        self.changed = tuple(changed)


class UnsupportedMediaType(Refusal):
    """What was sent is of a kind that is not taken here."""

    code = "unsupported_media_type"


class TooLarge(Refusal):
    """The message is larger than the contract allows."""

    code = "too_large"
