"""Pages behind a link in a mail, without an account."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends, Query

from services.language.translation import Language
from services.web.page.visit import AnyGuest, Guest

QUIET: Final = {"X-Robots-Tag": "noindex, nofollow"}
"""Headers of a page that search engines leave out."""


async def _reader(guest: AnyGuest, language: Annotated[str, Query()] = "") -> Guest:
    """The visit, in the language that the address names, whoever is signed in beside it."""
    taste = guest.taste
    if language in list(Language):
        taste = taste._replace(language=Language(language))
    return replace(guest, person=None, taste=taste)


Reader = Annotated[Guest, Depends(_reader)]
