"""Who is calling, by `X-Cpor-Actor`."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("reviewer", "not of the form"),
        ("reviewer;;deniz;more", "not of the form"),
        ("boss;;deniz", "unknown role"),
        ("reviewer;1234567;deniz", "acts for no organisation"),
        ("incentives_admin;;ayse", "org is missing"),
        ("incentives_admin;12 34;ayse", "the org must be 1 to 64 of"),
        ("reviewer;;", "the id must be 1 to 128 of"),
        ("", "not of the form"),
    ],
)
async def test_a_malformed_caller_is_told_what_is_wrong(
    alone: httpx.AsyncClient, header: str, detail: str
) -> None:
    """A caller that can't be understood is nobody."""
    response = await alone.get("/api/claims", headers={"X-Cpor-Actor": header})

    assert response.status_code == 401
    assert response.json()["type"] == "/problems/unauthenticated"
    assert detail in response.json()["detail"]
    assert response.headers["www-authenticate"]


async def test_no_caller_is_told_what_to_send(alone: httpx.AsyncClient) -> None:
    """Without the header the detail says which one it is."""
    response = await alone.get("/api/claims")

    assert response.status_code == 401
    assert "X-Cpor-Actor" in response.json()["detail"]


async def test_two_callers_are_nobody(alone: httpx.AsyncClient) -> None:
    """A header sent twice could be read in two ways."""
    response = await alone.get(
        "/api/claims",
        headers=[("X-Cpor-Actor", "auditor;;a"), ("X-Cpor-Actor", "operator;;b")],
    )

    assert response.status_code == 401
