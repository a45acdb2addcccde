"""Words looked for in a text, whatever the case, the accents and what stands between them."""

import re
from functools import lru_cache
from typing import NamedTuple

from projections.search import fold

_WORD = re.compile(r"[^\W_]+")
_BETWEEN = r"[\W_]{1,3}"
_BEFORE, _AFTER = 40, 50
"""Characters of a snippet around what was found."""

_LONGEST_FOLDED = 3
"""Letters that one sign may become; some become whole sentences."""


@lru_cache(maxsize=4096)
def _folded(letter: str) -> str:
    return fold(letter)[:_LONGEST_FOLDED]


class Snippet(NamedTuple):
    """A place in a text: what was found there, and what stands around it."""

    before: str
    found: str
    after: str


class Text:
    """A text as it is compared, which can tell how each place in it was written."""

    def __init__(self, written: str) -> None:
        self.written = " ".join(written.split())
        if self.written.isascii():
            self.folded = self.written.lower()
            self._places: list[int] | None = None
        else:
            letters = [_folded(letter) for letter in self.written]
            self.folded = "".join(letters)
            self._places = [at for at, folded in enumerate(letters) for _ in folded]

    def snippet(self, match: re.Match[str]) -> Snippet:
        """What a match in the folded text was found in."""
        start, last = match.start(), match.end() - 1
        if self._places is not None:
            start, last = self._places[start], self._places[last]
        end = last + 1
        before, after = self.written[:start], self.written[end:]
        return Snippet(
            before if len(before) <= _BEFORE else f"…{before[-_BEFORE:]}",
            self.written[start:end],
            after if len(after) <= _AFTER else f"{after[:_AFTER]}…",
        )


def phrase(words: str) -> re.Pattern[str] | None:
    """Finds these words in this order in a folded text; None when there are none to look for."""
    found = _WORD.findall(fold(words))
    if not found:
        return None
    first = found[0]  # in front, because a search for letters alone is fast
    rest = "".join(_BETWEEN + word for word in found[1:])
    return re.compile(rf"{first}(?<![^\W_]{first}){rest}(?![^\W_])")
