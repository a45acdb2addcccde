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
from datetime import timedelta
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.notice import Recipient
from services.backoff import Backoff, doubled, jittered
from services.clock import real_now
from services.database import KEEPALIVES, SERVER_KEEPALIVES, with_settings
from services.health import Report, State
from services.notifier import outbox, preference
from services.notifier.mail_key import mail_key
from services.notifier.outbox import Accepted, Waiting
from services.notifier.post import MailServer, Post, PostUnreachable, Refused, Unanswered
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
PARTING: Final = 30.0
"""Seconds that mails under way have to end when all else breaks."""
GIVE_UP: Final = timedelta(days=3)
"""After which a mail that is refused again and again is parked."""
UNANSWERED: Final = 4
"""Tries after which a mail is parked over which the server breaks off each time: it may have
arrived as often."""
HOUR: Final = timedelta(hours=1)
_ENOUGH: Final = "this address has been sent enough mails for now"
_SHORTEST, _LONGEST = 0.5, 60.0
"""Seconds between two tries to reach a mail server that is not there."""

_log = structlog.get_logger(__name__)


class Courier:
    """Sends what waits, for as long as it runs."""

    def __init__(self, settings: Settings, *, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._server = MailServer.at(settings.smtp_url)
        self._domain = settings.mail_from.rpartition("@")[2]
        self._tls = tls
        self._writer = Writer(settings)
        self._unreachable: PostUnreachable | None = None
        self._reviewers = b""
        """What their address is known by."""
        self._has_more = False
        """Whether the last digest for reviewers could not hold all."""
        self._accepted: dict[int, Accepted] = {}
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
            self._reviewers = preference.digest_of(
                await mail_key(store), self._settings.reviewers_email
            )
            waiting = await outbox.still_waiting(store, self._accepted)
            self._accepted = {each: self._accepted[each] for each in waiting}
            pool = await stack.enter_async_context(
                AsyncConnectionPool[AsyncConnection](
                    with_settings(url, **SERVER_KEEPALIVES),
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
                has_moved = await self._turn(store, pool, posts, stopping)
                if self._unreachable:
                    report(State.RUNNING, f"mails wait: {self._unreachable}")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pauses.next()):
                            await stopping.wait()
                    continue
                pauses.reset()
                report(State.RUNNING, "")
                await _until_next(store, posts, has_moved=has_moved)

    async def _turn(
        self,
        store: AsyncConnection,
        pool: AsyncConnectionPool[AsyncConnection],
        posts: Sequence[Post],
        stopping: asyncio.Event,
    ) -> bool:
        """Send what is due, each worker what comes next; whether anything has moved.

        When one of them fails, or all is broken off from outside, each may still end the mail that
        it is at: nobody else would know whether the server has taken it.
        """
        self._unreachable = None
        ahead = deque(await outbox.due(store, PAGE))
        work = [
            asyncio.create_task(self._work(pool, post, ahead, stopping), name="courier")
            for post in posts
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            ahead.clear()
            await _part(work, 0.0 if stopping.is_set() else PARTING)
        for each in work:
            if not each.cancelled() and (failure := each.exception()) is not None:
                raise failure
        return any(each.result() for each in work)

    async def _work(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        post: Post,
        ahead: deque[tuple[int, Recipient]],
        stopping: asyncio.Event,
    ) -> bool:
        """Send what is ahead, one after the other; whether anything has moved."""
        has_moved = False
        while ahead and not stopping.is_set() and not self._unreachable:
            notice_id, recipient = ahead.popleft()
            try:
                async with pool.connection() as connection:  # commits at its end
                    notices = await self._deliver(connection, post, notice_id, recipient)
            except PostUnreachable as error:
                self._unreachable = error
            except BaseException:
                ahead.clear()
                raise
            else:
                has_moved |= bool(notices)
                for each in notices:
                    self._accepted.pop(each, None)
        return has_moved

    async def _deliver(
        self, connection: AsyncConnection, post: Post, notice_id: int, recipient: Recipient
    ) -> Sequence[int]:
        """Send a notice and what goes with it; the notices that something was recorded of."""
        is_for_reviewers = recipient is Recipient.REVIEWERS
        # Before any notice is taken: what another worker held would be missing from the digest.
        if is_for_reviewers and not await outbox.one_at_a_time(connection, self._reviewers):
            return []
        notice = await outbox.take(connection, notice_id)
        if notice is None:
            return []
        if (accepted := self._accepted.get(notice_id)) is not None:
            await outbox.sent(connection, [notice_id], accepted)
            return [notice_id]
        notices = [notice]
        if is_for_reviewers and not notice.alone:
            if not await self._may_tell_reviewers(connection):
                return []
            notices += await self._due_with(connection, notice)
        written = await self._written(connection, notices)
        if written is None:
            return [notice_id]
        if not is_for_reviewers and not await self._may_tell(
            connection, notice_id, written.address_digest
        ):
            return []
        await self._hand_over(connection, post, notices, written)
        return [each.notice_id for each in notices]

    async def _may_tell_reviewers(self, connection: AsyncConnection) -> bool:
        """Whether reviewers have had their pause; else all that is due for them waits for its end.

        None comes between digests of which one alone could not hold all that was due.
        """
        if self._has_more:
            return True
        pause = timedelta(seconds=self._settings.reviewers_pause)
        until = await outbox.left_in_peace_until(connection, self._reviewers, 0, pause)
        if until is None or until <= real_now():
            return True
        await outbox.all_later(connection, Recipient.REVIEWERS, until, _ENOUGH)
        return False

    async def _may_tell(
        self, connection: AsyncConnection, notice_id: int, address_digest: bytes
    ) -> bool:
        """Whether the address has not had its mails of an hour yet; else the notice waits."""
        most = self._settings.mails_an_hour
        if not most:
            return True
        if not await outbox.one_at_a_time(connection, address_digest):
            return False
        until = await outbox.left_in_peace_until(connection, address_digest, most - 1, HOUR)
        if until is None or until <= real_now():
            return True
        await outbox.later(connection, [notice_id], until, _ENOUGH)
        return False

    async def _due_with(self, connection: AsyncConnection, notice: Waiting) -> list[Waiting]:
        """What else is due for the recipient of a notice."""
        due = await outbox.take_all(connection, notice.recipient, DIGEST)
        self._has_more = len(due) == DIGEST
        known = {notice.notice_id, *self._accepted}
        return [each for each in due if each.notice_id not in known]

    async def _written(
        self, connection: AsyncConnection, notices: Sequence[Waiting]
    ) -> Written | None:
        """The mail; None when it can't be sent as it is: why is recorded of those to blame."""
        try:
            return await self._writer.write(connection, notices)
        except Undeliverable as reason:
            await outbox.parked(connection, _ids(reason.notices), str(reason))
        except Unwanted as reason:
            await outbox.dropped(connection, _ids(reason.notices), str(reason))
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours with one mail holds up no other
            ids = await self._unwritable(connection, notices)
            _log.error("mail_not_written", notices=ids, exc_info=error)
            # Not in its words: they may hold a name, and the outbox holds none (R30).
            await outbox.parked(connection, ids, f"it can't be written: {type(error).__name__}")
        return None

    async def _hand_over(
        self,
        connection: AsyncConnection,
        post: Post,
        notices: Sequence[Waiting],
        written: Written,
    ) -> None:
        """Give the mail to the server, and record its answer."""
        ids = _ids(notices)
        try:
            words = await post.send(written.message, self._settings.mail_from, written.address)
        except Refused as refused:
            if refused.for_good and refused.for_recipient:
                await _parked(connection, notices, str(refused))
            else:
                await _refused(connection, notices, str(refused), for_good=refused.for_good)
        except Unanswered as broken_off:
            is_enough = max(each.attempts for each in notices) + 1 >= UNANSWERED
            await _refused(connection, notices, f"no answer: {broken_off}", for_good=is_enough)
        except PostUnreachable:
            raise
        except Exception as error:  # noqa: BLE001 - a defect with one mail holds up no other
            _log.error("mail_not_sent", notices=ids, exc_info=error)
            words = f"it can't be sent: {type(error).__name__}"
            await _refused(connection, notices, words, for_good=True)
        else:
            accepted = Accepted(ids[0], written.address_digest, words)
            self._accepted |= dict.fromkeys(ids, accepted)
            await outbox.sent(connection, ids, accepted)

    async def _unwritable(
        self, connection: AsyncConnection, notices: Sequence[Waiting]
    ) -> list[int]:
        """Those of which no mail can be written; all of them when it is none by itself."""
        unwritable: list[int] = []
        for each in notices:
            try:
                await self._writer.write(connection, [each])
            except (Undeliverable, Unwanted):
                continue
            except psycopg.Error:
                raise
            except Exception:  # noqa: BLE001 - what is wrong with them together was told
                unwritable.append(each.notice_id)
        return unwritable or _ids(notices)


def _ids(notices: Sequence[Waiting]) -> list[int]:
    return [each.notice_id for each in notices]


async def _refused(
    connection: AsyncConnection, notices: Sequence[Waiting], words: str, *, for_good: bool
) -> None:
    """Try again later, or park what was refused for good or for too long.

    What several were refused for may be one's fault: each of them is then tried by itself.
    """
    ids = _ids(notices)
    if for_good and len(ids) > 1:
        await outbox.alone(connection, ids, words)
    elif for_good:
        await _parked(connection, notices, words)
    else:
        attempts = max(each.attempts for each in notices)
        longest = doubled(FIRST_AGAIN.total_seconds(), LONGEST_AGAIN.total_seconds(), attempts)
        wait = timedelta(seconds=jittered(longest))
        parked = await outbox.refused(connection, ids, words, wait=wait, give_up=GIVE_UP)
        if parked:
            _log.warning("mail_parked", notices=parked, words=words)


async def _parked(connection: AsyncConnection, notices: Sequence[Waiting], words: str) -> None:
    ids = _ids(notices)
    await outbox.parked(connection, ids, words)
    _log.warning("mail_parked", notices=ids, words=words)


async def _part(work: Sequence[asyncio.Task[bool]], seconds: float) -> None:
    """Let those that are still at work end by themselves for so long, and then at once."""
    under_way = [each for each in work if not each.done()]
    if under_way:
        await asyncio.wait(under_way, timeout=seconds)
        for each in under_way:
            each.cancel()
        await asyncio.wait(under_way)


async def _until_next(store: AsyncConnection, posts: Sequence[Post], *, has_moved: bool) -> None:
    """Until a notice is due, is added, or it is time to look around.

    What is due and did not move is in another session's hands: it is looked for again in a while.
    """
    wait = await outbox.next_in(store)
    if wait is not None and wait <= 0:
        if has_moved:
            return
        wait = LOOK
    for post in posts:
        await post.rest()
    async for _ in store.notifies(timeout=LOOK if wait is None else min(LOOK, wait), stop_after=1):
        pass
