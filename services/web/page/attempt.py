"""What somebody sent from a page in vain: said in their words, and kept for them to mend."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from services.web.page.translation import N_

_WRONG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stale_version": N_(
            "The claim has changed since you opened this page. Look at what is new, then decide"
            " again: what you filled in is still there."
        ),
        "not_possible": N_("This is not possible as the claim stands now."),
        "too_late": N_("The period for this has passed."),
        "not_allowed": N_("You may not do this."),
        "not_found": N_("There is no such claim, or none that you may know of."),
        "invalid": N_("Something is not filled in as it has to be."),
        "already_exists": N_("This is there already."),
        "too_large": N_("This is more than can be taken."),
        "command_id_reused": N_(
            "This form was sent before, with something else in it. What was sent first stands."
        ),
        "unavailable": N_(
            "A part of the system can't be reached at the moment. Nothing was recorded: try again."
        ),
        "outcome_unknown": N_(
            "It is not known whether this was recorded. Send it again: it has its effect once."
        ),
    }
)
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
    def text(self) -> str:
        """What is wrong, to be translated."""
        return _WRONG.get(self.code, self.problem["title"])

    @property
    def is_undecided(self) -> bool:
        """Whether it may have been recorded all the same: sent again, it must be the same one."""
        return self.code == "outcome_unknown"

    def wrong(self, name: str) -> list[str]:
        """What is wrong with a field; as far as it is ours to say, to be translated."""
        details = [
            each["detail"]
            for each in self.problem.get("errors", ())
            if f"{each['pointer']}/".startswith(f"/{name}/")
        ]
        is_empty = not any(text.strip() for text in self.kept.get(name, ()))
        return [N_("This has to be filled in.")] if details and is_empty else details

    @property
    def words(self) -> list[str]:
        """What was written, lest it be lost with its form."""
        return [text for name in _WRITTEN for text in self.kept.get(name, ()) if text]
