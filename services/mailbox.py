"""The development mailbox: a real SMTP server on a socket in the data directory.

It takes every mail, sends none on, and keeps the last of them where `/dev/mail` shows them. What it
has said yes to is in the database.
"""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.clock import real_now
from services.health import State
from services.notifier.post import MailServer
from services.runtime import Context
from services.settings import Settings

KEPT: Final = 1000
"""Mails that are kept, the last ones."""
MOST_BYTES: Final = 1024 * 1024
"""What a mail may weigh."""
PATIENCE: Final = 5.0
"""Seconds to wait for the database: less than whoever sends a mail waits for an answer."""

_KEEP: Final = """
WITH kept AS (
    INSERT INTO cpor.mailbox (received_at, recipients, message) VALUES (%s, %s, %s)
    RETURNING mail_id
)
DELETE FROM cpor.mailbox USING kept WHERE mailbox.mail_id <= kept.mail_id - %s
"""

_log = structlog.get_logger(__name__)


class Mailbox:
    """Catches mails."""

    name = "mailbox"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._socket = Path(MailServer.at(settings.smtp_url).socket)

    async def run(self, context: Context) -> None:
        """Take mails until told to stop."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # a line for each word of SMTP
        async with AsyncConnectionPool[AsyncConnection](
            self._settings.database_url,
            min_size=0,
            max_size=2,
            open=False,
            name="mailbox",
            timeout=PATIENCE,
        ) as pool:
            make = partial(
                SMTP,
                _Catcher(pool),
                data_size_limit=MOST_BYTES,
                enable_SMTPUTF8=True,
                hostname="cpor-mailbox",
            )
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(make, self._socket)  # in place of an old one
            async with server:
                context.report(State.RUNNING, "")
                await context.stopping.wait()


class _Catcher:
    """What the SMTP server does with a mail; the method's name is the library's."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def handle_DATA(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail; the answer."""
        mail = [real_now(), envelope.rcpt_tos, envelope.original_content, KEPT]
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_KEEP, mail)
        except (PoolTimeout, Error) as error:
            _log.warning("mail_not_kept", error=repr(error))
            return "451 The database can't be reached; try again later"
        return "250 Kept"


def service(settings: Settings) -> Mailbox:
    """The mailbox, as the service runner takes it."""
    return Mailbox(settings)
