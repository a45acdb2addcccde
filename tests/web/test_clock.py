"""`POST /dev/clock`: time moves forward, and everything due on the way happens."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from psycopg import AsyncConnection

from services.settings import Settings
from tests.web.conftest import AYSE, CUSTOMER, DENIZ, OPERATOR, Freezer, Site, opened, running

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def move(site: Site, movement: dict[str, object], by: str = OPERATOR) -> httpx.Response:
    """Move the clock."""
    return await site.client.post("/dev/clock", json=movement, headers={"X-Cpor-Actor": by})


@pytest.mark.rule("R9")
async def test_moving_the_clock_lets_deadlines_pass(own_site: Site, claim_id: str) -> None:
    """It answers when all that came due is recorded and on the board."""
    assert (await move(own_site, {"set": "2031-05-20T09:00:00Z"})).json()["passed"] == 0
    await own_site.approved(claim_id)

    response = await move(own_site, {"advance": "P8DT1H"})

    assert response.status_code == 200
    assert response.json()["passed"] == 1
    assert response.json()["now"].startswith("2031-05-28T10:00:0")
    claim = (await own_site.read(f"/api/claims/{claim_id}", by=AYSE)).json()
    assert (claim["consent"], claim["assessment"]) == ("elapsed", "sent")
    late = await own_site.send(claim_id, "decline_consent", by=CUSTOMER)
    assert late.json()["type"] == "/problems/too_late"


@pytest.mark.rule("R26")
@pytest.mark.parametrize("period", ["P7D", "P30D"])
async def test_moving_the_clock_reminds_people_on_the_way(
    own_site: Site, claim_id: str, period: str
) -> None:
    """It answers when it is written down who is told, also of a clock that is over by then."""
    assert (await move(own_site, {"set": "2031-05-20T09:00:00Z"})).json()["passed"] == 0
    await own_site.approved(claim_id)

    assert (await move(own_site, {"advance": period})).status_code == 200

    async with await AsyncConnection.connect(own_site.settings.database_url) as store:
        rows = await store.execute("SELECT kind FROM cpor.notices WHERE version > 3")
        kinds = {kind for (kind,) in await rows.fetchall()}
    elapsed = {"consent_elapsed"} if period == "P30D" else set[str]()
    assert kinds == {"consent_notice", "approved", "consent_reminder"} | elapsed


async def test_the_clock_runs_back_only_while_nothing_happened(
    own_site: Site, claim_id: str
) -> None:
    """Then it is a conflict."""
    assert (await move(own_site, {"set": "2021-05-25T00:00:00Z"})).status_code == 200
    assert (await move(own_site, {"set": "2020-05-25T00:00:00+03:00"})).status_code == 200
    await own_site.draft(claim_id)

    response = await move(own_site, {"set": "2020-05-24T00:00:00Z"})

    assert response.status_code == 409
    assert response.json()["type"] == "/problems/not_possible"
    assert (await move(own_site, {"advance": "PT6H"})).status_code == 200


async def test_moving_it_by_nothing_is_no_conflict(own_site: Site, claim_id: str) -> None:
    """It waits for what is on its way, and lets nothing pass."""
    await own_site.approved(claim_id)

    response = await move(own_site, {"advance": "PT0S"})

    assert response.status_code == 200
    assert response.json()["passed"] == 0


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"advance": "5 days"}, "/advance"),
    ({"advance": "P"}, "/advance"),
    ({"advance": "P1DT"}, "/advance"),
    ({"advance": "P1M"}, "/advance"),
    ({"advance": "-P1D"}, "/advance"),
    ({"advance": 5}, "/advance"),
    ({"advance": "P99999999D"}, "/advance"),
    ({"advance": "P9999999999999D"}, "/advance"),
    ({"set": 5}, "/set"),
    ({"set": 0.5}, "/set"),
    ({"set": "1937433600"}, "/set"),
    ({"set": "2031-05-25T00:00:00"}, "/set"),
    ({"set": "2031-05-25"}, "/set"),
    ({"set": "2100-01-01T00:00:00Z"}, "/set"),
    ({"set": "2031-05-25T00:00:00Z", "advance": "P1D"}, ""),
    ({"set": None, "advance": "P1D"}, ""),
    ({"until": "P1D"}, "/until"),
    ({}, ""),
)


async def test_a_movement_that_is_none_is_refused(own_site: Site) -> None:
    """Each by its field."""
    for movement, pointer in WRONG:
        response = await move(own_site, movement)

        assert response.status_code == 422, movement
        assert response.json()["errors"][0]["pointer"] == pointer, movement


@pytest.mark.rule("R25")
async def test_only_operators_move_the_clock(own_site: Site) -> None:
    """Nobody else has a reason to."""
    assert (await move(own_site, {"advance": "P1D"}, by=DENIZ)).status_code == 403


async def test_a_move_that_could_never_end_is_not_begun(nowhere: Settings) -> None:
    """Without the services nothing that is due would happen."""
    async with opened(nowhere.model_copy(update={"clock": "simulated"})) as (_, client):
        response = await client.post(
            "/dev/clock", json={"set": "2031-01-01T00:00:00Z"}, headers={"X-Cpor-Actor": OPERATOR}
        )

    assert response.status_code == 503
    assert "timer" in response.json()["detail"]


@pytest.mark.fault(7)
async def test_a_move_ends_when_a_part_that_it_waits_for_stops(
    own_site: Site, claim_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which; the clock ticks from where it stood; the next move does what is left."""
    monkeypatch.setattr("services.web.clock.GIVE_UP_AFTER", 1.0)
    await own_site.approved(claim_id)
    async with move_without_the_timer(own_site) as moving:
        response = await moving

    assert response.status_code == 503
    assert response.json()["type"] == "/problems/unavailable"
    assert "timer" in response.json()["detail"]
    assert await is_ticking(own_site)
    own_site.services.start("timer")
    await own_site.until_ready()
    assert (await move(own_site, {"advance": "PT1M"})).status_code == 200
    history = (await own_site.read(f"/api/claims/{claim_id}/history", by=AYSE)).json()["items"]
    assert [item["event"] for item in history].count("consent_elapsed") == 1


async def test_a_move_ends_when_postgresql_stands_still(
    freezer: Freezer,
    nats_url: str,
    tmp_path: Path,
    claim_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When it goes on, so does the clock, though nobody could tell the clock before."""
    monkeypatch.setattr("services.web.clock.GIVE_UP_AFTER", 1.0)
    async with running(freezer.url, nats_url, tmp_path / "data") as site:
        await site.approved(claim_id)
        async with move_without_the_timer(site) as moving:
            await until(lambda: is_frozen(site))
            freezer.freeze()
            async with asyncio.timeout(60):
                response = await moving
            freezer.thaw()
        await until(lambda: is_ticking(site))

    assert response.status_code == 503
    assert "postgresql" in response.json()["detail"]


@asynccontextmanager
async def move_without_the_timer(site: Site) -> AsyncGenerator[asyncio.Task[httpx.Response]]:
    """A move over a due instant that has begun while everything ran; then the timer stopped."""
    async with await AsyncConnection.connect(site.settings.database_url) as mover:
        await mover.execute("SELECT pg_advisory_xact_lock(hashtext('cpor clock mover'))")
        moving = asyncio.create_task(move(site, {"advance": "P10D"}))
        await until(lambda: is_waited_for(mover))
        await site.services.stop("timer")
    yield moving


async def is_waited_for(mover: AsyncConnection) -> bool:
    """Whether somebody waits to be the next mover of the clock."""
    rows = await mover.execute(
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return await rows.fetchone() is not None


async def is_frozen(site: Site) -> bool:
    """Whether the clock stands still."""
    async with await AsyncConnection.connect(site.settings.database_url) as store:
        rows = await store.execute(
            "SELECT frozen_at IS NOT NULL FROM cpor.simulated_clock ORDER BY since DESC LIMIT 1"
        )
        return await rows.fetchone() == (True,)


async def is_ticking(site: Site) -> bool:
    """Whether it ticks."""
    return not await is_frozen(site)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until this holds, in PostgreSQL."""
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - the condition lives in other processes
            await asyncio.sleep(0.02)


@pytest.mark.asyncio(loop_scope="function")
async def test_the_machines_clock_is_not_moved(alone: httpx.AsyncClient) -> None:
    """Without the simulated clock there is nothing to move."""
    response = await alone.post(
        "/dev/clock", json={"advance": "P1D"}, headers={"X-Cpor-Actor": OPERATOR}
    )

    assert response.status_code == 404
    assert "CPOR_CLOCK" in response.json()["detail"]
