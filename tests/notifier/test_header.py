"""Headers hold what people have written as text, and nothing else."""

from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses

import pytest

from services.notifier import header

ENCODED = "=?utf-8?q?x=0D=0ABcc:_x@y.example?="
"""An encoded word that holds a header of its own."""


def received(written: header.WrittenHeader) -> str:
    """As whoever gets the mail has it, before it is decoded; its lines are short."""
    message = EmailMessage(policy=SMTP)
    message[written.name] = written
    lines = message.as_bytes().partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 78 for line in lines)
    (value,) = message_from_bytes(b"\r\n".join([*lines, b"", b""])).values()
    return str(value)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Approved: Contoso", "Approved: Contoso"),
        ("Onaylandı: Şişli", "Onaylandı: Şişli"),
        ("a\r\nBcc: x@y.example", "a Bcc: x@y.example"),
        ("a\u2028b\x85c\td", "a b c d"),
        ("a\u202eb\u200b\ufeffc\xadd\ud800", "abcd"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        (ENCODED, ENCODED),
        (f"{ENCODED} {'x' * 300}", f"{ENCODED} {'x' * 300}"),
        ("x" * 300, "x" * 300),
        ("ş" * 300, "ş" * 300),
    ],
)
def test_a_subject_is_one_line_of_what_can_be_seen(text: str, read: str) -> None:
    """Encoded where it must be, and decoded to what it was."""
    value = received(header.words("Subject", text))

    assert str(make_header(decode_header(value))) == read


@pytest.mark.parametrize(
    "name",
    [
        "Ayşe Yılmaz",
        "O'Neil",
        'Dr. "Evil" <x@y.example>, z@y.example',
        f'"Evil" <x@y.example>, z@y.example; {"long " * 40}'.rstrip(),
        "A\\B, C",
        ENCODED,
        f"{ENCODED} {'x' * 260}",
        "x" * 300,
        "👩" * 100,
    ],
)
def test_a_name_is_no_address(name: str) -> None:
    """Whatever it holds, there is one address, and it is the recipient's."""
    value = received(header.mailbox("To", name, "ayse@anadolu.example"))

    ((read, address),) = getaddresses([value])
    assert str(make_header(decode_header(read))) == name
    assert address == "ayse@anadolu.example"


def test_who_has_no_name_has_an_address() -> None:
    """As the reviewers together."""
    assert received(header.mailbox("To", "\u200b", "r@x.example")) == "<r@x.example>"


def test_a_long_address_stands_on_a_line_of_its_own() -> None:
    """Behind the name."""
    address = f"{'a' * 50}@anadolu.example"

    assert received(header.mailbox("To", "Ayse Yilmaz", address)) == f"Ayse Yilmaz\r\n <{address}>"


def test_a_link_is_not_encoded() -> None:
    """Programs look for it as it is (RFC 8058), however long it is."""
    link = f"https://x.example/{'a' * 100}"
    message = EmailMessage(policy=SMTP)
    message["List-Unsubscribe"] = header.link("List-Unsubscribe", link)

    assert message.as_bytes() == f"List-Unsubscribe: <{link}>\r\n\r\n".encode()
