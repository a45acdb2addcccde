"""The languages of pages and mails: English stands in them, Turkish beside them.

The folder `locale/tr` has a catalogue for each part; together they are the language.
"""

import gettext
from enum import StrEnum
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LOCALE: Final = Path(__file__).parent / "locale"


class Language(StrEnum):
    """What people may read."""

    ENGLISH = "en"
    TURKISH = "tr"


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """What is said in a language. Raises ValueError for a catalogue that is none."""
    if language is Language.ENGLISH:
        return gettext.NullTranslations()
    together = Translations()
    for file in sorted((LOCALE / language).glob("*.po")):
        with file.open("rb") as source:
            catalogue = read_po(source, locale=language, abort_invalid=True)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        together.merge(Translations(compiled))
    return together


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it, which extraction looks for
    """Mark a message that is translated where it is shown."""
    return message
