"""The courier: sends the notices of the outbox, several at once, until the mail server has them.

A worker holds a notice by the lock of its row while it speaks to the mail server, and records the
answer in that transaction. So a notice is sent by one worker only; and when a process dies, what it
held is free again. Between the server's answer and that commit lies the one window in which a crash
has a mail sent twice: nothing else is done there.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.notice import Recipient
from services.backoff import Backoff, jittered
from services.clock import real_now
from services.database import KEEPALIVES
from services.health import Report, State
from services.notifier import outbox
from services.notifier.outbox import Waiting
from services.notifier.post import MailServer, Post, PostUnreachable, Refused
from services.notifier.writer import Undeliverable, Unwanted, Writer, Written
from services.settings import Settings

WORKERS: Final = 4
"""Mails that are under way at once."""
PAGE: Final = 200
"""Notices that are looked up at once."""
DIGEST: Final = 100
"""Notices that one mail to the reviewers tells of, at most."""
LOOK: Final = 1.0
"""Seconds after which the courier looks around although nothing was notified."""
FIRST_AGAIN: Final = timedelta(minutes=1)
"""After how long a mail is tried again that was refused for the time being, or half of that; then
twice as long."""
LONGEST_AGAIN: Final = timedelta(hours=4)
GIVE_UP: Final = timedelta(days=3)
"""After which a mail that is refused again and again is parked."""
HOUR: Final = timedelta(hours=1)
_SHORTEST, _LONGEST = 0.5, 60.0
"""Seconds between two tries to reach a mail server that is not there."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """The mail server has taken it, and that is yet to be recorded."""

    address_digest: bytes
    words: str


class Courier:
    """Sends what waits, for as long as it runs."""

    def __init__(self, settings: Settings, *, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._server = MailServer.at(settings.smtp_url)
        self._domain = settings.mail_from.rpartition("@")[2]
        self._tls = tls
        self._writer = Writer(settings)
        self._unreachable: PostUnreachable | None = None
        self._accepted: dict[int, _Accepted] = {}
        """By notice; kept when the database breaks off between the answer and its record."""

    async def run(self, stopping: asyncio.Event, report: Report) -> None:
        """Send until told to stop."""
        url = self._settings.database_url
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                await AsyncConnection.connect(url, autocommit=True)
            )
            await store.execute(f"LISTEN {outbox.CHANNEL}")
            await self._writer.make_keys(store)
            waiting = await outbox.still_waiting(store, self._accepted)
            self._accepted = {each: self._accepted[each] for each in waiting}
            pool = await stack.enter_async_context(
                AsyncConnectionPool[AsyncConnection](
                    url,
                    kwargs=dict(KEEPALIVES),
                    min_size=0,
                    max_size=WORKERS,
                    open=False,
                    name="courier",
                )
            )
            posts = [Post(self._server.session(self._domain, self._tls)) for _ in range(WORKERS)]
            for post in posts:
                stack.push_async_callback(post.rest)
            pauses = Backoff(_SHORTEST, _LONGEST)
            while not stopping.is_set():
                await self._turn(store, pool, posts, stopping)
                if self._unreachable:
                    report(State.RUNNING, f"mails wait: {self._unreachable}")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pauses.next()):
                            await stopping.wait()
                    continue
                pauses.reset()
                report(State.RUNNING, "")
                await _until_next(store, posts)

    async def _turn(
        self,
        store: AsyncConnection,
        pool: AsyncConnectionPool[AsyncConnection],
        posts: Sequence[Post],
        stopping: asyncio.Event,
    ) -> None:
        """Send what is due, each worker what comes next.

        When one of them fails, or all is broken off from outside, each still ends the mail that it
        is at: nobody else would know whether the server has taken it.
        """
        self._unreachable = None
        ahead = deque(await outbox.due(store, PAGE))
        work = asyncio.gather(
            *(self._work(pool, post, ahead, stopping) for post in posts), return_exceptions=True
        )
        try:
            ends = await asyncio.shield(work)
        except asyncio.CancelledError:
            ahead.clear()
            if stopping.is_set():  # it had its time to end
                work.cancel()
            await work
            raise
        for failure in filter(None, ends):
            raise failure

    async def _work(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        post: Post,
        ahead: deque[int],
        stopping: asyncio.Event,
    ) -> None:
        while ahead and not stopping.is_set() and not self._unreachable:
            notice_id = ahead.popleft()
            try:
                async with pool.connection() as connection:  # commits at its end
                    notices = await self._deliver(connection, post, notice_id)
            except PostUnreachable as error:
                self._unreachable = error
            except BaseException:
                ahead.clear()
                raise
            else:
                for each in notices:
                    self._accepted.pop(each, None)

    async def _deliver(
        self, connection: AsyncConnection, post: Post, notice_id: int
    ) -> Sequence[int]:
        """Send a notice and what goes with it; the notices that something was recorded of."""
        notice = await outbox.take(connection, notice_id)
        if notice is None:
            return [notice_id]
        if (accepted := self._accepted.get(notice_id)) is not None:
            await _record(connection, [notice_id], accepted)
            return [notice_id]
        notices = [notice]
        if notice.recipient is Recipient.REVIEWERS:
            waiting = await outbox.take_all(connection, notice.recipient, DIGEST)
            known = {notice_id, *self._accepted}
            notices += [each for each in waiting if each.notice_id not in known]
        ids = [each.notice_id for each in notices]
        try:
            written = await self._writer.write(connection, notices)
        except Undeliverable as nobody:
            await outbox.parked(connection, ids, str(nobody))
            return ids
        except Unwanted as unwanted:
            ids = [each.notice_id for each in unwanted.notices]
            await outbox.dropped(connection, ids, str(unwanted))
            return ids
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours with one mail holds up no other
            ids = await self._unwritable(connection, notices)
            _log.error("mail_not_written", notices=ids, exc_info=error)
            # Not in its words: they may hold a name, and the outbox holds none (R30).
            await outbox.parked(connection, ids, f"it can't be written: {type(error).__name__}")
            return ids
        wait = await self._wait_for_turn(connection, notice.recipient, written)
        if wait > timedelta(0):
            words = "this address has been sent enough mails for now"
            await outbox.later(connection, ids, wait, words, tried=False)
            return ids
        try:
            words = await post.send(written.message, self._settings.mail_from, written.address)
        except Refused as refused:
            await _refused(connection, notices, refused)
            return ids
        accepted = _Accepted(written.address_digest, words)
        self._accepted |= dict.fromkeys(ids, accepted)
        await _record(connection, ids, accepted)
        return ids

    async def _unwritable(
        self, connection: AsyncConnection, notices: Sequence[Waiting]
    ) -> list[int]:
        """Those of which no mail can be written; all of them when it is none by itself."""
        unwritable: list[int] = []
        for each in notices:
            try:
                await self._writer.write(connection, [each])
            except Unwanted:
                continue
            except psycopg.Error:
                raise
            except Exception:  # noqa: BLE001 - what is wrong with them together was told
                unwritable.append(each.notice_id)
        return unwritable or [each.notice_id for each in notices]

    async def _wait_for_turn(
        self, connection: AsyncConnection, recipient: Recipient, written: Written
    ) -> timedelta:
        """How long the recipient is left in peace: reviewers between mails, others by the hour."""
        if recipient is Recipient.REVIEWERS:
            number, peace = 0, timedelta(seconds=self._settings.reviewers_pause)
        elif self._settings.mails_an_hour:
            number, peace = self._settings.mails_an_hour - 1, HOUR
        else:
            return timedelta(0)
        await outbox.one_at_a_time(connection, written.address_digest)
        since = await outbox.since_mail(connection, written.address_digest, number)
        return timedelta(0) if since is None else peace - since


async def _record(connection: AsyncConnection, notices: Sequence[int], accepted: _Accepted) -> None:
    await outbox.sent(connection, notices, accepted.address_digest, accepted.words)


async def _refused(
    connection: AsyncConnection, notices: Sequence[Waiting], refused: Refused
) -> None:
    """Try again later, or park what was refused for good or for too long."""
    ids = [each.notice_id for each in notices]
    first = notices[0]
    if refused.for_good or real_now() - first.created_at > GIVE_UP:
        _log.warning("mail_parked", notices=ids, kind=first.kind, words=str(refused))
        await outbox.parked(connection, ids, str(refused))
        return
    longest = min(FIRST_AGAIN * 2**first.attempts, LONGEST_AGAIN)
    wait = timedelta(seconds=jittered(longest.total_seconds()))
    await outbox.later(connection, ids, wait, str(refused))


async def _until_next(store: AsyncConnection, posts: Sequence[Post]) -> None:
    """Until a notice is due, is added, or it is time to look around."""
    wait = await outbox.next_in(store)
    if wait is not None and wait <= 0:
        return
    for post in posts:
        await post.rest()
    async for _ in store.notifies(timeout=LOOK if wait is None else min(LOOK, wait), stop_after=1):
        pass
