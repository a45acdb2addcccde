"""A real SMTP server in the test's own loop: with TLS, with a login, slow or refusing as told."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.clock import real_now
from tests.free_port import free_port

PATIENCE = 60.0
USER, PASSWORD = "cpor", "correct horse"


class Mail(NamedTuple):
    """A mail that the server has taken."""

    to: str
    sender: str
    source: bytes
    is_encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """What it says."""
        return message_from_bytes(self.source, EmailMessage, policy=default)

    @property
    def message_id(self) -> str:
        """What names it."""
        return str(self.message["Message-ID"])


async def _yes(_address: str) -> str:
    return "250 OK"


class MailServer:
    """An SMTP server; what it answers may be set while it runs, and it can come back."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the library's
        self.port = free_port()
        self.mails: list[Mail] = []
        self.asked = 0
        """How often somebody named a recipient."""
        self.to_recipient: Callable[[str], Awaitable[str]] = _yes
        """Answers who names a recipient."""
        self.to_mail: Callable[[str], Awaitable[str]] = _yes
        """Answers who has handed over a mail for a recipient: it is kept when that is 250."""
        self.in_hand = b""
        """The mail that somebody hands over."""
        self._options = {"enable_SMTPUTF8": True, **options}
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def message_ids(self) -> Counter[str]:
        """How often each mail has come."""
        return Counter(each.message_id for each in self.mails)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen; with `tls` it is TLS at once."""
        make = partial(SMTP, self, hostname="office", **self._options)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(make, "127.0.0.1", self.port, ssl=tls)

    async def stop(self) -> None:
        """Listen no more; who is in the middle of a mail may end it."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def until(self, number: int) -> list[Mail]:
        """Wait until so many mails have come; all of them."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.mails) >= number)
        return self.mails

    async def until_asked(self, times: int) -> None:
        """Wait until so many recipients were named."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: self.asked >= times)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Answer who names a recipient."""
        answer = await self.to_recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        async with self._news:
            self.asked += 1
            self._news.notify_all()
        return answer

    async def handle_DATA(  # noqa: N802 - the library's name
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Answer who hands over a mail."""
        (to,), source = envelope.rcpt_tos, envelope.original_content
        self.in_hand = source or b""
        answer = await self.to_mail(to)
        if answer.startswith("250") and source is not None:
            mail = Mail(to, envelope.mail_from or "", source, session.ssl is not None)
            async with self._news:
                self.mails.append(mail)
                self._news.notify_all()
        return answer


@asynccontextmanager
async def scripted(answers: Mapping[str, bytes]) -> AsyncGenerator[int]:
    """The port of a server that answers commands with these very bytes, and any other with 250.

    A mail's own lines are read up to its last one, `.`; what has no bytes ends the connection.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 office\r\n")
        is_mail = False
        async for read in reader:
            line = read.strip()
            is_mail = is_mail and line != b"."
            if is_mail:
                continue
            command = line.partition(b" ")[0].decode().upper()
            is_mail = command == "DATA"
            answer = answers.get(command, b"354 go on" if is_mail else b"250 OK")
            if not answer:
                break
            writer.write(answer + b"\r\n")
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serving(
    tls: ssl.SSLContext | None = None,
    **options: Any,  # noqa: ANN401 - the library's
) -> AsyncGenerator[MailServer]:
    """A server for the length of the block."""
    server = MailServer(**options)
    await server.start(tls)
    try:
        yield server
    finally:
        await server.stop()


def authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: LoginPassword
) -> AuthResult:
    """Let in who knows the password."""
    expected = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=given == expected, handled=False)


class Certificate(NamedTuple):
    """A certificate of an authority that nobody but the test knows."""

    server: ssl.SSLContext
    """For who shows it."""
    client: ssl.SSLContext
    """For who trusts it."""


def certificate(folder: Path, host: str = "127.0.0.1") -> Certificate:
    """A certificate for a host: an address, or a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = real_now()
    named = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(pem))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=str(file))
    return Certificate(server, client)
