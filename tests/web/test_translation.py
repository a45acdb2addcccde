"""Everything that pages and mails say is said in Turkish, too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.language.translation import LOCALE, Language, translations
from services.settings import CHECKOUT

WEB: Final = CHECKOUT / "services" / "web"
FILES: Final = sorted((LOCALE / "tr").glob("*.po"))
PAGES: Final = [("page/**.py", "python"), ("template/**.html", "jinja2")]
PYTHON: Final = [("**.py", "python")]
KEYWORDS: Final[dict[str, Any]] = {
    "_": None,
    "N_": None,
    "say": None,
    "gettext": None,
    "ngettext": (1, 2),
}


def said() -> Iterator[str]:
    """Every message of pages, mails and histories."""
    options = {"template/**.html": {"silent": "false"}}
    for folder, methods in (
        (WEB, PAGES),
        (CHECKOUT / "services" / "language", PYTHON),
        (CHECKOUT / "services" / "notifier", PYTHON),
        (CHECKOUT / "projections", [("sentence.py", "python")]),
    ):
        for _, _, message, _, _ in extract_from_dir(folder, methods, options, keywords=KEYWORDS):
            yield message if isinstance(message, str) else message[0]


def catalogue(file: Path) -> Catalog:
    """What a file translates."""
    with file.open("rb") as source:
        return read_po(source, locale="tr", abort_invalid=True)


def test_every_message_is_translated() -> None:
    """None is missing, and none is left that nobody says any more."""
    translated = {
        each.id if isinstance(each.id, str) else each.id[0]
        for file in FILES
        for each in catalogue(file)
        if each.id and each.string
    }

    assert set(said()) == translated


def test_a_message_is_translated_alike_wherever_it_stands() -> None:
    """All files make one catalogue, in which a message has one translation."""
    translated: dict[object, set[object]] = {}
    for file in FILES:
        for each in catalogue(file):
            if each.id:
                translated.setdefault(each.id, set()).add(each.string)

    assert not [ones for ones in translated.values() if len(ones) > 1]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_messages_keep_their_placeholders(file: Path) -> None:
    """What is put into a message in English is put into it in Turkish."""
    for each in catalogue(file):
        assert not [error.args for error in each.check()]


def test_a_message_is_said_in_both_languages() -> None:
    """English stands in the code."""
    assert translations(Language.ENGLISH).gettext("Approved") == "Approved"
    assert translations(Language.TURKISH).gettext("Approved") == "Onaylandı"
