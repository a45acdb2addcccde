"""A visit of a page: by whom, how they like to read, and what they get to see."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2_fragments import render_block
from markupsafe import Markup
from typing_extensions import override

from domain.actor import Actor
from services.language import word
from services.language.translation import Language, translations
from services.language.word import Look
from services.web import session
from services.web.backend import Backend, Served
from services.web.page import moment
from services.web.page.icon import icon
from services.web.page.navigation import Place, places_for
from services.web.page.taste import Taste, taste_of
from services.web.page.wording import in_words, problem_in_words, refusal_in_words
from services.web.session import Person

TEMPLATES: Final = Path(__file__).parent.parent / "template"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The pages' Content-Security-Policy: everything is ours, nothing stands in the page itself."""

_CONSTANT: Final = re.compile(
    r"""\{\{ (?P<of>_|icon)\((?P<quote>["'])(?P<name>(?:(?!(?P=quote))[^\\])+)(?P=quote)\) \}\}"""
)
"""A message or an icon in a template, without anything that varies."""


class SignInNeeded(Exception):  # noqa: N818 - where to go, not what went wrong
    """The page is for people who are signed in."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A visit of somebody who need not be signed in."""

    request: Request
    backend: Backend
    person: Person | None
    taste: Taste
    now: datetime

    def page(
        self,
        template: str,
        *,
        block: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,  # noqa: ANN401 - what a template shows
    ) -> HTMLResponse:
        """A page, or one block of its template, in the visitor's language, theme and time zone."""
        environment = _environment(self.taste.language)
        context |= self._shared()
        content = (
            environment.get_template(template).render(context)
            if block is None
            else render_block(environment, template, block, context)
        )
        return HTMLResponse(content, status, {"Content-Security-Policy": POLICY, **(headers or {})})

    def say(self, message: str, **values: object) -> str:
        """A message in the visitor's language."""
        text = translations(self.taste.language).gettext(message)
        return text % values if values else text

    def product_name(self, code: str) -> str:
        """A product's name in the visitor's language; its code when nobody knows it any more."""
        product = self.backend.catalogue.find(code)
        return getattr(product.name, self.taste.language.value) if product else code

    @property
    def places(self) -> list[Place]:
        """Where the visitor may go from here."""
        return places_for(self.person.actor.role) if self.person else []

    def _shared(self) -> dict[str, Any]:
        """What every template knows."""
        return {
            "visit": self,
            "person": self.person,
            "actor": self.person.actor if self.person else None,
            "taste": self.taste,
            "now": self.now,
            "here": self._here(),
            "is_dev": self.backend.settings.auth == "dev",
            "has_mailbox": bool(self.backend.settings.mailbox),
            "programme": self.backend.settings.programme,
            "is_simulated": self.backend.settings.clock == "simulated",
            "instant": partial(moment.instant, taste=self.taste),
            "ago": partial(moment.ago, now=self.now, taste=self.taste),
            "product_name": self.product_name,
            "in_words": partial(in_words, self),
            "problem_in_words": partial(problem_in_words, self),
            "refusal_in_words": partial(refusal_in_words, self),
        }

    def _here(self) -> str:
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path


@dataclass(frozen=True, slots=True)
class Visit(Guest):
    """A visit of somebody who is signed in."""

    person: Person

    @property
    def actor(self) -> Actor:
        """Who they are (R25)."""
        return self.person.actor


async def as_guest(request: Request, backend: Served) -> Guest:
    """The visit, by whoever comes; a refusal later on finds the person in the request's state."""
    request.state.person = person = await session.find(backend, request)
    taste = taste_of(request, backend.settings)
    return Guest(request, backend, person, taste, await backend.now())


async def _signed_in(guest: Annotated[Guest, Depends(as_guest)]) -> Visit:
    """The visit. Raises SignInNeeded when nobody is signed in."""
    if guest.person is None:
        raise SignInNeeded
    return Visit(guest.request, guest.backend, guest.person, guest.taste, guest.now)


AnyGuest = Annotated[Guest, Depends(as_guest)]
Visitor = Annotated[Visit, Depends(_signed_in)]


class Constants(Extension):
    """Messages and icons that are named in a template become part of it when it is compiled.

    Each language has templates of its own.
    """

    @override
    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source with what never changes put in."""
        known: Any = self.environment.globals
        return _CONSTANT.sub(lambda found: known[found["of"]](found["name"]), source)


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Constants],
    )
    known: Any = environment.globals
    say = partial(_said, language)
    known |= {
        "_": say,
        "gettext": say,
        "icon": icon,
        "badge": partial(_badge, language),
        "labelled": partial(_labelled, language),
        "ngettext": partial(_counted, language),
        "word": word,
    }
    return environment


def _said(language: Language, message: str, **values: object) -> Markup:
    """A message in a template.

    Jinja's own function for it copies all that the template knows, whenever a loop calls it.
    """
    text = _message(language, message)
    return text % values if values else text


@cache
def _badge(language: Language, look: Look) -> Markup:
    """A value's icon and word in its colour."""
    label = _labelled(language, look)
    return Markup('<span class="badge-tone tone-{}">{}</span>').format(look.tone, label)


def _counted(language: Language, one: str, many: str, num: int, **values: object) -> Markup:
    text = Markup(translations(language).ngettext(one, many, num))  # noqa: S704 - a message of ours
    return text % {"num": num, **values}


@lru_cache(maxsize=4096)
def _message(language: Language, message: str) -> Markup:
    return Markup(translations(language).gettext(message))  # noqa: S704 - a message of ours


@cache
def _labelled(language: Language, look: Look) -> Markup:
    """A value's icon and word."""
    text = _message(language, look.word)
    return Markup("{} {}").format(icon(look.icon), text) if look.icon else text
