"""What somebody sent from a page in vain: said in their words, and kept for them to mend."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.cloudevent import new_command_id
from services.language.translation import N_
from services.web.page.deed import COMMAND_ID
from services.web.page.visit import Visit
from services.web.page.wording import in_words

_WRITTEN: Final = ("comment", "explanation", "justification", "note", "text")


class Attempt(NamedTuple):
    """What somebody sent, and why it was not taken: it is shown again to be mended."""

    command: str
    problem: Mapping[str, Any]
    kept: Mapping[str, Sequence[str]]

    @property
    def code(self) -> str:
        """The problem's code."""
        kind: str = self.problem["type"]
        return kind.rpartition("/")[2]

    @property
    def is_undecided(self) -> bool:
        """Whether it may have been recorded all the same: sent again, it must be the same one."""
        return self.code == "outcome_unknown"

    def wrong(self, visit: Visit, name: str) -> list[str]:
        """What is wrong with a field, for people."""
        details = [
            each["detail"]
            for each in self.problem.get("errors", ())
            if f"{each['pointer']}/".startswith(f"/{name}/")
        ]
        is_empty = not any(text.strip() for text in self.kept.get(name, ()))
        if details and is_empty:
            return [visit.say(N_("This has to be filled in."))]
        return [in_words(visit, detail) for detail in details]

    @property
    def words(self) -> list[str]:
        """What was written, lest it be lost with its form."""
        return written(self.kept)


def written(filled: Mapping[str, Sequence[str]]) -> list[str]:
    """What of a form's fields was written rather than chosen."""
    return [text for name in _WRITTEN for text in filled.get(name, ()) if text.strip()]


def form_id(attempt: Attempt | None, command: str) -> str:
    """The id under which a form sends its command, made with the form.

    While nobody knows whether it was recorded, it is the one that the form had before.
    """
    if attempt and attempt.is_undecided and attempt.command == command:
        return attempt.kept[COMMAND_ID][0]
    return new_command_id()
