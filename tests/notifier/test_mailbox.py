"""The development mailbox: what it has said yes to is kept."""

from collections.abc import AsyncGenerator
from email.message import EmailMessage
from pathlib import Path

import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from services.connection import Connection
from services.embedded.postgres import Postgres
from services.mailbox import KEPT, MOST_BYTES, Mailbox
from services.notifier.post import MailServer, Post, Refused
from services.settings import Settings
from tests.notifier.rig import rows, to_mail
from tests.service import running

SENDER, RECIPIENT = "cpor@cpor.example", "ayse@partner.example"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a mailbox on a socket of the test's own."""
    return to_mail(f"unix:{tmp_path / 'mailbox'}", database_url)


@pytest_asyncio.fixture
async def post(settings: Settings) -> AsyncGenerator[Post]:
    """The way there."""
    post = Post(MailServer.at(settings.smtp_url).session("cpor.example"))
    yield post
    await post.rest()


def mail(text: str = "What has happened.", to: str = RECIPIENT) -> EmailMessage:
    """A mail."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, to, "Hello"
    message.set_content(text)
    return message


async def kept(database: AsyncConnection) -> list[tuple[list[str], bytes]]:
    """Whom the mails that are kept are for, and how they came."""
    found = await rows(database, "SELECT recipients, message FROM cpor.mailbox ORDER BY mail_id")
    return [(recipients, bytes(message)) for recipients, message in found]


async def test_a_mail_is_kept_as_it_came(
    settings: Settings, post: Post, database: AsyncConnection
) -> None:
    """Byte for byte, dots at the beginning of lines included."""
    message = mail("one\n.two\n..three\n")
    async with running(Mailbox(settings), settings, Connection()):
        assert await post.send(message, SENDER, RECIPIENT) == "Kept"

    ((recipients, source),) = await kept(database)
    assert recipients == [RECIPIENT]
    assert source.endswith(b"\r\n\r\none\r\n.two\r\n..three\r\n")


async def test_a_restart_keeps_the_mails(
    settings: Settings, post: Post, database: AsyncConnection
) -> None:
    """The next run listens on the same socket, though the last one left it behind."""
    for number in range(3):
        async with running(Mailbox(settings), settings, Connection()):
            await post.send(mail(f"number {number}"), SENDER, RECIPIENT)
            await post.rest()
        assert len(await kept(database)) == number + 1


async def test_while_the_database_is_away_nothing_is_accepted(
    settings: Settings,
    post: Post,
    database: AsyncConnection,
    database_url: str,
    migrated_server: Postgres,
) -> None:
    """Whoever sends is told to come again; then it is kept."""
    name = Identifier(database.info.dbname)
    async with (
        await AsyncConnection.connect(migrated_server.url, autocommit=True) as owner,
        running(Mailbox(settings), settings, Connection()),
    ):
        await post.send(mail("first"), SENDER, RECIPIENT)
        await owner.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database.info.dbname],
        )
        for _ in range(2):  # over a connection that has broken, and without one
            with pytest.raises(Refused, match=r"^451 ") as refused:
                await post.send(mail("second"), SENDER, RECIPIENT)
            assert not refused.value.for_good
        await owner.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        await post.send(mail("third"), SENDER, RECIPIENT)

    async with await AsyncConnection.connect(database_url) as again:
        texts = [source.rpartition(b"\r\n\r\n")[2] for _, source in await kept(again)]
    assert texts == [b"first\r\n", b"third\r\n"]


async def test_the_last_ones_are_kept(
    settings: Settings, post: Post, database: AsyncConnection
) -> None:
    """A new one takes the place of the oldest."""
    await database.execute(
        "INSERT INTO cpor.mailbox (received_at, recipients, message)"
        " SELECT now(), '{}', 'old' FROM generate_series(1, %s)",
        [KEPT + 10],
    )
    async with running(Mailbox(settings), settings, Connection()):
        await post.send(mail("new"), SENDER, RECIPIENT)

    mails = await kept(database)
    assert len(mails) == KEPT
    assert mails[-1][0] == [RECIPIENT]


async def test_too_large_a_mail_is_refused_for_good(
    settings: Settings, post: Post, database: AsyncConnection
) -> None:
    """And the session goes on."""
    async with running(Mailbox(settings), settings, Connection()):
        with pytest.raises(Refused, match=r"^552 ") as refused:
            await post.send(mail("many words\n" * (MOST_BYTES // 10)), SENDER, RECIPIENT)
        assert refused.value.for_good
        await post.send(mail(), SENDER, RECIPIENT)

    assert len(await kept(database)) == 1


async def test_an_address_beyond_ascii(
    settings: Settings, post: Post, database: AsyncConnection
) -> None:
    """As SMTPUTF8 has it."""
    address = "zeynep.çelik@şirket.example"
    async with running(Mailbox(settings), settings, Connection()):
        await post.send(mail(to=address), SENDER, address)

    ((recipients, source),) = await kept(database)
    assert recipients == [address]
    assert address.encode() in source
