"""The notifier inside a test, on the real servers: what people are told, from events to mails."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from services.clock import real_now
from services.event_log import Placed
from services.health import State
from services.notifier.courier import Courier
from services.notifier.worker import Notifier
from services.settings import Settings
from tests.domain import examples as ex
from tests.notifier.mail_server import PATIENCE
from tests.projections.log import Entry, interleaved, store, told
from tests.service import Reports

CUSTOMER, PARTNER, REVIEWERS = "zeynep@contoso.example", "ayse@partner.example", "r@cpor.example"


async def introduce(database: AsyncConnection, claim_id: UUID = ex.CLAIM_ID) -> None:
    """Let the contacts of the examples be known."""
    for contact, name, email in (
        (ex.CUSTOMER_CONTACT, "Zeynep Ak", CUSTOMER),
        (ex.PARTNER_CONTACT, "Ayşe Demir", PARTNER),
    ):
        await database.execute(
            "INSERT INTO cpor.contacts VALUES (%s, %s, %s, 'CIO', %s) ON CONFLICT DO NOTHING",
            [contact.id, claim_id, name, email],
        )


async def hear(
    database: AsyncConnection, notifier: Notifier, log: Sequence[Entry], *, known: bool = False
) -> None:
    """Let the notifier take events in as one batch; they are stored first, unless they were."""
    if not known:
        await store(database, log)
    await notifier.take_in(database, [Placed(*entry) for entry in log])


def of(
    number: int, *facts: ClaimEvent, first: int = 1, start: int = 0, claim_id: UUID | None = None
) -> list[Entry]:
    """A claim's facts from number `start` on, as entries of the log from position `first` on."""
    named = told(*facts, claim_id=claim_id or UUID(int=number))
    return interleaved(named[start:], first=first)


Row = tuple[Any, ...]


async def rows(
    database: AsyncConnection, query: LiteralString, given: Iterable[Any] = ()
) -> list[Row]:
    """What a query finds."""
    return await (await database.execute(query, list(given))).fetchall()


async def outbox(database: AsyncConnection) -> list[tuple[str, str]]:
    """The notices and their states, in the order in which they were planned."""
    found = await rows(database, "SELECT kind, state FROM cpor.notices ORDER BY notice_id")
    return [(kind, state) for kind, state in found]


async def waits(database: AsyncConnection, query: LiteralString, given: Iterable[Any] = ()) -> None:
    """Wait until a query finds a row."""
    asked = list(given)
    async with asyncio.timeout(PATIENCE):
        while not await rows(database, query, asked):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


async def all_ended(database: AsyncConnection) -> None:
    """Wait until no notice waits any more."""
    await waits(
        database, "SELECT 1 WHERE NOT EXISTS (SELECT FROM cpor.notices WHERE state = 'waiting')"
    )


async def hasten(database: AsyncConnection) -> None:
    """Let everything that is to be tried later be tried now."""
    await database.execute("UPDATE cpor.notices SET next_at = now() WHERE state = 'waiting'")
    await database.execute("NOTIFY cpor_notices")


@asynccontextmanager
async def sending(courier: Courier) -> AsyncGenerator[Reports]:
    """The courier at work, for the length of the block; its failure is raised."""
    stopping, reports = asyncio.Event(), Reports()
    work = asyncio.create_task(courier.run(stopping, reports))
    try:
        yield reports
    finally:
        stopping.set()
        await work


async def until_reported(reports: Reports, words: str) -> None:
    """Wait until a report holds these words."""
    async with asyncio.timeout(PATIENCE):
        while not any(words in detail for _, detail in reports.states):  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.02)


async def until_well(reports: Reports) -> None:
    """Wait until the last report has nothing to tell."""
    async with asyncio.timeout(PATIENCE):
        while reports.states[-1:] != [(State.RUNNING, "")]:  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.02)


def to_mail(smtp_url: str, database_url: str) -> Settings:
    """Settings of a notifier that tells people at once."""
    return Settings(
        database_url=database_url,
        smtp_url=smtp_url,
        reviewers_email=REVIEWERS,
        reviewers_pause=0,
        mails_an_hour=0,
    )


def pending(days: int = 7) -> tuple[ClaimEvent, ...]:
    """A claim whose consent is due so many days from now."""
    due = real_now() + timedelta(days=days)
    return (*ex.UNDER_REVIEW, ex.approved(consent_due=due))
