"""What people write into a claim stays text in the mails about it."""

import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from html.parser import HTMLParser
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.notice import Kind
from services.language.translation import Language
from services.notifier import header
from services.notifier.letter import Case, Letter, Person, digest, letter
from tests.notifier.letters import (
    AYSE,
    CLAIM,
    CONSENT,
    PUBLIC,
    TOKEN,
    TOLD,
    case_of,
    letter_of,
    mail_of,
    part,
    tongue_of,
)

RLO: Final = "\u202e"
"""Turns the direction of writing."""
HOSTILE: Final = {
    "script": '"><script>alert(1)</script>',
    "attribute": "' onmouseover='alert(1)",
    "header": "x\r\nBcc: x@y.example",
    "encoded": "=?utf-8?q?x=0D=0ABcc:_x@y.example?=",
    "encoded long": "=?utf-8?q?x=0D=0ABcc:_x@y.example?= " + "x" * 260,
    "addresses": '"Evil" <x@y.example>, z@y.example; ' + "long " * 40,
    "turned": f"abc{RLO}gpj.exe",
    "separators": "a\u2028b\u2029c\x85d",
    "emoji": "👩‍👩‍👧 🏳️‍🌈" * 40,
    "long": "x" * 300,
    "template": "{{7*7}}{% raw %}",
    "percent": "%(x)s %s %d %",
    "quoted": 'A\\"B\\',
}
KEYS: Final = {
    *("Message-ID", "Date", "From", "To", "Subject", "Content-Language", "Auto-Submitted"),
    *("MIME-Version", "Content-Type", "List-Unsubscribe", "List-Unsubscribe-Post"),
}
TITLE: Final = 130
"""Letters of a subject, at most."""


class Tags(HTMLParser):
    """The tags, attributes and comments of a document, in their order, and its text.

    But for breaks in somebody's words, which have as many lines as they like.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self._is_quoted = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        if tag == "table":
            self._is_quoted = ("class", "quote") in attrs
        if not (tag == "br" and self._is_quoted):
            self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Note where words end."""
        if tag == "table":
            self._is_quoted = False

    def handle_comment(self, data: str) -> None:
        """Note a comment, whole: some programs read tags in it."""
        self.tags.append((data, ()))

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def with_words(case: Case, words: str) -> Case:
    """The same, but with these words wherever people write."""
    row = replace(case.row, name=words, customer_name=words, customer_domain=words)
    row = replace(row, org=words, mpn_id=words)
    written = ("comment", "note", "reason", "justification")
    changed = {field: words for field in written if hasattr(case.fact, field)}
    contact = case.partner_contact and Person(words, AYSE.address)
    fact = case.fact.model_copy(update=changed)
    return replace(case, row=row, fact=fact, partner_contact=contact)


def examine(message: EmailMessage, usual: EmailMessage, to: Person) -> None:
    """It is made as the usual one is, and addressed to this one recipient."""
    received = message_from_bytes(message.as_bytes())
    assert set(received.keys()) <= KEYS
    assert received.keys() == message_from_bytes(usual.as_bytes()).keys()
    assert all(len(line) <= 78 for line in _head(message) if "<" not in line)
    subject = str(make_header(decode_header(received["Subject"])))
    assert len(subject) <= TITLE
    assert "\n" not in subject
    assert RLO not in subject
    ((name, address),) = getaddresses([received["To"]])
    assert address == to.address
    assert str(make_header(decode_header(name))) == header.one_line(to.name)
    html, plain = part(message, "html"), part(message, "plain")
    assert Tags(html).tags == Tags(part(usual, "html")).tags
    assert RLO not in html + plain
    links = set(re.findall(r'href="([^"]+)"', html))
    assert links <= {
        CLAIM,
        CONSENT,
        f"{TOKEN}?language={message['Content-Language']}",
        f"{PUBLIC}/queue",
    }


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", Kind)
def test_hostile_words_change_nothing_but_words(kind: Kind, words: str) -> None:
    """Neither headers nor tags come from them."""
    language = Language.ENGLISH
    case = case_of(TOLD[kind])
    to = Person(words, AYSE.address)

    written = letter(with_words(case, words), tongue_of(language))

    usual = letter(with_words(case, "Usual"), tongue_of(language))
    examine(
        mail_of(case.kind, written, language, to), mail_of(case.kind, usual, language, AYSE), to
    )


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_hostile_words_in_a_digest(words: str) -> None:
    """One claim's name says nothing about another's."""
    cases = [case_of(TOLD[name]) for name in ("new_work", "target_soon")]
    hostile = digest(
        [with_words(case, words) for case in cases], tongue_of(Language.ENGLISH), f"{PUBLIC}/queue"
    )
    usual = digest(cases, tongue_of(Language.ENGLISH), f"{PUBLIC}/queue")

    kind = cases[0].kind
    to = Person("", AYSE.address)
    examine(
        mail_of(kind, hostile, Language.ENGLISH, to),
        mail_of(kind, usual, Language.ENGLISH, to),
        to,
    )


@pytest.mark.parametrize("name", [each for each in HOSTILE.values() if each.isprintable()])
@pytest.mark.parametrize("language", Language)
def test_the_programme_is_called_what_it_likes(name: str, language: Language) -> None:
    """Whatever the setting takes is a name, of the sender and within the mail."""
    kind, written = letter_of("rejected", language)

    message = mail_of(kind, written, language, AYSE, programme=name)

    examine(message, mail_of(kind, written, language, AYSE), AYSE)
    ((whose, address),) = getaddresses([message_from_bytes(message.as_bytes())["From"]])
    assert address == "cpor@claims.example"
    assert str(make_header(decode_header(whose))) == header.one_line(name)
    assert header.one_line(name) in header.one_line(Tags(part(message, "html")).text)
    assert part(message, "plain").endswith(f"\n{name}\n")


@given(words=st.text(min_size=1, max_size=300))
def test_no_words_break_a_mail(words: str) -> None:
    """Whatever Unicode has."""
    case = with_words(case_of(TOLD["consent_notice"]), f"a{words}")
    usual = with_words(case_of(TOLD["consent_notice"]), "Usual")
    tongue, to = tongue_of(Language.TURKISH), Person(f"a{words}", AYSE.address)

    message = mail_of(case.kind, letter(case, tongue), Language.TURKISH, to)

    examine(message, mail_of(case.kind, letter(usual, tongue), Language.TURKISH, AYSE), to)


def test_a_comment_keeps_its_lines() -> None:
    """And each is marked as somebody else's in plain text, whatever it looks like.

    In HTML by breaks, which every program shows.
    """
    comment = "Hello\n\n-- \nFrom: x@y.example\u2028Subject: forged"
    case = case_of(TOLD["action_required"])
    fact = case.fact.model_copy(update={"comment": comment})

    message = mail_of(
        case.kind, letter(replace(case, fact=fact), tongue_of(Language.ENGLISH)), Language.ENGLISH
    )

    text = part(message, "plain")
    assert "> Hello\n>\n> --\n> From: x@y.example\n> Subject: forged\n" in text
    lines = re.split(r"<br>\s*", part(message, "html"))
    assert {"--", "From: x@y.example"} <= set(lines)


def test_a_reviewers_tag_is_text() -> None:
    """It is read as it was written."""
    case = case_of(TOLD["rejected"])
    fact = case.fact.model_copy(update={"note": "<b>No</b> & never %(due)s {{ due }}"})
    written: Letter = letter(replace(case, fact=fact), tongue_of(Language.ENGLISH))

    message = mail_of(case.kind, written, Language.ENGLISH)

    assert "<b>No</b> & never %(due)s {{ due }}" in Tags(part(message, "html")).text
    assert "> <b>No</b> & never %(due)s {{ due }}" in part(message, "plain")


def test_umlauts_are_right_in_headers() -> None:
    """Turkish ones, and who is told (RFC 2047)."""
    message = mail_of(*letter_of("consent_notice", Language.TURKISH), Language.TURKISH)
    received = message_from_bytes(message.as_bytes())

    said = {name: str(make_header(decode_header(received[name]))) for name in ("From", "To")}

    assert said == {
        "From": "İş ortağı ilişkilendirmeleri <cpor@claims.example>",
        "To": "Jürgen Öztürk <it@contoso.example>",
    }


def _head(message: EmailMessage) -> list[str]:
    head, _, _ = message.as_bytes().partition(b"\r\n\r\n")
    return head.decode("ascii").split("\r\n")
