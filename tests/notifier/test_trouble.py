"""Mail servers and neighbours that make trouble: it stays with the mail that it is about."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from domain.notice import Recipient
from services.notifier import outbox as box
from services.notifier import oversight, post, preference
from services.notifier.courier import UNANSWERED, WORKERS, Courier
from services.notifier.mail_key import mail_key
from services.notifier.worker import Notifier
from services.settings import Settings
from tests.domain import examples as ex
from tests.notifier.mail_server import PATIENCE, MailServer, scripted
from tests.notifier.rig import (
    CUSTOMER,
    REVIEWERS,
    all_ended,
    hasten,
    hear,
    of,
    outbox,
    pending,
    rows,
    sending,
    waits,
)
from tests.service import Reports

pytestmark = pytest.mark.rule("R26")

_TOO_LATE: Final = "the consent period was over before the customer could be told"


@pytest.mark.fault(78)
async def test_one_who_never_answers_holds_up_nobody_else(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is tried again later, like what is refused, and parked when that has been often enough."""
    monkeypatch.setattr(post, "PATIENCE", 0.5)
    never = asyncio.Event()

    async def silent(address: str) -> str:
        if address == CUSTOMER:
            await never.wait()
        return "250 OK"

    office.to_recipient = silent
    for number in range(1, WORKERS + 2):
        await hear(database, notifier, of(number, *pending(), first=10 * number))
    async with sending(courier):
        await waits(
            database,
            "SELECT WHERE NOT EXISTS (SELECT FROM cpor.notices WHERE state = 'waiting'"
            " AND recipient <> 'customer' OR recipient = 'customer' AND attempts = 0)",
        )
        await database.execute("UPDATE cpor.notices SET attempts = %s", [UNANSWERED - 1])
        await hasten(database)
        await all_ended(database)
    never.set()

    assert await rows(
        database, "SELECT DISTINCT state, words FROM cpor.notices WHERE recipient = 'customer'"
    ) == [("parked", "no answer: none within 0.5 seconds")]


@pytest.mark.fault(78)
@pytest.mark.parametrize("command", ["RCPT", "DATA", "."])
async def test_a_server_that_hangs_up_is_asked_again(
    database: AsyncConnection, settings: Settings, command: str
) -> None:
    """Whatever it was asked, and whatever else it would have taken."""
    async with scripted({command: b""}) as port:
        wired = settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{port}"})
        await hear(database, Notifier(wired), of(1, *ex.SUBMITTED))
        async with sending(Courier(wired)):
            await waits(database, "SELECT FROM cpor.notices WHERE attempts = 1")

    ((state, words),) = await rows(database, "SELECT state, words FROM cpor.notices")
    assert state == "waiting"
    assert words.startswith("no answer: ")


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ("250 angenommen für Sie", "sent", "angenommen fr Sie"),
        ("550 Empfänger unbekannt", "parked", "550 Empfnger unbekannt"),
        ("550 a\0b", "parked", "550 a b"),
    ],
    ids=["taken", "refused", "nul"],
)
async def test_a_servers_words_may_be_in_any_encoding(
    database: AsyncConnection, settings: Settings, answer: str, state: str, words: str
) -> None:
    """What can't be kept of them is left out; the mail is as it says."""
    async with scripted({".": answer.encode("latin-1")}) as port:
        wired = settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{port}"})
        await hear(database, Notifier(wired), of(1, *ex.SUBMITTED))
        async with sending(Courier(wired)):
            await all_ended(database)

    assert await rows(database, "SELECT state, words FROM cpor.notices") == [(state, words)]


@pytest.mark.rule("R30")
@pytest.mark.parametrize("code", ["250", "451", "550"])
async def test_what_is_kept_of_a_servers_words_names_nobody(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer, code: str
) -> None:
    """As servers quote whom they were asked for: it outlived the erasure of the contact."""

    async def quoting(address: str) -> str:
        name = address.partition("@")[0]
        return f"{code} 5.1.1 <{address.upper()}>: {name.title()} is known as {name}.ak@x.example"

    office.to_mail = quoting
    await hear(database, notifier, of(1, *pending()))
    async with sending(courier):
        await waits(
            database, "SELECT FROM cpor.notices WHERE recipient = 'customer' AND attempts = 1"
        )

    ((words,),) = await rows(
        database, "SELECT words FROM cpor.notices WHERE recipient = 'customer'"
    )
    assert words.removeprefix(f"{code} ") == "5.1.1 <…>: … is known as …"


async def test_a_session_that_nobody_ends_holds_up_what_it_holds_alone(
    database: AsyncConnection,
    database_url: str,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a machine leaves it that has vanished: others get theirs, and nobody asks without end."""
    looks: list[None] = []
    due = box.due

    async def counted(store: AsyncConnection, limit: int) -> list[tuple[int, Recipient]]:
        looks.append(None)
        return await due(store, limit)

    monkeypatch.setattr(box, "due", counted)
    monkeypatch.setattr("services.notifier.courier.LOOK", PATIENCE)
    await hear(database, notifier, of(1, *pending()))
    reviewers = preference.digest_of(await mail_key(database), REVIEWERS)
    async with await AsyncConnection.connect(database_url) as vanished:
        await vanished.execute("SELECT FROM cpor.notices WHERE recipient = 'partner' FOR UPDATE")
        assert await box.one_at_a_time(vanished, reviewers)
        async with sending(courier):
            await office.until(1)
            async with asyncio.timeout(PATIENCE):
                while len(looks) < 2:  # noqa: ASYNC110 - a list tells nobody
                    await asyncio.sleep(0.02)
            for _ in range(100):  # in which who asks without end would have asked again
                await database.execute("SELECT FROM cpor.notices")
            assert len(looks) == 2
            assert [mail.to for mail in office.mails] == [CUSTOMER]
            monkeypatch.undo()
            await vanished.rollback()
            await hasten(database)
            await all_ended(database)

    assert len(office.mails) == 3


async def test_digests_follow_each_other_until_all_is_told(
    database: AsyncConnection,
    office: MailServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pause is between them and what comes then, or a busy day were never caught up with."""
    monkeypatch.setattr("services.notifier.courier.DIGEST", 5)
    peaceful = settings.model_copy(update={"reviewers_pause": 900.0})
    for number in range(1, 13):
        await hear(database, Notifier(peaceful), of(number, *ex.SUBMITTED, first=10 * number))
    async with sending(Courier(peaceful)):
        await all_ended(database)
        await hear(database, Notifier(peaceful), of(13, *ex.SUBMITTED, first=130))
        await waits(database, "SELECT FROM cpor.notices WHERE words LIKE 'this address%%'")

    assert len(office.mails) == 3


@pytest.mark.fault(78)
async def test_one_that_is_refused_takes_none_of_the_others_with_it(
    database: AsyncConnection, office: MailServer, settings: Settings
) -> None:
    """Of a digest that is refused for good each is tried by itself, at once."""
    culprit = f"/claims/{UUID(int=3)}"

    async def filtering(_address: str) -> str:
        return "554 5.7.1 spam" if culprit.encode() in office.in_hand else "250 OK"

    office.to_mail = filtering
    peaceful = settings.model_copy(update={"reviewers_pause": 900.0})
    for number in range(1, 6):
        await hear(database, Notifier(peaceful), of(number, *ex.SUBMITTED, first=10 * number))
    async with sending(Courier(peaceful)):
        await all_ended(database)

    ended = await rows(database, "SELECT state, words FROM cpor.notices ORDER BY notice_id")
    sent = ("sent", "OK")
    assert ended == [sent, sent, ("parked", "554 5.7.1 spam"), sent, sent]


async def test_a_digest_that_comes_back_has_told_nothing(
    database: AsyncConnection, office: MailServer, settings: Settings
) -> None:
    """All that it told is parked, and nothing that another mail has told."""
    peaceful = settings.model_copy(update={"reviewers_pause": 900.0})
    for number in range(1, 6):
        await hear(database, Notifier(peaceful), of(number, *ex.SUBMITTED, first=10 * number))
    await hear(database, Notifier(peaceful), of(6, *ex.ACTION_REQUIRED, first=60))
    async with sending(Courier(peaceful)):
        await all_ended(database)
    (digest,) = (mail for mail in office.mails if mail.to == REVIEWERS)

    assert await oversight.bounced(database, digest.message_id, "550 gone")

    parked = await rows(
        database, "SELECT recipient, count(*) FROM cpor.notices WHERE state = 'parked' GROUP BY 1"
    )
    assert parked == [("reviewers", 6)]
    assert await oversight.send_again(database) == 6


@pytest.mark.fault(78)
async def test_a_mailbox_that_is_gone_is_asked_once(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """Whatever a mail tells, and of however much: it is the recipient who is refused."""

    async def gone(_address: str) -> str:
        return "550 5.1.1 gone"

    office.to_recipient = gone
    for number in range(1, 6):
        await hear(database, notifier, of(number, *ex.SUBMITTED, first=10 * number))
    async with sending(courier):
        await all_ended(database)

    assert await outbox(database) == [("new_work", "parked")] * 5
    assert office.asked == 1


async def test_what_waits_for_its_next_try_is_not_tried_with_what_is_new(
    database: AsyncConnection, notifier: Notifier, courier: Courier, office: MailServer
) -> None:
    """Else every new one were a try of all, and none ever waited longer."""
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    await database.execute("UPDATE cpor.notices SET next_at = now() + interval '1 hour'")
    await hear(database, notifier, of(2, *ex.SUBMITTED, first=10))
    async with sending(courier):
        await office.until(1)
        await waits(database, "SELECT FROM cpor.notices WHERE state = 'sent'")

    assert await outbox(database) == [("new_work", "waiting"), ("new_work", "sent")]


@pytest.mark.rule("R9")
@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("afterwards", "ended"),
    [
        (ex.CONSENT_ELAPSED, ("parked", _TOO_LATE)),
        ((*ex.CONSENT_PENDING, *ex.WITHDRAWN[-2:]), ("dropped", "the clock has closed")),
    ],
    ids=["elapsed", "withdrawn"],
)
async def test_a_customer_is_not_asked_what_is_over(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    afterwards: Sequence[ClaimEvent],
    ended: tuple[str, str],
) -> None:
    """That silence has become consent before the customer was told is for somebody to see."""
    await hear(database, notifier, of(1, *afterwards))
    async with sending(courier):
        await all_ended(database)

    assert CUSTOMER not in {mail.to for mail in office.mails}
    assert await rows(
        database, "SELECT state, words FROM cpor.notices WHERE kind = 'consent_notice'"
    ) == [ended]


async def test_a_silent_server_does_not_hold_up_who_must_begin_anew(
    database: AsyncConnection,
    notifier: Notifier,
    courier: Courier,
    office: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mails under way have their time to end when all else breaks, and not more."""
    monkeypatch.setattr("services.notifier.courier.PARTING", 0.5)
    asked, never = asyncio.Event(), asyncio.Event()

    async def silent(_address: str) -> str:
        asked.set()
        await never.wait()
        return "250 OK"

    office.to_mail = silent
    await hear(database, notifier, of(1, *ex.SUBMITTED))
    work = asyncio.create_task(courier.run(asyncio.Event(), Reports()))
    await asked.wait()
    work.cancel()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(asyncio.CancelledError):
            await work
    never.set()

    assert await outbox(database) == [("new_work", "waiting")]
