"""`cpor mails`, as an operator uses it: on the database, whether or not the notifier runs."""

import json
from typing import Final

import pytest
from psycopg import AsyncConnection

from services.notifier import oversight
from services.notifier.mail_key import mail_key
from services.notifier.outbox import mail_name
from services.notifier.oversight import Notice
from services.notifier.worker import Notifier
from tests.cli import run
from tests.notifier.rig import hear, of, pending

pytestmark = pytest.mark.rule("R26")

PARKED: Final = "UPDATE cpor.notices SET state = 'parked', words = '550 no such user'"


async def notices(database: AsyncConnection, state: str) -> list[Notice]:
    """The notices in a state, the last one first."""
    return list(await oversight.notices(database, state, limit=10))


async def test_an_operator_has_mails_sent_again(
    database: AsyncConnection, database_url: str, notifier: Notifier
) -> None:
    """What was parked is listed with its words; one is sent again, then all; none twice."""
    variables = {"CPOR_DATABASE_URL": database_url}
    await hear(database, notifier, of(1, *pending()))
    await database.execute(PARKED)
    first, *others = await notices(database, "parked")

    listed = await run(variables, "mails", "list")
    as_json = await run(variables, "mails", "list", "--json", "--limit", "1")
    one = await run(variables, "mails", "resend", str(first.notice_id))
    again = await run(variables, "mails", "resend", str(first.notice_id))
    everything = await run(variables, "mails", "resend", "--all", "--json")
    empty = await run(variables, "mails", "list")

    assert listed.code == 0
    assert "550 no such user" in listed.out
    (described,) = json.loads(as_json.out)
    assert described["notice_id"] == first.notice_id
    assert described["claim_id"] == str(first.claim_id)
    assert (one.code, one.out) == (0, "1 to be sent again.\n")
    assert (again.code, again.err) == (1, f"Mail {first.notice_id} is not parked.\n")
    assert json.loads(everything.out) == {"waiting": len(others)}
    assert empty.out == "No mail is parked.\n"
    assert len(await notices(database, "waiting")) == 1 + len(others)


@pytest.mark.parametrize("arguments", [(), ("1", "--all")])
async def test_which_mail_must_be_said(database_url: str, arguments: tuple[str, ...]) -> None:
    """One, or all of them."""
    ended = await run({"CPOR_DATABASE_URL": database_url}, "mails", "resend", *arguments)

    assert ended.code == 2
    assert "name one mail, or give --all" in ended.err


async def test_a_mail_that_came_back_is_parked(
    database: AsyncConnection, database_url: str, notifier: Notifier
) -> None:
    """By its Message-ID; one that was not sent, or was made up, is none."""
    variables = {"CPOR_DATABASE_URL": database_url}
    await hear(database, notifier, of(1, *pending()))
    (notice, *_) = await notices(database, "waiting")
    key = await mail_key(database)
    name = f"<{mail_name(key, notice.notice_id, notice.told)}@cpor.example>"

    unsent = await run(variables, "mails", "bounced", name)
    await database.execute("UPDATE cpor.notices SET state = 'sent', ended_at = now()")
    made_up = await run(variables, "mails", "bounced", f"<{notice.notice_id}.0@cpor.example>")
    bounced = await run(variables, "mails", "bounced", name, "--words", "550 gone")

    for ended in (unsent, made_up):
        assert ended.code == 1
        assert ended.err.endswith(" is no mail that was sent.\n")
    assert bounced.out == f"Mail {notice.notice_id} is parked: 550 gone\n"
    assert [each.words for each in await notices(database, "parked")] == ["bounced: 550 gone"]
