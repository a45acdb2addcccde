"""`POST /dev/clock`: time moves forward, and everything due on the way happens."""

import httpx
import pytest

from services.settings import Settings
from tests.web.conftest import AYSE, CUSTOMER, DENIZ, OPERATOR, Site, opened


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


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"advance": "5 days"}, "/advance"),
    ({"advance": "P"}, "/advance"),
    ({"advance": "P1DT"}, "/advance"),
    ({"advance": "P1M"}, "/advance"),
    ({"advance": "-P1D"}, "/advance"),
    ({"advance": 5}, "/advance"),
    ({"advance": "P99999999D"}, "/advance"),
    ({"advance": "P9999999999999D"}, "/advance"),
    ({"set": "2031-05-25T00:00:00"}, "/set"),
    ({"set": "2031-05-25"}, "/set"),
    ({"set": "2100-01-01T00:00:00Z"}, "/set"),
    ({"set": "2031-05-25T00:00:00Z", "advance": "P1D"}, ""),
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


async def test_the_machines_clock_is_not_moved(alone: httpx.AsyncClient) -> None:
    """Without the simulated clock there is nothing to move."""
    response = await alone.post(
        "/dev/clock", json={"advance": "P1D"}, headers={"X-Cpor-Actor": OPERATOR}
    )

    assert response.status_code == 404
    assert "CPOR_CLOCK" in response.json()["detail"]
