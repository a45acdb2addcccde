"""Mail servers' words without whom they name (R30): they are kept, logged and shown."""

import re
from typing import Final

_ADDRESS: Final = re.compile(r"[^\s<>\"'()\[\],;:]+@[^\s<>\"'()\[\],;]+")
_HIDDEN: Final = "…"


def discreet(words: str, recipient: str = "") -> str:
    """The words on one line, without any address, and without the name in the recipient's."""
    said = _ADDRESS.sub(_HIDDEN, " ".join(words.split()))
    if name := recipient.rpartition("@")[0]:
        said = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", _HIDDEN, said, flags=re.IGNORECASE)
    return said
