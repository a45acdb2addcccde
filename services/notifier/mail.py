"""A letter as a mail: HTML with its style in place, plain text beside it, and headers.

What people have written comes into it everywhere: names in headers, words in HTML. Nothing of that
may be more than text there.
"""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import Final, NamedTuple

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from services.notifier import header
from services.notifier.letter import Letter, Person, Tongue

_TEMPLATES: Final = Path(__file__).parent / "template"
_INLINER: Final = CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
"""What depends on the device, such as the dark theme, stays in the mail's head."""
_COLUMNS: Final = 76
"""Of plain text; links are not broken."""


class Envelope(NamedTuple):
    """What a mail says of itself, besides its words."""

    message_id: str
    sender: str
    programme: str
    """What it calls itself; empty: the usual name, in the recipient's language."""
    to: Person
    date: datetime
    preferences: str
    """Where the recipient may make the letter's choices."""
    one_click: str
    """Where programs switch off what their reader may switch off (RFC 8058); else empty."""


def mail(letter: Letter, tongue: Tongue, envelope: Envelope) -> EmailMessage:
    """The mail, as it is handed to the server."""
    brand = envelope.programme or tongue.say("Partner associations")
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = envelope.message_id
    message["Date"] = format_datetime(envelope.date)
    message["From"] = header.mailbox("From", brand, envelope.sender)
    message["To"] = header.mailbox("To", envelope.to.name, envelope.to.address)
    message["Subject"] = header.words("Subject", letter.subject)
    message["Auto-Submitted"] = "auto-generated"
    if envelope.one_click:
        message["List-Unsubscribe"] = header.link("List-Unsubscribe", envelope.one_click)
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    said = {
        "letter": letter,
        "language": tongue.language.value,
        "brand": brand,
        "preferences": envelope.preferences,
        "address_text": tongue.say(
            "If the button does not work, copy this address into your browser:"
        ),
    }
    message.set_content(_template("mail.txt").render(said), cte="quoted-printable")
    html = _INLINER.inline(_template("mail.html").render(said))
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    # Of both parts; setting one of them drops what is said of contents before.
    message["Content-Language"] = tongue.language.value
    return message


def _wrapped(text: str, first: str = "", others: str = "") -> str:
    """A paragraph in lines, and what its first line and the others begin with."""
    return fill(
        text,
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["wrapped"] = _wrapped
    return environment.get_template(name)
