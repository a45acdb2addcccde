"""Two of each service, both active: as if neither knew of the lock that keeps them apart."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from services import projector, relay, timer
from services.claims import worker
from services.leadership import Term
from tests.faults.conftest import CONSENT_DUE, Build
from tests.system.workload import Workload
from tests.web.conftest import Services

NAMES = ("claims", "relay", "projector", "timer")
ELAPSED = "claim.consent_elapsed"


@asynccontextmanager
async def no_leadership(*_: object) -> AsyncGenerator[Term]:
    """Everybody leads."""
    yield Term()


@pytest.mark.fault(50)
async def test_two_of_everything_lose_double_and_reorder_nothing(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a mixed load, and when many deadlines fall due at one instant."""
    for module in (worker, relay, projector, timer):
        monkeypatch.setattr(module, "leadership", no_leadership)
    async with build() as plant:
        second = Services(plant.site.settings)
        for name in NAMES:
            second.start(name)
        try:
            await Workload(plant.upstream, "pair").run(40)
            claims = await plant.approve(*range(50))
            await plant.settle()
            await plant.set_clock(CONSENT_DUE)
            await plant.until_logged(ELAPSED, len(claims), of=claims)
            await plant.check(CONSENT_DUE)
        finally:
            await second.stop_all()
