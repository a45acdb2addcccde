"""Search words: what people type finds what others wrote, whatever the case or the keyboard.

Case and accents are folded, Turkish letters included: `İ I ı i` are one letter, and so are `ş s`,
`ğ g`, `ü u`, `ö o`, `ç c`, `â a`. PostgreSQL's text search keeps the words, and exact tokens
(product codes and ids) beside them, which no word can equal because of their colon.
"""

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")
_MARK = re.compile("[\u0300-\u036f]+")
_DOTLESS = str.maketrans("ı", "i")
_LONGEST = 300
"""Characters of a word that count; the database refuses words of more than 2,046 bytes."""


def fold(text: str) -> str:
    """The text in lower case and without accents."""
    if text.isascii():
        return text.lower()
    return _MARK.sub("", unicodedata.normalize("NFKD", text.casefold().translate(_DOTLESS)))


def words(*texts: str) -> set[str]:
    """The folded words of texts: runs of letters and digits."""
    return {word[:_LONGEST] for word in _WORD.findall(fold(" ".join(texts)))}


def exact(kind: str, value: str) -> str:
    """The token that stands for a code or id of one kind."""
    return f"{kind}:{value}"


def query(text: str, tokens: Iterable[str] = ()) -> str | None:
    """The `tsquery` that finds every word of `text` as a beginning, and every exact token.

    None when there is nothing to look for.
    """
    wanted = [f"{word}:*" for word in sorted(words(text))]
    wanted += [_quoted(token) for token in tokens]
    return " & ".join(wanted) or None


def _quoted(token: str) -> str:
    escaped = token.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
