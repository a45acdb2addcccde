"""The courier and a real mail server: sent once, later, or parked with the server's words."""

import asyncio
import re
from datetime import timedelta
from itertools import count
from typing import Final
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from services import consent_token
from services.clock import real_now
from services.consent_key import known_keys
from services.health import State
from services.notifier import preference
from services.notifier.courier import GIVE_UP, LONGEST_AGAIN, Courier
from services.notifier.mail_key import mail_key
from services.notifier.preference import Preference
from services.notifier.worker import Notifier
from services.settings import Settings
from tests.domain import examples as ex
from tests.notifier.mail_server import Mail, MailServer
from tests.notifier.rig import (
    CUSTOMER,
    PARTNER,
    REVIEWERS,
    all_ended,
    hasten,
    hear,
    of,
    outbox,
    pending,
    rows,
    sending,
    until_reported,
    until_well,
    waits,
)
from tests.service import Reports

pytestmark = pytest.mark.rule("R26")

_PARTNER_SENT: Final = """
SELECT FROM cpor.notices WHERE state = 'sent' AND recipient = 'partner' HAVING count(*) = %s
"""


def text_of(mail: Mail) -> str:
    """The plain text of a mail."""
    body = mail.message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_a_mail_is_sent_to_everybody_who_is_told(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """Each once, with the server's words on record."""
    await hear(database, notifier, of(1, *pending()))
    async with sending(courier):
        mails = await office.until(3)
        await all_ended(database)

    assert sorted(mail.to for mail in mails) == [PARTNER, REVIEWERS, CUSTOMER]
    assert {mail.sender for mail in mails} == {"cpor@localhost.localdomain"}
    ended = await rows(
        database, "SELECT DISTINCT state, words, attempts, next_at > now() FROM cpor.notices"
    )
    assert ended == [("sent", "OK", 1, False)]


@pytest.mark.fault(78)
@pytest.mark.parametrize("where", ["recipient", "mail"])
async def test_who_refuses_for_now_is_asked_again_ever_later(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    where: str,
) -> None:
    """A minute, then twice that, within what chance spreads; in the end it is sent once."""
    calls = count(1)

    async def busy(_address: str) -> str:
        return "450 4.2.1 try\tagain later" if next(calls) < 4 else "250 OK"

    setattr(office, f"to_{where}", busy)
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    waits_of: list[timedelta] = []
    async with sending(courier):
        for attempts in (1, 2, 3):
            await waits(database, "SELECT FROM cpor.notices WHERE attempts = %s", [attempts])
            ((state, wait, words),) = await rows(
                database, "SELECT state, next_at - now(), words FROM cpor.notices"
            )
            assert (state, words) == ("waiting", "450 4.2.1 try again later")
            waits_of.append(wait)
            await hasten(database)
        await office.until(1)
        await all_ended(database)

    for doubled, wait in zip((1, 2, 4), waits_of, strict=True):
        shortest, longest = timedelta(seconds=30 * doubled - 20), timedelta(seconds=90 * doubled)
        assert shortest < wait <= longest
    assert await rows(database, "SELECT attempts FROM cpor.notices") == [(4,)]
    assert len(office.mails) == 1


async def test_the_pauses_have_an_end(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """After however many refusals it is a few hours, not years."""

    async def busy(_address: str) -> str:
        return "451 later"

    office.to_mail = busy
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    await database.execute("UPDATE cpor.notices SET attempts = 10000")
    async with sending(courier):
        await waits(database, "SELECT FROM cpor.notices WHERE attempts = 10001")

    ((wait,),) = await rows(database, "SELECT next_at - now() FROM cpor.notices")
    assert LONGEST_AGAIN / 3 < wait <= LONGEST_AGAIN * 1.5


@pytest.mark.parametrize(
    ("field", "state"), [("refused_since", "parked"), ("created_at", "waiting")]
)
async def test_what_is_refused_for_days_is_parked(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    field: str,
    state: str,
) -> None:
    """With what the server said last; it does not count how long the mail has waited before."""

    async def busy(_address: str) -> str:
        return "452 mailbox full"

    office.to_recipient = busy
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    await database.execute(
        SQL("UPDATE cpor.notices SET {} = now() - %s").format(Identifier(field)),
        [GIVE_UP + timedelta(minutes=1)],
    )
    async with sending(courier):
        await waits(database, "SELECT FROM cpor.notices WHERE attempts = 1")

    assert await rows(database, "SELECT state, words FROM cpor.notices") == [
        (state, "452 mailbox full")
    ]


@pytest.mark.fault(78)
@pytest.mark.parametrize("where", ["recipient", "mail"])
async def test_who_refuses_for_good_is_asked_once(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    where: str,
) -> None:
    """Parked, with the server's words; others get theirs."""

    async def unknown(address: str) -> str:
        return "550 5.1.1 no such person" if address == CUSTOMER else "250 OK"

    setattr(office, f"to_{where}", unknown)
    await hear(database, notifier, of(1, *pending()))
    async with sending(courier):
        await all_ended(database)

    assert sorted(mail.to for mail in office.mails) == [PARTNER, REVIEWERS]
    assert await rows(
        database, "SELECT recipient, words, attempts FROM cpor.notices WHERE state = 'parked'"
    ) == [("customer", "550 5.1.1 no such person", 1)]
    assert office.asked == 3


async def test_nobody_is_asked_for_who_was_erased(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """The notice is parked and says why (R30)."""
    await hear(database, notifier, of(1, *pending()))
    await database.execute("DELETE FROM cpor.contacts WHERE email = %s", [CUSTOMER])
    async with sending(courier):
        await all_ended(database)

    assert sorted(mail.to for mail in office.mails) == [PARTNER, REVIEWERS]
    assert await rows(database, "SELECT words FROM cpor.notices WHERE state = 'parked'") == [
        ("the contact was erased (R30)",)
    ]


async def test_without_an_address_reviewers_get_none(
    database: AsyncConnection, notifier: Notifier, settings: Settings
) -> None:
    """That shows where parked notices do."""
    nobody = Courier(settings.model_copy(update={"reviewers_email": ""}))
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    async with sending(nobody):
        await all_ended(database)

    assert await rows(database, "SELECT words FROM cpor.notices WHERE state = 'parked'") == [
        ("CPOR_REVIEWERS_EMAIL is not set",)
    ]


@pytest.mark.fault(78)
async def test_while_the_server_is_away_nothing_is_parked(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """Health says so; when it is back, everything is sent, and no attempt was counted."""
    await office.stop()
    await hear(database, notifier, of(1, *pending()))
    async with sending(courier) as reports:
        await until_reported(reports, "mails wait: ")
        assert {state for _, state in await outbox(database)} == {"waiting"}
        await office.start()
        await office.until(3)
        await all_ended(database)
        await until_well(reports)

    assert {state for state, _ in reports.states} == {State.RUNNING}
    assert await rows(database, "SELECT DISTINCT state, attempts FROM cpor.notices") == [
        ("sent", 1)
    ]
    assert set(office.message_ids.values()) == {1}


@pytest.mark.parametrize("where", ["recipient", "mail"])
async def test_a_server_that_shuts_down_is_asked_again(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    where: str,
) -> None:
    """Like one that refuses for now: some say so of one recipient, and would hold up all others."""
    calls = count(1)

    async def leaving(_address: str) -> str:
        return "421 4.3.2 shutting down" if next(calls) == 1 else "250 OK"

    setattr(office, f"to_{where}", leaving)
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    async with sending(courier):
        await waits(database, "SELECT FROM cpor.notices WHERE attempts = 1")
        await hasten(database)
        await office.until(1)
        await all_ended(database)

    assert await outbox(database) == [("new_work", "sent")]


async def break_off(database: AsyncConnection) -> None:
    """End all other connections to the database."""
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.mark.fault(79)
async def test_what_was_accepted_is_recorded_when_the_database_is_back(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """The connections break between the server's answer and its record: no second mail."""
    cut = asyncio.Event()

    async def accepting(_address: str) -> str:
        if office.asked == 3:
            await break_off(database)
            cut.set()
        await cut.wait()
        return "250 taken"

    office.to_mail = accepting
    await hear(database, notifier, of(1, *pending()))
    with pytest.raises(psycopg.OperationalError):
        await courier.run(asyncio.Event(), Reports())
    assert len(office.mails) == 3
    assert {state for _, state in await outbox(database)} == {"waiting"}
    async with sending(courier):
        await all_ended(database)

    ended = await rows(database, "SELECT DISTINCT state, attempts, words FROM cpor.notices")
    assert ended == [("sent", 1, "taken")]
    assert sorted(mail.to for mail in office.mails) == [PARTNER, REVIEWERS, CUSTOMER]
    (to_customer,) = [mail for mail in office.mails if mail.to == CUSTOMER]
    (token,) = set(re.findall(r"/consent/([\w-]{64})", text_of(to_customer)))
    assert consent_token.read(token, await known_keys(database), real_now())


@pytest.mark.fault(79)
async def test_news_that_were_accepted_together_are_recorded_one_by_one(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """What has come since is told alone, and what was told is not told again."""

    async def accepting(_address: str) -> str:
        if not office.mails:
            await hear(database, notifier, of(9, *ex.SUBMITTED, first=100))
            await break_off(database)
        return "250 taken"

    office.to_mail = accepting
    for number in range(1, 9):
        await hear(database, notifier, of(number, *ex.SUBMITTED, first=10 * number))
    with pytest.raises(psycopg.OperationalError):
        await courier.run(asyncio.Event(), Reports())
    async with sending(courier):
        await all_ended(database)

    assert {state for _, state in await outbox(database)} == {"sent"}
    told = "".join(text_of(mail) for mail in office.mails)
    for number in range(1, 10):
        assert f"/claims/{UUID(int=number)}" in told


@pytest.mark.parametrize("is_stopping", [False, True])
async def test_a_mail_that_is_under_way_is_ended_when_all_else_breaks(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    *,
    is_stopping: bool,
) -> None:
    """Else nobody knew what became of it, and it went out twice; but for who must stop now."""
    asked, go_on, stopping = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_address: str) -> str:
        asked.set()
        await go_on.wait()
        return "250 taken"

    office.to_mail = slow
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    work = asyncio.create_task(courier.run(stopping, Reports()))
    await asked.wait()
    if is_stopping:
        stopping.set()
    work.cancel()
    if not is_stopping:
        go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert await outbox(database) == [("new_work", "waiting" if is_stopping else "sent")]
    go_on.set()


@pytest.mark.parametrize("limit", [1, 3])
async def test_one_address_gets_so_many_mails_an_hour(
    database: AsyncConnection, office: MailServer, settings: Settings, limit: int
) -> None:
    """The others wait, without an attempt; other addresses get theirs."""
    limited = settings.model_copy(update={"mails_an_hour": limit})
    notifier = Notifier(limited)
    for number in range(1, 7):
        await hear(database, notifier, of(number, *ex.ACTION_REQUIRED, first=10 * number))
    await hear(database, notifier, of(7, *pending(), first=70))
    async with sending(Courier(limited)):
        await waits(
            database,
            "SELECT WHERE NOT EXISTS (SELECT FROM cpor.notices WHERE state = 'waiting'"
            " AND next_at <= now())",
        )

    assert sum(mail.to == PARTNER for mail in office.mails) == limit
    assert sum(mail.to == CUSTOMER for mail in office.mails) == 1
    later = await rows(
        database,
        "SELECT DISTINCT attempts, words, next_at > now() + interval '50 min',"
        " next_at <= now() + interval '1 h' FROM cpor.notices WHERE state = 'waiting'",
    )
    assert later == [(0, "this address has been sent enough mails for now", True, True)]


async def test_an_hour_later_it_gets_more(
    database: AsyncConnection, office: MailServer, settings: Settings
) -> None:
    """Each mail makes room an hour after it was sent."""
    limited = settings.model_copy(update={"mails_an_hour": 2})
    notifier = Notifier(limited)
    for number in range(1, 5):
        await hear(database, notifier, of(number, *ex.ACTION_REQUIRED, first=10 * number))
    async with sending(Courier(limited)):
        await waits(database, _PARTNER_SENT, [2])
        await database.execute(
            "UPDATE cpor.notices SET ended_at = ended_at - interval '1 hour' WHERE notice_id ="
            " (SELECT min(notice_id) FROM cpor.notices WHERE state = 'sent'"
            " AND recipient = 'partner')"
        )
        await hasten(database)
        await waits(database, _PARTNER_SENT, [3])

    assert sum(mail.to == PARTNER for mail in office.mails) == 3


async def test_reviewers_read_one_mail_of_what_has_come_together(
    database: AsyncConnection, office: MailServer, settings: Settings
) -> None:
    """Between two mails they have their peace."""
    peaceful = settings.model_copy(update={"reviewers_pause": 900.0})
    notifier = Notifier(peaceful)
    for number in range(1, 9):
        await hear(database, notifier, of(number, *ex.SUBMITTED, first=10 * number))
    async with sending(Courier(peaceful)):
        await waits(
            database,
            "SELECT WHERE NOT EXISTS (SELECT FROM cpor.notices WHERE state = 'waiting'"
            " AND next_at <= now())",
        )
        assert len(office.mails) == 1
        await hear(database, notifier, of(9, *ex.SUBMITTED, first=90))
        await waits(database, "SELECT FROM cpor.notices WHERE words LIKE 'this address%%'")
        assert len(office.mails) == 1
        await database.execute("UPDATE cpor.notices SET ended_at = ended_at - interval '15 min'")
        await hasten(database)
        await all_ended(database)

    assert len(office.mails) == 2
    told = "".join(text_of(mail) for mail in office.mails)
    for number in range(1, 10):
        assert told.count(f"/claims/{UUID(int=number)}") == 1


async def test_a_digest_is_named_by_all_that_it_tells(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """One that tells of more is another mail: who sorts out doubles must not lose it."""
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    async with sending(courier):
        await office.until(1)
        await all_ended(database)
        await hear(database, notifier, of(2, *ex.SUBMITTED, first=10))
        await office.until(2)
        await all_ended(database)
    first, _ = office.mails
    await database.execute(
        "UPDATE cpor.notices SET state = 'waiting', next_at = now(), ended_at = NULL"
    )
    async with sending(courier):
        await all_ended(database)

    together = [mail for mail in office.mails[2:] if "2 updates" in str(mail.message["Subject"])]
    assert first.message_id not in {mail.message_id for mail in together}
    assert together


async def test_what_reviewers_hear_together_nobody_switches_off(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """That a target is due soon is told, whoever of them has once asked for no reminders."""
    digest = preference.digest_of(await mail_key(database), REVIEWERS)
    await preference.keep(database, digest, Preference(reminders=False))
    soon = ex.submitted(review_start_due=real_now() + timedelta(days=1))
    await hear(database, notifier, of(1, *ex.EDITING, soon))
    await database.execute("UPDATE cpor.notices SET kind = 'target_soon', number = 1")
    async with sending(courier):
        await all_ended(database)

    assert await outbox(database) == [("target_soon", "sent")]
    (mail,) = office.mails
    assert "List-Unsubscribe" not in mail.message


async def test_what_can_not_be_written_holds_up_nothing_else(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """Of what has come together for the reviewers it alone is parked, and says why."""
    for number in range(1, 9):
        await hear(database, notifier, of(number, *ex.SUBMITTED, first=10 * number))
    await database.execute(
        "UPDATE cpor.notices SET version = 99 WHERE claim_id = %s", [UUID(int=8)]
    )
    async with sending(courier):
        await all_ended(database)

    assert await outbox(database) == [*[("new_work", "sent")] * 7, ("new_work", "parked")]
    ((words,),) = await rows(database, "SELECT words FROM cpor.notices WHERE state = 'parked'")
    assert words.startswith("it can't be written: ")
    told = "".join(text_of(mail) for mail in office.mails)
    assert [told.count(f"/claims/{UUID(int=number)}") for number in range(1, 9)] == [1] * 7 + [0]
