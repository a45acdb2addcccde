"""The icons of the pages: Bootstrap's, in one file that browsers keep and pages refer to."""

from functools import cache
from hashlib import sha256
from typing import Final
from xml.etree.ElementTree import Element, SubElement, parse, register_namespace, tostring

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from services.web.documentation import STATIC

_SVG: Final = "http://www.w3.org/2000/svg"
_PATH: Final = "/static/icons.svg"
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get(_PATH)
async def read() -> Response:
    """All icons. Pages name their digest in the address: what is there never changes."""
    return Response(_sprite(), media_type="image/svg+xml", headers={"Cache-Control": _FOR_A_YEAR})


@cache
def icon(name: str) -> Markup:
    """An icon in the size and colour of the text around it. KeyError when there is none."""
    if name not in _drawings():
        raise KeyError(name)
    return Markup(
        '<svg aria-hidden="true" focusable="false" width="16" height="16" fill="currentColor">'
        '<use href="{}?{}#{}"></use></svg>'
    ).format(_PATH, _digest(), name)


@cache
def _sprite() -> bytes:
    """A document with a symbol for each icon, by its name."""
    register_namespace("", _SVG)
    sprite = Element(f"{{{_SVG}}}svg")
    for name, drawing in _drawings().items():
        symbol = SubElement(sprite, f"{{{_SVG}}}symbol", id=name, viewBox=drawing.attrib["viewBox"])
        symbol.extend(drawing)
    return tostring(sprite)


@cache
def _digest() -> str:
    return sha256(_sprite()).hexdigest()[:16]


@cache
def _drawings() -> dict[str, Element]:
    files = sorted((STATIC / "bootstrap-icons").glob("*.svg"))
    return {file.stem: parse(file).getroot() for file in files}  # noqa: S314 - vendored files
