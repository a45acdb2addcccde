"""From events to notices: each once, whatever is repeated, rebuilt or upgraded; and reminders."""

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from sqlalchemy import NullPool, create_engine

from domain.claim import ClaimEvent
from projections.registry import PROJECTIONS
from services.clock import real_now
from services.connection import connected
from services.embedded.postgres import Postgres
from services.notifier import outbox as box
from services.notifier import worker
from services.notifier.worker import Notifier
from services.projector import Projector
from services.rebuild import rebuild
from services.schema import migrate
from services.settings import CHECKOUT, Settings
from services.streams import prepare
from tests.domain import examples as ex
from tests.notifier.mail_server import PATIENCE, MailServer
from tests.notifier.rig import (
    all_ended,
    hear,
    introduce,
    of,
    outbox,
    pending,
    rows,
    waits,
)
from tests.projections.log import interleaved, publish, store, told
from tests.projections.test_board import LIVES
from tests.service import running

pytestmark = pytest.mark.rule("R26")

LOG: Final = interleaved(
    *(told(*life, claim_id=UUID(int=number)) for number, life in enumerate(LIVES.values(), start=1))
)
BEFORE_NOTICES: Final = "0012"
LOOKS: Final = 3


async def position(database: AsyncConnection) -> int:
    """How far the notifier is."""
    ((place,),) = await rows(database, "SELECT position FROM cpor.notifier_position")
    return int(place)


async def test_a_batch_that_comes_again_tells_nobody_again(
    database: AsyncConnection, notifier: Notifier, settings: Settings
) -> None:
    """Neither the same notifier nor another one, nor one that begins in its middle."""
    await hear(database, notifier, LOG)
    planned = await rows(database, "TABLE cpor.notices")
    ahead = await rows(database, "TABLE cpor.reminders")
    assert planned

    await hear(database, notifier, LOG, known=True)
    await hear(database, Notifier(settings), LOG, known=True)
    await hear(database, Notifier(settings), LOG[len(LOG) // 2 :], known=True)

    assert await rows(database, "TABLE cpor.notices") == planned
    assert await rows(database, "TABLE cpor.reminders") == ahead
    assert await position(database) == LOG[-1].position


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_the_size_of_batches_makes_no_difference(
    database: AsyncConnection, settings: Settings, size: int
) -> None:
    """Nor does what a notifier remembers: each batch may be another one's."""
    whole = Notifier(settings)
    await store(database, LOG)
    await hear(database, whole, LOG, known=True)
    query: Final = "SELECT claim_id, version, recipient, kind, number FROM cpor.notices"
    ahead_query: Final = "TABLE cpor.reminders"
    planned, ahead = await rows(database, query), await rows(database, ahead_query)
    await database.execute("TRUNCATE cpor.notices, cpor.reminders")
    await database.execute("UPDATE cpor.notifier_position SET position = 0")

    for start in range(0, len(LOG), size):
        await hear(database, Notifier(settings), LOG[start : start + size], known=True)

    assert sorted(await rows(database, query)) == sorted(planned)
    assert sorted(await rows(database, ahead_query)) == sorted(ahead)


async def test_two_notifiers_at_once_tell_once(
    database: AsyncConnection, database_url: str, settings: Settings
) -> None:
    """They take turns at the position, and find each other's work done."""
    await store(database, LOG)

    async def take_all() -> None:
        notifier = Notifier(settings)
        async with await AsyncConnection.connect(database_url, autocommit=True) as own:
            for start in range(0, len(LOG), 3):
                await hear(own, notifier, LOG[start : start + 3], known=True)

    await asyncio.gather(take_all(), take_all())

    found = await rows(
        database,
        "SELECT count(*), count(DISTINCT (claim_id, version, recipient, kind, number))"
        " FROM cpor.notices",
    )
    await database.execute("TRUNCATE cpor.notices, cpor.reminders")
    await database.execute("UPDATE cpor.notifier_position SET position = 0")
    await hear(database, Notifier(settings), LOG, known=True)
    ((alone,),) = await rows(database, "SELECT count(*) FROM cpor.notices")
    assert found == [(alone, alone)]


async def test_a_batch_that_fails_leaves_nothing(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """What is planned and how far the log was read are one; the next try begins anew."""
    log = of(1, *pending())
    await store(database, log)
    await database.execute("ALTER TABLE cpor.notifier_position ADD CHECK (position < 2)")
    with pytest.raises(psycopg.errors.CheckViolation):
        await hear(database, notifier, log, known=True)
    assert await outbox(database) == []
    assert await rows(database, "TABLE cpor.reminders") == []
    await database.execute(
        "ALTER TABLE cpor.notifier_position DROP CONSTRAINT notifier_position_position_check"
    )

    await hear(database, notifier, log, known=True)

    assert [kind for kind, _ in await outbox(database)] == [
        "new_work",
        "consent_notice",
        "approved",
    ]


@pytest.mark.fault(46)
async def test_a_replay_and_a_rebuild_send_nothing_again(
    database: AsyncConnection,
    database_url: str,
    nats_url: str,
    settings: Settings,
    office: MailServer,
) -> None:
    """The stream is published anew, every projection is folded anew: no mail comes of it."""
    wired = settings.model_copy(update={"nats_url": nats_url})
    await prepare(nats_url)
    await store(database, LOG)
    async with connected(nats_url, "test", 10.0) as nats:
        await publish(nats, LOG)
        async with running(Notifier(wired), wired, nats), running(Projector(wired), wired, nats):
            await waits(
                database,
                "SELECT FROM cpor.notifier_position WHERE position = %s",
                [LOG[-1].position],
            )
            await all_ended(database)
            sent = list(office.mails)
            assert sent

            await publish(nats, LOG)
            await database.execute("UPDATE cpor.projection_positions SET position = 0")
            for name in PROJECTIONS:
                await rebuild(database_url, name, lambda _progress: None, processes=1)
            extra = of(99, ex.created(), first=LOG[-1].position + 1)
            await store(database, extra)
            await publish(nats, extra)
            await waits(
                database,
                "SELECT FROM cpor.notifier_position WHERE position = %s",
                [extra[-1].position],
            )
            await all_ended(database)

    assert office.mails == sent


async def test_what_happened_before_the_upgrade_is_told_to_nobody(
    postgres_server: Postgres, settings: Settings
) -> None:
    """Whoever had no notices yesterday gets none of yesterday's; what comes now is told."""
    database = Identifier("before_notices")
    async with await AsyncConnection.connect(postgres_server.url, autocommit=True) as connection:
        await connection.execute(SQL("CREATE DATABASE {}").format(database))
    url = postgres_server.url_for("before_notices")
    await asyncio.to_thread(upgrade_to, url, BEFORE_NOTICES)
    old, new = of(1, *ex.UNDER_REVIEW), of(1, *pending(), start=len(ex.UNDER_REVIEW), first=5)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await store(connection, old)
        await asyncio.to_thread(migrate, url)
        await introduce(connection)
        notifier = Notifier(settings.model_copy(update={"database_url": url}))

        await hear(connection, notifier, old, known=True)
        assert await outbox(connection) == []
        await hear(connection, notifier, new)

        assert [kind for kind, _ in await outbox(connection)] == ["consent_notice", "approved"]


def upgrade_to(url: str, revision: str) -> None:
    """Bring an empty database to a revision."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA cpor")
        connection.commit()
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool
        )
        config = Config()
        config.set_main_option("script_location", str(CHECKOUT / "services" / "schema"))
        with engine.connect() as wrapped:
            config.attributes["connection"] = wrapped
            command.upgrade(config, revision)
            wrapped.commit()


async def reminded(database: AsyncConnection, at: timedelta) -> list[str]:
    """What is told of clocks when the system's clock shows so much from now."""
    before = await rows(database, "SELECT notice_id FROM cpor.notices")
    added = await box.remind(database, real_now() + at)
    found = await rows(
        database,
        "SELECT kind || number FROM cpor.notices WHERE NOT notice_id = ANY(%s) ORDER BY notice_id",
        [[row[0] for row in before]],
    )
    assert added == len(found)
    return [name for (name,) in found]


def window(days: int) -> tuple[ClaimEvent, ...]:
    """A claim whose dispute window is open for so many days from now."""
    due = real_now() + timedelta(days=days)
    return (*ex.UNDER_REVIEW, ex.rejected(dispute_window_due=due))


async def test_a_reminder_is_told_when_it_is_due_and_once(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """By the clock that it is given; each of the reminders of a clock by itself."""
    await hear(database, notifier, of(1, *window(30)))

    assert await reminded(database, timedelta(days=20)) == []
    assert await reminded(database, timedelta(days=24)) == ["dispute_reminder1"]
    assert await reminded(database, timedelta(days=24)) == []
    assert await reminded(database, timedelta(days=29, hours=23)) == ["dispute_reminder2"]
    assert await box.next_reminder_at(database) is None


async def test_of_several_missed_reminders_one_is_told(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """The last one: nobody was there to tell the first."""
    await hear(database, notifier, of(1, *window(30)))

    assert await reminded(database, timedelta(days=29, hours=23)) == ["dispute_reminder2"]
    assert await box.next_reminder_at(database) is None


async def test_nothing_is_reminded_of_when_it_is_due(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """Exactly then the period has passed (R16)."""
    due = real_now() + timedelta(days=30)
    await hear(database, notifier, of(1, *ex.UNDER_REVIEW, ex.rejected(dispute_window_due=due)))

    assert await box.remind(database, due) == 0
    assert await box.next_reminder_at(database) is None


async def test_a_reminder_goes_with_its_clock(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """Also one that waits to be sent; the next clock has its own."""
    life = (*window(30), ex.disputed(dispute_result_due=real_now() + timedelta(days=40)))
    await hear(database, notifier, of(1, *life[:-1]))
    assert await reminded(database, timedelta(days=24)) == ["dispute_reminder1"]

    await hear(database, notifier, of(1, *life, start=len(life) - 1, first=100))

    ahead = await rows(database, "SELECT kind, version FROM cpor.reminders")
    assert ahead == [("target_soon", len(life))]
    assert await rows(
        database, "SELECT state, words FROM cpor.notices WHERE kind = 'dispute_reminder'"
    ) == [("dropped", "the clock has closed")]
    states = {state for kind, state in await outbox(database) if kind != "dispute_reminder"}
    assert states == {"waiting"}


async def test_a_reminder_that_was_sent_stays_sent(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """What has become of a notice is history."""
    await hear(database, notifier, of(1, *window(30)))
    await reminded(database, timedelta(days=24))
    await database.execute("UPDATE cpor.notices SET state = 'sent'")

    closed = (*window(30), ex.dispute_window_closed())
    await hear(database, notifier, of(1, *closed, start=len(closed) - 1, first=100))

    assert {state for _, state in await outbox(database)} == {"sent"}


async def test_a_target_that_was_missed_is_not_called_soon(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """The clock stays open, but reviewers hear one thing of it."""
    due = real_now() + timedelta(days=5)
    life = (*ex.EDITING, ex.submitted(review_start_due=due), ex.review_start_overdue())
    await hear(database, notifier, of(1, *life[:-1]))
    await database.execute(
        "INSERT INTO cpor.notices (claim_id, version, recipient, kind, number)"
        " SELECT claim_id, version, 'reviewers', kind, number FROM cpor.reminders"
    )

    await hear(database, notifier, of(1, *life, start=len(life) - 1, first=100))

    assert await outbox(database) == [
        ("new_work", "waiting"),
        ("target_soon", "dropped"),
        ("target_missed", "waiting"),
    ]
    assert await rows(database, "TABLE cpor.reminders") == []


async def test_a_reminder_that_is_just_falling_due_goes_with_its_clock(
    database: AsyncConnection, database_url: str, notifier: Notifier
) -> None:
    """It becomes a notice in one transaction while another one closes the clock."""
    closed = (*window(30), ex.dispute_window_closed())
    await hear(database, notifier, of(1, *closed[:-1]))
    last = of(1, *closed, start=len(closed) - 1, first=100)
    async with (
        await AsyncConnection.connect(database_url, autocommit=True) as timer,
        await AsyncConnection.connect(database_url, autocommit=True) as other,
    ):
        async with timer.transaction():
            assert await box.remind(timer, real_now() + timedelta(days=24)) == 1
            await store(database, last)
            closing = asyncio.create_task(hear(other, notifier, last, known=True))
            await waits(
                database,
                "SELECT FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock'",
            )
        await closing

    assert ("dispute_reminder", "dropped") in await outbox(database)


async def test_nothing_is_reminded_of_before_all_of_its_claim_was_heard(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """After an outage: what was not heard of yet may have closed the clock."""
    life = window(30)
    await hear(database, notifier, [*of(1, *life), *of(2, *life, first=100)])
    comment = of(1, *life, ex.commented(), start=len(life), first=200)
    end = of(2, *life, ex.dispute_window_closed(), start=len(life), first=201)
    await store(database, [*comment, *end])

    assert await reminded(database, timedelta(days=24)) == []
    await hear(database, notifier, comment, known=True)
    assert await reminded(database, timedelta(days=24)) == ["dispute_reminder1"]
    await hear(database, notifier, end, known=True)
    assert await reminded(database, timedelta(days=29, hours=23)) == ["dispute_reminder2"]

    told_of = await rows(
        database, "SELECT DISTINCT claim_id FROM cpor.notices WHERE kind = 'dispute_reminder'"
    )
    assert told_of == [(UUID(int=1),)]
    assert await box.next_reminder_at(database) is None


async def test_a_reminder_that_waits_for_events_does_not_keep_the_notifier_busy(
    database: AsyncConnection,
    nats_url: str,
    notifier: Notifier,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It looks again as often as it looks around, and tells when the events have come."""
    looks = list[float]()
    looked_often, remind = asyncio.Event(), box.remind

    async def watched(connection: AsyncConnection, now: datetime) -> int:
        looks.append(monotonic())
        if len(looks) > LOOKS:
            looked_often.set()
        return await remind(connection, now)

    monkeypatch.setattr(worker, "LOOK", 0.3)
    monkeypatch.setattr(box, "remind", watched)
    due = real_now() + timedelta(days=2)
    life = (*ex.UNDER_REVIEW, ex.rejected(dispute_window_due=due), ex.commented())
    await hear(database, notifier, of(1, *life[:-1]))
    await database.execute("UPDATE cpor.reminders SET remind_at = now()")
    last = of(1, *life, start=len(life) - 1, first=100)
    await store(database, last)
    await prepare(nats_url)
    wired = settings.model_copy(update={"nats_url": nats_url})
    async with (
        connected(nats_url, "test", 10.0) as nats,
        running(notifier, wired, nats),
        asyncio.timeout(PATIENCE),
    ):
        await looked_often.wait()
        assert looks[LOOKS] - looks[0] >= LOOKS * worker.LOOK * 0.9
        await publish(nats, last)
        await waits(database, "SELECT FROM cpor.notices WHERE kind = 'dispute_reminder'")


async def test_a_claim_that_comes_back_is_reminded_anew(
    database: AsyncConnection, notifier: Notifier
) -> None:
    """Action is required a second time: another event, another clock, other reminders."""
    soon, later = (real_now() + timedelta(days=days) for days in (30, 60))
    life = (
        *ex.UNDER_REVIEW,
        ex.action_required(partner_response_due=soon),
        ex.resubmitted(),
        ex.review_started(),
        ex.action_required(partner_response_due=later),
    )
    await hear(database, notifier, of(1, *life[:5]))
    assert await reminded(database, timedelta(days=29, hours=20)) == ["response_reminder2"]
    await database.execute("UPDATE cpor.notices SET state = 'sent'")

    await hear(database, notifier, of(1, *life, start=5, first=100))

    assert await reminded(database, timedelta(days=40)) == []
    assert await reminded(database, timedelta(days=59, hours=20)) == ["response_reminder2"]
