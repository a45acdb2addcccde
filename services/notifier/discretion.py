"""Mail servers' words without whom they name (R30): they are kept, logged and shown."""

import re
from typing import Final

from services.notifier.header import one_line

_ADDRESS: Final = re.compile(r"[^\s<>\"'()\[\],;:]+@[^\s<>\"'()\[\],;]+")
_HIDDEN: Final = "…"
_LONGEST: Final = 500
"""Characters of such words that are kept."""


def discreet(words: str, recipient: str = "") -> str:
    """The words on one line, without any address, and without the name in the recipient's.

    Without what no text may hold, too: servers answer in any encoding.
    """
    said = _ADDRESS.sub(_HIDDEN, one_line(words))
    if name := recipient.rpartition("@")[0]:
        said = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", _HIDDEN, said, flags=re.IGNORECASE)
    return said[:_LONGEST]
