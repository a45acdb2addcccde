"""An event log that the notifier has read, without those who bring it there."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection

from domain.claim import ClaimEvent
from services.event_log import Placed
from services.notifier import outbox
from services.notifier.worker import Notifier
from services.settings import Settings
from services.store import EventStoreApplication
from tests.domain.examples import CLAIM_ID


class Log:
    """The log, and the notifier that hears of it."""

    def __init__(self, settings: Settings, store: AsyncConnection) -> None:
        self.store = store
        self._events = EventStoreApplication(settings.database_url)
        self._notifier = Notifier(settings)
        self._versions: dict[UUID, int] = {}

    def append(self, *facts: ClaimEvent, claim_id: UUID = CLAIM_ID) -> Sequence[Placed]:
        """Let a claim's next facts happen, which nobody hears of yet; where they stand."""
        version = self._versions.get(claim_id, 0)
        placed = [
            fact.model_copy(update={"originator_id": claim_id, "originator_version": number})
            for number, fact in enumerate(facts, start=version + 1)
        ]
        self._versions[claim_id] = version + len(placed)
        return [
            Placed(position, fact)
            for position, fact in zip(self._events.append(placed), placed, strict=True)
        ]

    async def happen(self, *facts: ClaimEvent, claim_id: UUID = CLAIM_ID) -> Sequence[int]:
        """Let a claim's next facts happen, and the notifier hear of them; their positions."""
        batch = self.append(*facts, claim_id=claim_id)
        await self._notifier.take_in(self.store, batch)
        return [placed.position for placed in batch]

    async def remind(self, now: datetime) -> None:
        """Let the reminders be due."""
        await outbox.remind(self.store, now)

    def close(self) -> None:
        """Give the connections back."""
        self._events.close()


@asynccontextmanager
async def open_log(database_url: str) -> AsyncGenerator[Log]:
    """The log of a database."""
    settings = Settings(database_url=database_url, smtp_url="unix:/nowhere")
    async with await AsyncConnection.connect(settings.database_url, autocommit=True) as store:
        log = Log(settings, store)
        try:
            yield log
        finally:
            log.close()
