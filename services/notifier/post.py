"""The way to the mail server: one SMTP session, opened when there is something to send."""

import asyncio
import ssl
from email.message import EmailMessage
from typing import Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP

from services.notifier.discretion import discreet
from services.settings import is_loopback

TIMEOUT: Final = 30.0
"""Seconds that the server may take to let us in."""
PATIENCE: Final = 600.0
"""Seconds that it may take over a mail: whoever gives up early sends it twice (RFC 5321)."""
_PERMANENT: Final = 500
"""SMTP codes from here on are refusals for good."""
_TOO_LARGE: Final = 552
"""Answers who names a sender, and is about the mail: the size is said there (RFC 1870)."""
_PORTS: Final = {"smtp": 587, "smtps": 465}


class PostUnreachable(Exception):  # noqa: N818 - the reason, for whoever waits for mails
    """There is no mail server to speak to, or it lets us do nothing: no mail is to blame."""


class Refused(Exception):  # noqa: N818 - what the server said, not what went wrong here
    """The server has refused a mail; the text is its words."""

    def __init__(self, words: str, *, for_good: bool, for_recipient: bool = False) -> None:
        super().__init__(words)
        self.for_good = for_good
        self.for_recipient = for_recipient
        """Whether that is for whom it is for, whatever it says."""


class Unanswered(Exception):  # noqa: N818 - what the server did, not what went wrong here
    """The server broke off over a mail, or said nothing: nobody knows whether it has taken it."""


class MailServer(NamedTuple):
    """Where mails go, as CPOR_SMTP_URL says it.

    To a host that is not this machine nothing is sent without TLS: `smtp://` begins it by STARTTLS
    (port 587), `smtps://` at once (465). `unix:/path` is a socket, as the embedded mailbox has it.
    """

    host: str = ""
    port: int = 0
    socket: str = ""
    user: str = ""
    password: str = ""
    tls_at_once: bool = False

    @classmethod
    def at(cls, url: str) -> Self:
        """The server of a URL that the settings have accepted."""
        if url.startswith("unix:"):
            return cls(socket=url.removeprefix("unix:"))
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls_at_once=parts.scheme == "smtps",
        )

    def session(self, local_hostname: str, tls: ssl.SSLContext | None = None) -> SMTP:
        """A session that is yet to be opened; `tls` in place of what the machine trusts."""
        if self.socket:
            return SMTP(
                socket_path=self.socket,
                local_hostname=local_hostname,
                start_tls=False,
                timeout=TIMEOUT,
            )
        # On this machine TLS is used when it is offered, elsewhere it must be.
        start_tls = False if self.tls_at_once else None if is_loopback(self.host) else True
        return SMTP(
            hostname=self.host,
            port=self.port,
            local_hostname=local_hostname,
            use_tls=self.tls_at_once,
            start_tls=start_tls,
            username=self.user or None,
            password=self.password or None,
            tls_context=tls,
            timeout=TIMEOUT,
        )


class Post:
    """Sends mails one after the other over one session, which it opens again when it was lost."""

    def __init__(self, session: SMTP) -> None:
        self._session = session

    async def send(self, mail: EmailMessage, sender: str, recipient: str) -> str:
        """Hand a mail over; the server's words, once it has taken it.

        Raises Refused with its words when it did not, Unanswered when it did not say, and
        PostUnreachable when there was nobody to hand it to.
        """
        await self._open()
        try:
            async with asyncio.timeout(PATIENCE):
                _, words = await self._session.send_message(
                    mail, sender=sender, recipients=[recipient], timeout=None
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0], recipient, for_recipient=True) from error
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error, recipient) from error
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:  # an address that it can't take
            raise Refused(_words(error, recipient), for_good=True) from error
        except aiosmtplib.SMTPSenderRefused as error:
            if error.code == _TOO_LARGE:
                raise _refused(error, recipient) from error
            self._session.close()
            raise PostUnreachable(_words(error, recipient)) from error
        except TimeoutError as error:
            self._session.close()
            raise Unanswered(f"none within {PATIENCE:g} seconds") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            self._session.close()
            raise Unanswered(_words(error, recipient)) from error
        except asyncio.CancelledError:
            self._session.close()  # the server may still be busy with the mail
            raise
        return discreet(words, recipient)

    async def rest(self) -> None:
        """Take leave of the server until there is something to send again."""
        if not self._session.is_connected:
            return
        try:
            await self._session.quit()
        except (aiosmtplib.SMTPException, OSError):  # it has left already
            self._session.close()

    async def _open(self) -> None:
        if self._session.is_connected:
            return
        try:
            await self._session.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._session.close()
            raise PostUnreachable(_words(error)) from error


def _refused(
    error: aiosmtplib.SMTPResponseException, recipient: str, *, for_recipient: bool = False
) -> Refused:
    words = f"{error.code} {discreet(error.message, recipient)}"
    return Refused(words, for_good=error.code >= _PERMANENT, for_recipient=for_recipient)


def _words(error: Exception, recipient: str = "") -> str:
    return discreet(str(error), recipient) or type(error).__name__
