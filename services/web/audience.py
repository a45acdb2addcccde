"""The pages that are open, and who of their readers hears which changes of the board.

One connection to PostgreSQL hears how far the board has come, and reads which claims that was
about: what nobody may read, nobody is told, not even that it is there (R25).
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from domain.access import may_read, may_read_internal_notes
from domain.actor import Actor
from domain.refusal import Refusal
from domain.vocabulary import Status
from projections.board_table import ClaimBoard
from projections.position import CHANNEL, reached
from services.backoff import Backoff
from services.database import KEEPALIVES, limited
from services.web.backend import Backend
from services.web.problem import Unavailable

MOST_EVENTS: Final = 500
"""Events that are looked through for what to tell; after more of them pages are told to refresh."""
MOST_WAITING: Final = 200
"""Claims that wait for a slow reader; with more it is told to refresh instead."""
MOST_PAGES: Final = 12
"""Pages that one person may have open."""
_PATIENCE: Final = 5.0
"""Seconds that PostgreSQL has to answer."""

_log = structlog.get_logger(__name__)


class TooManyPages(Refusal):
    """One person has more pages open than are kept up to date."""

    code = "rate_limited"


class Change(NamedTuple):
    """A claim that changed, and what decides who may know."""

    claim_id: UUID
    org: str
    status: Status
    is_internal: bool = False
    """Nothing came but reviewers' internal notes: for who may not see those, nothing changed."""

    def concerns(self, reader: Actor) -> bool:
        """Whether the reader may know of it (R24, R25)."""
        if self.is_internal and not may_read_internal_notes(reader):
            return False
        return may_read(reader, org=self.org, status=self.status)


class Page:
    """An open page: what is to be told to it, and has not been taken yet."""

    def __init__(self, reader: Actor, position: int) -> None:
        self._reader = reader
        self._position = position
        self._changed: set[UUID] = set()
        self._must_refresh = False
        self._woken = asyncio.Event()

    def tell(self, changes: Sequence[Change] | None, position: int) -> None:
        """Note what the page's reader may know of the changes; None stands for too many."""
        if changes is not None:
            self._changed.update(each.claim_id for each in changes if each.concerns(self._reader))
        if changes is None or len(self._changed) > MOST_WAITING:
            self._must_refresh = True
            self._changed.clear()
        self._position = max(self._position, position)
        if self._changed or self._must_refresh:
            self._woken.set()

    def wake(self) -> None:
        """Let whoever waits for something look up."""
        self._woken.set()

    async def take(self, patience: float) -> str:
        """What is to be told by now, as a part of the stream; a sign of life after patience."""
        try:
            async with asyncio.timeout(patience):
                await self._woken.wait()
        except TimeoutError:
            return ":\n\n"
        self._woken.clear()
        if self._must_refresh:
            told = f"event: refresh\ndata: {self._position}\n"
        else:
            told = "\n".join(f"event: claim\ndata: {each}\n" for each in sorted(self._changed))
        self._must_refresh = False
        self._changed.clear()
        return f"{told}id: {self._position}\n\n" if told else ""


class Live:
    """The open pages of this process, and how far they have been told what the board shows."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._pages: dict[Page, Actor] = {}
        self._seen = 0
        self.has_ended = False

    async def keep(self) -> None:
        """Tell pages what changes, whatever becomes of PostgreSQL meanwhile; never ends.

        What changed while the connection was lost is told as soon as there is another one.
        """
        address = make_conninfo(
            self._backend.settings.database_url,
            application_name="cpor web live",
            connect_timeout=int(_PATIENCE),
            **KEEPALIVES,
        )
        backoff, complained = Backoff(0.2, 5.0), False
        while True:
            try:
                async with await AsyncConnection.connect(address, autocommit=True) as store:
                    await store.execute(f"LISTEN {CHANNEL}")
                    await self._tell_until(store, await reached(store, ClaimBoard.name))
                    backoff.reset()
                    complained = False
                    while True:
                        await self._tell_until(store, await _further(store, self._seen))
            except psycopg.Error as error:
                if not complained:
                    _log.warning("live_interrupted", error=str(error) or type(error).__name__)
                complained = True
            await asyncio.sleep(backoff.next())

    @contextmanager
    def page(self, reader: Actor, position: int) -> Generator[Page]:
        """A page that is open as long as the block lasts."""
        page = Page(reader, position)
        self._pages[page] = reader
        try:
            yield page
        finally:
            del self._pages[page]

    def require_room(self, reader: Actor) -> None:
        """Raise TooManyPages, or Unavailable once the process ends."""
        if self.has_ended:
            raise Unavailable("the system is being stopped")
        if sum(each == reader for each in self._pages.values()) >= MOST_PAGES:
            raise TooManyPages(f"{MOST_PAGES} pages are open already")

    async def catch_up(self, page: Page, since: int) -> None:
        """Tell a page that was just opened what came after the position that it shows."""
        seen = self._seen
        if since < seen:
            async with self._backend.pool.connection() as connection:
                page.tell(await _changes(connection, since, seen), seen)

    def end(self) -> None:
        """End the streams of all pages: the process is told to stop."""
        self.has_ended = True
        for page in self._pages:
            page.wake()

    async def _tell_until(self, store: AsyncConnection, position: int) -> None:
        """Tell what came up to this position. What nobody would hear is not looked for."""
        if position <= self._seen:
            return
        seen = self._seen
        if self._pages:
            with limited(store, _PATIENCE):
                changes = await _changes(store, seen, position)
            for page in self._pages:
                page.tell(changes, position)
        self._seen = position


async def _further(store: AsyncConnection, seen: int) -> int:
    """Wait until the board has come further than seen: how far."""
    position = seen
    while position <= seen:
        async for notice in store.notifies(stop_after=1):
            position = max(position, int(notice.payload))
    return position


async def _changes(connection: AsyncConnection, after: int, until: int) -> Sequence[Change] | None:
    """The claims on the board that these positions are about; None when there are too many."""
    if until - after > MOST_EVENTS:
        return None
    rows = await connection.execute(_CHANGED, [after, until])
    return [
        Change(claim_id, org, Status(status), is_internal)
        for claim_id, org, status, is_internal in await rows.fetchall()
    ]


_CHANGED: Final = """
SELECT claim_id, org, status, is_internal FROM cpor.claim_board JOIN (
    SELECT originator_id, bool_and(
        topic = 'claim.commented'
        AND (convert_from(state, 'utf8')::json->>'internal')::boolean IS TRUE
    ) AS is_internal
    FROM cpor.stored_events WHERE notification_id > %s AND notification_id <= %s
    GROUP BY originator_id
) AS changed ON claim_id = originator_id
"""
