"""Headers of a mail that hold what people have written (RFC 5322, RFC 2047).

They are written here, not by Python's `EmailPolicy`. That reads what it is given before it writes
it: it decodes encoded words that stand in somebody's name, line breaks included, which begin
headers of their own then (CVE-2024-6923); it leaves the quotes out when it folds a long name; and
it encodes a long link as if it were words.
"""

import re
from email.header import Header
from email.policy import EmailPolicy
from typing import Final, Self
from unicodedata import category

_WIDTH: Final = 76
"""Characters of a line."""
_PLAIN: Final = re.compile(r"[ -~]*")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
"""What a name may hold as it is (RFC 5322, `atext`)."""
_ENCODED: Final = "=?"
"""What begins an encoded word."""
_BREAKS: Final = frozenset({"Cc", "Zl", "Zp"})
_UNSEEN: Final = frozenset({"Cf", "Cs", "Co"})
"""Unicode's categories of what turns the direction of writing, or isn't seen."""
_JOINERS: Final = "\u200c\u200d"
"""Unseen, too, but emoji and some scripts are written with them."""


class WrittenHeader(str):
    """A header as people read it, with the lines that it is in the mail."""

    __slots__ = ("lines", "name")
    name: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, name: str, text: str, *lines: str) -> Self:
        """The header of that name."""
        written = cls(text)
        written.name, written.lines = name, lines
        return written

    def fold(self, *, policy: EmailPolicy) -> str:
        """As it stands in the mail; the method by which the library asks for that."""
        return f"{self.name}: {policy.linesep.join(self.lines)}{policy.linesep}"


def words(name: str, text: str) -> WrittenHeader:
    """A header of free text, such as the subject."""
    text = one_line(text)
    is_plain = _PLAIN.fullmatch(text) and len(name) + 2 + len(text) <= _WIDTH
    return WrittenHeader.of(name, text, *_encoded(name, text, as_it_is=bool(is_plain)))


def mailbox(name: str, whose: str, address: str) -> WrittenHeader:
    """A header of one address, and whose it is, if that has a name."""
    whose, address = one_line(whose), f"<{address}>"
    if not whose:
        return WrittenHeader.of(name, address, address)
    is_plain = _ATOMS.fullmatch(whose) and len(name) + 2 + len(whose) <= _WIDTH
    *before, last = _encoded(name, whose, as_it_is=bool(is_plain))
    room = _WIDTH - len(last) - (0 if before else len(name) + 2)
    lines = [f"{last} {address}"] if len(address) < room else [last, f" {address}"]
    return WrittenHeader.of(name, f"{whose} {address}", *before, *lines)


def link(name: str, address: str) -> WrittenHeader:
    """A header of one link, which stays on one line."""
    return WrittenHeader.of(name, f"<{address}>", f"<{address}>")


def one_line(text: str) -> str:
    """A text on one line, without what is not seen; spaces are one each."""
    return " ".join("".join(map(_seen, text)).split())


def _seen(character: str) -> str:
    kind = category(character)
    if kind in _BREAKS:
        return " "
    return "" if kind in _UNSEEN and character not in _JOINERS else character


def _encoded(name: str, text: str, *, as_it_is: bool) -> list[str]:
    """The lines of a text: as it is, or in encoded words."""
    if as_it_is and _ENCODED not in text:
        return [text]
    return Header(text, "utf-8", _WIDTH, name).encode(linesep="\n").split("\n")
