"""The icons: one file with all of them, which browsers keep."""

import re
from xml.etree import ElementTree as ET

import httpx
import pytest

from services.web.documentation import STATIC
from services.web.page.icon import icon

NAMES = {file.stem for file in (STATIC / "bootstrap-icons").glob("*.svg")}


async def test_an_icon_is_where_the_page_says(alone: httpx.AsyncClient) -> None:
    """And may be kept: another file has another address."""
    found = re.search(r'<use href="([^"#]+)#send">', icon("send"))
    assert found
    response = await alone.get(found[1])

    assert response.headers["content-type"] == "image/svg+xml"
    assert "immutable" in response.headers["cache-control"]
    sprite = ET.fromstring(response.content)  # noqa: S314 - ours
    assert {symbol.attrib["id"] for symbol in sprite} == NAMES
    assert all(symbol.attrib["viewBox"] == "0 0 16 16" and len(symbol) for symbol in sprite)


def test_an_icon_that_is_not_there_is_a_mistake() -> None:
    """A page that names it can't be made."""
    with pytest.raises(KeyError):
        icon("no-such-icon")
