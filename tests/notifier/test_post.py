"""The way to the mail server: TLS wherever it leads off this machine, and a login."""

import re
from collections.abc import AsyncGenerator
from email.message import EmailMessage
from pathlib import Path
from ssl import SSLContext

import pytest
import pytest_asyncio

from services.notifier.post import MailServer, Post, PostUnreachable, Refused
from tests.notifier.mail_server import (
    PASSWORD,
    USER,
    Certificate,
    authenticate,
    certificate,
    serving,
)
from tests.notifier.mail_server import MailServer as Office

ELSEWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there
"""An address that leads to this machine, though nobody can tell by its looks."""
SENDER, RECIPIENT = "cpor@cpor.example", "ayse@partner.example"


@pytest.fixture
def shown(tmp_path: Path) -> Certificate:
    """The certificate that the mail server shows."""
    return certificate(tmp_path)


@pytest_asyncio.fixture
async def guarded(shown: Certificate) -> AsyncGenerator[Office]:
    """A mail server that wants TLS and a login."""
    async with serving(
        tls_context=shown.server,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    ) as office:
        yield office


def mail(**headers: str) -> EmailMessage:
    """A mail with these headers."""
    message = EmailMessage()
    for name, value in ({"From": SENDER, "To": RECIPIENT, "Subject": "Hello"} | headers).items():
        message[name] = value
    message.set_content("What has happened.")
    return message


async def send(
    url: str, tls: SSLContext | None = None, *, message: EmailMessage | None = None, to: str = ""
) -> str:
    """Send a mail; what the server says."""
    post = Post(MailServer.at(url).session("cpor.example", tls))
    try:
        return await post.send(message or mail(), SENDER, to or RECIPIENT)
    finally:
        await post.rest()


@pytest.mark.parametrize(
    ("url", "port", "tls_at_once"),
    [
        ("smtp://mail.example", 587, False),
        ("smtp://cpor:x@mail.example:25", 25, False),
        ("smtps://mail.example", 465, True),
        ("smtps://mail.example:4650", 4650, True),
        ("smtp://[::1]:1025", 1025, False),
    ],
)
def test_the_ports_are_the_usual_ones(url: str, port: int, *, tls_at_once: bool) -> None:
    """Unless another one is named."""
    session = MailServer.at(url).session("cpor.example")

    assert session.port == port
    assert session.use_tls is tls_at_once


@pytest.mark.parametrize("login", ["", f"{USER}:secret@"])
async def test_off_this_machine_nothing_goes_without_tls(shown: Certificate, login: str) -> None:
    """Whoever takes STARTTLS out of the server's answer reads no mail and no password."""
    async with serving(authenticator=authenticate, auth_require_tls=False) as office:
        with pytest.raises(PostUnreachable, match="STARTTLS"):
            await send(f"smtp://{login}{ELSEWHERE}:{office.port}", shown.client)

    assert office.mails == []


async def test_tls_is_used_off_this_machine(tmp_path: Path) -> None:
    """With a server that offers it."""
    shown = certificate(tmp_path, ELSEWHERE)
    async with serving(tls_context=shown.server) as office:
        await send(f"smtp://{ELSEWHERE}:{office.port}", shown.client)

    (arrived,) = office.mails
    assert arrived.is_encrypted


async def test_starttls_and_a_login(guarded: Office, shown: Certificate) -> None:
    """The mail goes encrypted to who has shown the right certificate."""
    url = f"smtp://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{guarded.port}"

    words = await send(url, shown.client)

    assert words == "OK"
    (arrived,) = guarded.mails
    assert arrived.is_encrypted
    assert (arrived.sender, arrived.to) == (SENDER, RECIPIENT)
    assert arrived.message["Subject"] == "Hello"


async def test_a_wrong_password_blames_no_mail(guarded: Office, shown: Certificate) -> None:
    """Nothing is sent, and nothing parked: the settings are to be mended."""
    with pytest.raises(PostUnreachable, match=r"(?i)authentication"):
        await send(f"smtp://{USER}:wrong@127.0.0.1:{guarded.port}", shown.client)

    assert guarded.mails == []


async def test_no_login_where_one_is_wanted(guarded: Office, shown: Certificate) -> None:
    """The server's words say so."""
    with pytest.raises(PostUnreachable, match=r"(?i)authentication required"):
        await send(guarded.url, shown.client)

    assert guarded.mails == []


async def test_a_certificate_that_nobody_trusts_is_refused(guarded: Office) -> None:
    """Before any password is said."""
    with pytest.raises(PostUnreachable, match=r"(?i)certificate verify failed"):
        await send(f"smtp://{USER}:{PASSWORD}@127.0.0.1:{guarded.port}")

    assert guarded.mails == []


async def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    """Though it is trusted."""
    other = certificate(tmp_path, "elsewhere.example")
    async with serving(tls_context=other.server) as office:
        with pytest.raises(PostUnreachable, match=re.escape("127.0.0.1")):
            await send(office.url, other.client)

    assert office.mails == []


async def test_tls_at_once(shown: Certificate) -> None:
    """As `smtps://` says."""
    async with serving(shown.server) as office:
        await send(f"smtps://127.0.0.1:{office.port}", shown.client)
        with pytest.raises(PostUnreachable, match=r"(?i)certificate verify failed"):
            await send(f"smtps://127.0.0.1:{office.port}")

    assert len(office.mails) == 1


async def test_one_session_carries_many_mails(office: Office) -> None:
    """Also after one was refused, and after the server has gone and come back."""
    post = Post(MailServer.at(office.url).session("cpor.example"))

    async def picky(address: str) -> str:
        return "250 OK" if address == RECIPIENT else "553 5.1.8 not you"

    office.to_recipient = picky
    await post.send(mail(), SENDER, RECIPIENT)
    with pytest.raises(Refused, match=r"^553 5\.1\.8 not you$") as refused:
        await post.send(mail(), SENDER, "john@other.example")
    assert refused.value.for_good
    await post.send(mail(), SENDER, RECIPIENT)
    await post.rest()
    await post.send(mail(), SENDER, RECIPIENT)
    await post.rest()
    await post.rest()

    assert len(office.mails) == 3


async def test_too_large_a_mail_is_to_blame_itself() -> None:
    """The server says so when the sender is named, before it has seen the mail."""
    message = mail()
    message.set_content("many words\n" * 1_000)
    async with serving(data_size_limit=10_000) as small:
        with pytest.raises(Refused, match=r"^552 ") as refused:
            await send(small.url, message=message)

    assert refused.value.for_good


async def test_an_address_beyond_ascii(office: Office) -> None:
    """Where the server can take it, it goes as it is; where not, the mail is refused for good."""
    address = "zeynep.çelik@şirket.example"

    await send(office.url, message=mail(To=address), to=address)

    assert [arrived.to for arrived in office.mails] == [address]
    async with serving(enable_SMTPUTF8=False) as old:
        with pytest.raises(Refused) as refused:
            await send(old.url, message=mail(To=address), to=address)
    assert refused.value.for_good
    assert old.mails == []


async def test_nobody_there() -> None:
    """Neither at a port nor at a socket."""
    for url in ("smtp://127.0.0.1:1", "unix:/nonexistent/mailbox"):
        with pytest.raises(PostUnreachable):
            await send(url)
