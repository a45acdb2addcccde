"""The documents speak of what is there: files, settings, commands, decisions."""

import re
from pathlib import Path

import pytest

from services.cli.application import COMMANDS
from services.settings import CHECKOUT, PREFIX, Settings

DOCS = CHECKOUT / "docs"
PAGES = sorted([*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md"), *(CHECKOUT / "deploy").glob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def _name(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made for Markdown."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and a heading that is in it."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_exist(page: Path) -> None:
    """Every command of the command line that a page names is there."""
    named = re.findall(r"(?<![\w.-])cpor ([a-z][a-z-]+)\b", _code(page))

    assert set(named) <= COMMANDS.keys()


def test_every_command_is_explained() -> None:
    """The page of the command line names each command."""
    named = re.findall(r"(?<![\w.-])cpor ([a-z][a-z-]+)\b", _code(DOCS / "cli.md"))
    headed = re.findall(r"(?m)^### cpor (.+)$", (DOCS / "cli.md").read_text("utf-8"))

    assert {*named, *headed} == COMMANDS.keys()


def _code(page: Path) -> str:
    """What stands in code on a page: between backticks, and behind prompts."""
    text = page.read_text("utf-8")
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *re.findall(r"(?m)^\$ (.+)$", text)])


def test_every_setting_is_explained() -> None:
    """The table of the settings names each variable, and none that is not there."""
    text = (DOCS / "operations.md").read_text("utf-8")
    table = text.partition("\n## Settings\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(CPOR_[A-Z_]+)`", "\n".join(re.findall(r"(?m)^\|.*$", table))))
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}

    files = {
        f"{PREFIX}{name}_FILE"
        for name in ("DATABASE_URL", "NATS_URL", "OIDC_CLIENT_SECRET", "SMTP_URL")
    }
    assert named == known | files


def test_decisions_are_numbered_and_listed() -> None:
    """Decisions count from 1 without gaps; each has the three parts, and a line in the index."""
    index = (DOCS / "decisions" / "README.md").read_text("utf-8")

    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        title, *parts = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
        number, _, subject = title.partition(". ")
        assert number == str(int(page.name[:4]))
        assert parts == ["Context", "Decision", "Consequences"]
        assert f"| [{page.name[:4]}]({page.name}) | {subject} |" in index


def test_every_page_is_in_an_index() -> None:
    """Whatever is in `docs/` can be found from its first page."""
    index = (DOCS / "README.md").read_text("utf-8")

    for page in DOCS.iterdir():
        if page.name not in {"README.md", "images"}:
            name = f"{page.name}/" if page.is_dir() else page.name
            assert f"]({name})" in index, page.name
