"""The notifier is killed while it tells webhooks: nothing is left out or told out of order."""

from pathlib import Path
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from services import webhook
from services.store import EventStoreApplication
from tests.domain.examples import UNDER_REVIEW
from tests.system.rig import running
from tests.webhooks.receiver import is_genuine, receiver

CLAIMS = 50
KILLS = 3


@pytest.mark.fault(77)
@pytest.mark.timeout(240)
async def test_a_killed_notifier_goes_on_where_it_stood(tmp_path: Path) -> None:
    """What is told twice is known by the same id and says the same."""
    events = [
        fact.model_copy(update={"originator_id": UUID(int=number), "originator_version": version})
        for number in range(1, CLAIMS + 1)
        for version, fact in enumerate(UNDER_REVIEW, start=1)
    ]
    expected = [f"{fact.originator_id}-{fact.originator_version}" for fact in events]
    async with (
        running(tmp_path, names=("relay", "notifier")) as system,
        receiver() as upstream,
        await AsyncConnection.connect(system.settings.database_url, autocommit=True) as store,
    ):
        await system.until_running()
        added = await webhook.add(store, upstream.url, None, [])
        application = EventStoreApplication(system.settings.database_url)
        application.append(events)
        application.close()
        for kill in range(1, KILLS + 1):
            await upstream.until(len(upstream.requests) + CLAIMS // KILLS)
            upstream.open.clear()  # it is killed while it waits for an answer
            await upstream.until(len(upstream.requests) + 1)
            await system.kill("notifier")
            upstream.open.set()
            assert len(upstream.requests) < len(expected), f"it was too late for kill {kill}"
        await upstream.until_known(expected[-1])

    assert list(dict.fromkeys(upstream.ids)) == expected
    assert len({(request.message_id, request.body) for request in upstream.requests}) == len(
        expected
    )
    assert len(upstream.requests) > len(expected)
    assert all(is_genuine(request, added.secret) for request in upstream.requests)
