"""The notifier as a whole: its parts tell together how it is."""

import asyncio

import pytest

from services.connection import connected
from services.health import State
from services.notifier.worker import Notifier
from services.settings import Settings
from services.streams import EVENTS, prepare
from tests.notifier.mail_server import PATIENCE
from tests.notifier.rig import until_well
from tests.service import Reports, running

pytestmark = pytest.mark.rule("R26")


async def until_said(reports: Reports, state: State) -> None:
    """Wait until it says that of itself."""
    async with asyncio.timeout(PATIENCE):
        while reports.states[-1][0] is not state:  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.02)


async def test_who_hears_nothing_is_not_well_though_mails_are_sent(
    nats_url: str, settings: Settings
) -> None:
    """Without its stream it says so, whatever the courier says meanwhile."""
    wired = settings.model_copy(update={"nats_url": nats_url})
    await prepare(nats_url)
    async with (
        connected(nats_url, "test", 10.0) as nats,
        running(Notifier(wired), wired, nats) as reports,
    ):
        await until_well(reports)
        await nats.js.delete_stream(EVENTS)
        await until_said(reports, State.FAILING)
        said = len(reports.states)
        async with asyncio.timeout(PATIENCE):
            while len(reports.states) < said + 3:  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.02)
        assert {state for state, _ in reports.states[said:]} == {State.FAILING}
