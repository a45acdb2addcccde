"""What people are told, word by word."""

import re
from email import message_from_bytes
from html import unescape
from typing import Final

import pytest

from domain.notice import Kind, Recipient
from services.language.translation import Language
from tests.notifier.letters import (
    CLAIM,
    CONSENT,
    DIGEST,
    GOLDEN,
    PUBLIC,
    TOKEN,
    TOLD,
    goldens,
    letter_of,
    mail_of,
    part,
)

pytestmark = pytest.mark.rule("R26")

_WIDEST: Final = 78
_HIDDEN: Final = re.compile(r"\b(deniz|selin)\b", re.IGNORECASE)
"""The reviewers of the examples."""


def test_every_mail_is_as_it_was_looked_at() -> None:
    """If that was meant: `python -m tests.notifier.letters` writes the files anew."""
    written = dict(goldens())

    assert {file: file.read_text("utf-8") for file in GOLDEN.iterdir()} == written


def test_every_kind_has_an_example() -> None:
    """Whoever adds a kind of notice shows what it looks like."""
    assert {told.kind for told in TOLD.values()} == set(Kind)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", [*TOLD, DIGEST])
def test_a_mail_is_well_formed(name: str, language: Language) -> None:
    """Its lines are short but for links, and text and HTML have the same links."""
    message = mail_of(*letter_of(name, language), language)
    text, html = part(message, "plain"), part(message, "html")

    assert message["Content-Language"] == language
    for lines in (text, message.as_bytes().decode("ascii")):
        assert all(len(line) <= _WIDEST for line in lines.splitlines() if "https://" not in line)
    links = set(re.findall(r"https://\S+", text))
    assert links == set(re.findall(r'href="([^"]+)"', html))
    assert links <= {CLAIM, CONSENT, f"{TOKEN}?language={language}", f"{PUBLIC}/queue"}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", [*TOLD, DIGEST])
def test_an_inbox_shows_what_to_do(name: str, language: Language) -> None:
    """First beside the subject."""
    kind, letter = letter_of(name, language)
    html = part(mail_of(kind, letter, language), "html")

    found = re.search(r"<body[^>]*>\s*<div [^>]*display: none;[^>]*>([^<]*)</div>", html)
    assert found
    assert unescape(found.group(1)) == (letter.do or letter.said)[0]


@pytest.mark.parametrize("name", [*TOLD, DIGEST])
def test_outlook_can_lay_it_out(name: str) -> None:
    """On desktops it knows neither `max-width` nor padding of links: tables do that for it."""
    html = part(mail_of(*letter_of(name, Language.ENGLISH), Language.ENGLISH), "html")

    before, begin, mail, end, after = re.split(r"<!--\[if mso\]>(.*?)<!\[endif\]-->", html)
    assert re.fullmatch(r'<table [^>]*width="600" align="center"[^>]*><tr><td>', begin)
    assert end == "</td></tr></table>"
    assert mail.count('<table class="') == html.count('<table class="') - 1
    assert mail.count("<table") == mail.count("</table>")
    for table in re.findall(r"<table[^>]*>", html):
        assert all(f' {each}="0"' in table for each in ("cellpadding", "cellspacing", "border"))
    for cell in re.findall(r"<t[dh] [^>]*>", before + mail + after):
        assert "font-family: 'Segoe UI'" in cell
    assert "mso-padding-alt: 11px 20px" in html


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", [*TOLD, DIGEST])
@pytest.mark.rule("R25")
def test_reviewers_have_no_name_in_mails(name: str, language: Language) -> None:
    """Nobody outside learns who they are."""
    kind, _ = letter_of(name, language)
    message = mail_of(*letter_of(name, language), language)

    if kind.recipient is not Recipient.REVIEWERS:
        assert not _HIDDEN.search(part(message, "plain") + part(message, "html"))


@pytest.mark.parametrize("language", Language)
def test_the_customers_link_is_in_no_other_mail(language: Language) -> None:
    """Whoever has it may decline (R8)."""
    for name, told in TOLD.items():
        message = mail_of(*letter_of(name, language), language)

        is_there = CONSENT in part(message, "plain")
        assert is_there == (told.kind.recipient is Recipient.CUSTOMER)


def test_reminders_can_be_switched_off_by_programs() -> None:
    """As RFC 8058 has it; the link stands on one line, as it is."""
    reminder = mail_of(*letter_of("response_reminder", Language.ENGLISH), Language.ENGLISH)
    decision = mail_of(*letter_of("rejected", Language.ENGLISH), Language.ENGLISH)

    received = message_from_bytes(reminder.as_bytes())
    assert received["List-Unsubscribe"] == f"<{TOKEN}/unsubscribe>"
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "List-Unsubscribe" not in decision
