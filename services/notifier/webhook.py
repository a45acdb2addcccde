"""Tells webhooks of events: each in the log's order, and no one held up by another.

How far a webhook has been told moves when its receiver has said yes. So nothing is left out, and
what was under way when the notifier or the receiver broke off is told again, under the same id.
"""

import asyncio
import ssl
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services import webhook
from services.backoff import jittered
from services.clock import real_now
from services.database import KEEPALIVES, with_settings
from services.notifier.outbox import LOG_READ
from services.notifier.webhook_message import Entry, Message, message, read, signed
from services.settings import Settings
from services.webhook import Place, Webhook

PAGE: Final = 100
"""Events that are read at once for one webhook."""
TIMEOUT: Final = 20.0
"""Seconds that a receiver has to take an event."""
LOOK: Final = 1.0
"""Seconds after which webhooks are looked at although nothing was notified."""
FIRST_AGAIN: Final = timedelta(seconds=5)
"""After how long a webhook is tried again that failed, or half of that; then twice as long."""
LONGEST_AGAIN: Final = timedelta(hours=1)
GIVE_UP: Final = timedelta(days=3)
"""After which a webhook that fails again and again is parked."""
CONNECTIONS: Final = 4
"""To the database; none is held while a receiver is waited for."""
REST: Final = 64 * 1024
"""Bytes of a receiver's answer that are read, for the connection's sake; what they say is not."""
_REST_PATIENCE: Final = 1.0
_PARTING: Final = 2.0
"""Seconds that receivers have to answer when the notifier ends."""
_DOUBLINGS: Final = 16

_DUE: Final = """
SELECT webhook_id FROM cpor.webhooks AS webhook, cpor.notifier_position AS heard
WHERE NOT parked AND next_at <= now() AND (webhook.position < heard.position OR EXISTS (
    SELECT FROM cpor.notices WHERE kind = 'target_soon'
        AND (notices.position, notices.notice_id) > (webhook.position, webhook.notice_id)))
"""
_MOVE: Final = """
UPDATE cpor.webhooks SET position = %s, notice_id = %s, attempts = 0, failing_since = NULL,
    words = ''
WHERE webhook_id = %s AND replays = %s AND (position, notice_id) = (%s, %s)
"""
_FAILED: Final = """
UPDATE cpor.webhooks SET attempts = attempts + 1, failing_since = coalesce(failing_since, now()),
    next_at = now() + %(wait)s, words = %(words)s,
    parked = %(for_good)s OR coalesce(now() - failing_since > %(give_up)s, false)
WHERE webhook_id = %(webhook_id)s AND replays = %(replays)s
    AND (position, notice_id) = (%(position)s, %(notice_id)s)
RETURNING parked
"""

_log = structlog.get_logger(__name__)


class NotTaken(Exception):  # noqa: N818 - what the receiver did, not what went wrong here
    """A receiver has not said that it took an event."""

    def __init__(self, words: str, *, for_good: bool = False) -> None:
        super().__init__(words)
        self.for_good = for_good


class Webhooks:
    """Tells all webhooks, for as long as it runs."""

    def __init__(self, settings: Settings, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls` in place of what the machine trusts."""
        self._url = settings.database_url
        self._tls = tls or ssl.create_default_context()

    async def run(self, stopping: asyncio.Event) -> None:
        """Tell until told to stop."""
        async with (
            await AsyncConnection.connect(self._url, autocommit=True) as store,
            AsyncConnectionPool[AsyncConnection](
                # What a crash of PostgreSQL takes back is told again.
                with_settings(self._url, synchronous_commit="off"),
                kwargs={**KEEPALIVES, "autocommit": True},
                min_size=0,
                max_size=CONNECTIONS,
                open=False,
                name="webhooks",
            ) as pool,
            asyncio.TaskGroup() as work,
        ):
            for channel in (webhook.CHANNEL, LOG_READ):
                await store.execute(f"LISTEN {channel}")
            told: dict[int, asyncio.Task[None]] = {}
            while not stopping.is_set():
                told = {webhook_id: task for webhook_id, task in told.items() if not task.done()}
                for (webhook_id,) in await (await store.execute(_DUE)).fetchall():
                    if webhook_id not in told:
                        told[webhook_id] = work.create_task(self._tell(pool, webhook_id, stopping))
                async for _ in store.notifies(timeout=LOOK, stop_after=1):
                    pass
            await _part(told.values())

    async def _tell(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        webhook_id: int,
        stopping: asyncio.Event,
    ) -> None:
        """Tell one webhook all that it was not told yet, or as far as its receiver goes along."""
        async with httpx.AsyncClient(
            verify=self._tls,
            timeout=None,  # noqa: S113 - each request has one for all that it does
            limits=httpx.Limits(max_connections=1),
            headers={"user-agent": "cpor", "accept-encoding": "identity"},
        ) as http:
            more = True
            while more and not stopping.is_set():
                async with pool.connection() as connection:
                    it = await webhook.find(connection, webhook_id)
                    if it is None or it.parked:
                        return
                    entries = await read(connection, it.place, PAGE)
                more = await self._tell_page(pool, http, it, entries, stopping)

    async def _tell_page(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        http: httpx.AsyncClient,
        it: Webhook,
        entries: Sequence[Entry],
        stopping: asyncio.Event,
    ) -> bool:
        """Tell what is for the webhook of these, one after the other; whether to go on."""
        place = it.place
        for entry in entries:
            if stopping.is_set():
                return False
            try:
                wording = message(entry, it)
                if wording is None:
                    continue
                await _post(http, it, wording)
            except NotTaken as refused:
                await self._failed(pool, it, place, refused)
                return False
            except Exception as error:  # noqa: BLE001 - a defect of ours with one webhook holds up no other
                _log.error("webhook_not_told", webhook=it.webhook_id, exc_info=error)
                # Not in its words: they may name people (R30). The log has them.
                defect = NotTaken(f"it can't be told: {type(error).__name__}")
                await self._failed(pool, it, place, defect)
                return False
            if not await _moved(pool, it, place, entry.place):
                return True  # an operator has set it to another place meanwhile
            place = entry.place
        if entries and place != entries[-1].place:
            await _moved(pool, it, place, entries[-1].place)
        return bool(entries)

    async def _failed(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        it: Webhook,
        place: Place,
        refused: NotTaken,
    ) -> None:
        """Try again later, or park what has refused for good or failed for too long."""
        attempts = it.attempts if place == it.place else 0
        longest = min(FIRST_AGAIN * 2 ** min(attempts, _DOUBLINGS), LONGEST_AGAIN)
        parameters = {
            "wait": timedelta(seconds=jittered(longest.total_seconds())),
            "words": str(refused),
            "for_good": refused.for_good,
            "give_up": GIVE_UP,
            "webhook_id": it.webhook_id,
            "replays": it.replays,
            **place._asdict(),
        }
        async with pool.connection() as connection:
            row = await (await connection.execute(_FAILED, parameters)).fetchone()
        event = "webhook_parked" if row and row[0] else "webhook_failed"
        _log.warning(event, webhook=it.webhook_id, words=str(refused))


async def _part(told: Collection[asyncio.Task[None]]) -> None:
    """Wait for answers a little, then give them up: what they are about is told again."""
    if told:
        await asyncio.wait(told, timeout=_PARTING)
    for task in told:
        task.cancel()


async def _moved(
    pool: AsyncConnectionPool[AsyncConnection], it: Webhook, before: Place, after: Place
) -> bool:
    """Note how far it was told; whether it still stood where it was."""
    async with pool.connection() as connection:
        moved = await connection.execute(_MOVE, [*after, it.webhook_id, it.replays, *before])
    return moved.rowcount > 0


async def _post(http: httpx.AsyncClient, it: Webhook, wording: Message) -> None:
    """Hand an event over. Raises NotTaken, unless the receiver has said yes."""
    headers = signed(wording.message_id, wording.body, it.secret, real_now())
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            http.stream("POST", it.url, content=wording.body, headers=headers) as answer,
        ):
            status = answer.status_code
            await _read_rest(answer)
    except TimeoutError as error:
        raise NotTaken(f"no answer within {TIMEOUT:g} seconds") from error
    except httpx.HTTPError as error:
        raise NotTaken(" ".join(str(error).split()) or type(error).__name__) from error
    if not httpx.codes.is_success(status):
        phrase = httpx.codes.get_reason_phrase(status)
        raise NotTaken(f"HTTP {status} {phrase}".strip(), for_good=status == HTTPStatus.GONE)


async def _read_rest(answer: httpx.Response) -> None:
    """Read what else comes, so that the connection can be used again; the status says all.

    One that sends too much of it, too slowly or not as announced loses its connection, no more.
    """
    size = 0
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_REST_PATIENCE):
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > REST:
                    return
