"""Commands by HTTP: outcomes and problems as the claims service gives them."""

import json

import pytest

from tests.claims.orders import CREATE
from tests.web.conftest import AUDITOR, AYSE, DENIZ, JOHN, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNKNOWN = "abcdefab-0000-4000-8000-000000000000"


async def test_an_accepted_command_answers_its_outcome(site: Site, claim_id: str) -> None:
    """200 with the outcome's data, its id and the claim's version in headers."""
    response = await site.send(claim_id, "create_claim", CREATE, by=AYSE, Idempotency_Key="first-1")

    assert response.status_code == 200
    assert response.json() == {
        "command": "create_claim",
        "command_id": "first-1",
        "result": "accepted",
        "version": 1,
        "events": ["created"],
        "position": response.json()["position"],
    }
    assert response.headers["etag"] == '"1"'
    assert response.headers["idempotency-key"] == "first-1"


async def test_the_same_command_again_has_no_second_effect(site: Site, claim_id: str) -> None:
    """The same outcome; another content under the same id is a conflict."""
    first = await site.send(claim_id, "create_claim", CREATE, by=AYSE, Idempotency_Key="once")
    again = await site.send(claim_id, "create_claim", CREATE, by=AYSE, Idempotency_Key="once")
    other = await site.send(
        claim_id, "create_claim", CREATE | {"name": "Else"}, by=AYSE, Idempotency_Key="once"
    )

    assert again.json() == first.json()
    assert other.status_code == 409
    assert other.json()["type"] == "/problems/command_id_reused"


async def test_a_command_without_id_gets_one(site: Site, claim_id: str) -> None:
    """It is told, so that the caller can send the command again."""
    response = await site.send(claim_id, "create_claim", CREATE, by=AYSE)

    assert len(response.headers["idempotency-key"]) > 20
    assert response.json()["command_id"] == response.headers["idempotency-key"]


async def test_a_refusal_is_a_problem_with_its_own_status(site: Site, claim_id: str) -> None:
    """The claims service's problem, unchanged."""
    await site.draft(claim_id)

    response = await site.send(claim_id, "submit_claim", by=AYSE)

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/not_possible"
    assert response.json()["rule"] == "R2"


@pytest.mark.rule("R25")
async def test_who_may_not_send_a_command_is_refused(site: Site, claim_id: str) -> None:
    """A role that may not is 403; another organisation's claim is not there."""
    await site.draft(claim_id)

    assert (await site.send(claim_id, "submit_claim", by=AUDITOR)).status_code == 403
    for each in (claim_id, UNKNOWN):
        response = await site.send(each, "submit_claim", by=JOHN)
        assert response.status_code == 404
        assert response.json()["detail"] == "there is no such claim"
        assert "etag" not in response.headers


@pytest.mark.rule("R14")
async def test_a_stale_version_tells_what_changed(site: Site, claim_id: str) -> None:
    """If-Match carries the version that was seen."""
    await site.submitted(claim_id)

    response = await site.send(claim_id, "start_review", by=DENIZ, If_Match='"1"')

    assert response.status_code == 412
    assert response.json()["current_version"] == 3
    assert response.json()["changed"] == ["poe_attached", "submitted"]
    assert (await site.send(claim_id, "start_review", by=DENIZ, If_Match='"3"')).status_code == 200


@pytest.mark.parametrize("tag", ['W/"3"', "3", "*", '"3", "4"', '"-1"', '"three"', '""'])
async def test_only_one_strong_version_can_be_matched(site: Site, claim_id: str, tag: str) -> None:
    """Everything else in If-Match is named as wrong."""
    response = await site.send(claim_id, "submit_claim", by=AYSE, If_Match=tag)

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/If-Match"


@pytest.mark.parametrize("command_id", ["a.b", "a b", "*", "x" * 65, ""])
async def test_a_malformed_command_id_is_named(site: Site, claim_id: str, command_id: str) -> None:
    """Dots and wildcards have a meaning in subjects."""
    response = await site.send(claim_id, "submit_claim", by=AYSE, Idempotency_Key=command_id)

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/Idempotency-Key"


@pytest.mark.parametrize("wrong", [UNKNOWN.upper(), UNKNOWN.replace("-", ""), "x", "1*"])
async def test_a_claim_id_is_a_lower_case_uuid(site: Site, wrong: str) -> None:
    """In its usual form, as in subjects."""
    response = await site.send(wrong, "submit_claim", by=AYSE)

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/claim_id"


async def test_an_unknown_command_is_not_found(site: Site, claim_id: str) -> None:
    """No route, no command."""
    response = await site.send(claim_id, "delete_claim", by=AYSE)

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/not_found"


async def test_a_command_can_only_be_posted(site: Site, claim_id: str) -> None:
    """Other methods are told which one can."""
    response = await site.read(f"/api/claims/{claim_id}/submit_claim", by=AYSE)

    assert response.status_code == 405
    assert response.json()["type"] == "/problems/method_not_allowed"
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, None),
        (b"\xff{}", 400, None),
        (b'{"note": NaN}', 422, "/note"),
        (b'{"note": "a", "note": "b"}', 422, "/note"),
        (b'{"note": 1e999}', 422, "/note"),
        (b'{"note": "\\ud800"}', 422, "/note"),
        (b'{"remark": "a"}', 422, "/remark"),
        (b'{"note": 7}', 422, "/note"),
        (b"[]", 422, ""),
        (b"[" * 100_000, 400, None),
    ],
)
async def test_a_bad_body_is_refused_and_named(
    site: Site, claim_id: str, body: bytes, status: int, pointer: str | None
) -> None:
    """What can't be read is malformed; what can is named by its place. The next command works."""
    response = await site.client.post(
        f"/api/claims/{claim_id}/approve_claim",
        content=body,
        headers={"X-Cpor-Actor": DENIZ, "Content-Type": "application/json"},
    )

    assert response.status_code == status, response.text
    if pointer is not None:
        assert [each["pointer"] for each in response.json()["errors"]] == [pointer]
    await site.draft(claim_id)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
async def test_only_json_is_taken(site: Site, claim_id: str, headers: dict[str, str]) -> None:
    """Not what a form or a page of another site can send."""
    response = await site.client.post(
        f"/api/claims/{claim_id}/create_claim",
        content=json.dumps(CREATE),
        headers={"X-Cpor-Actor": AYSE, **headers},
    )

    assert response.status_code == 415
    assert response.json()["type"] == "/problems/unsupported_media_type"


async def test_the_callers_trace_goes_along(site: Site, claim_id: str) -> None:
    """A well-formed traceparent is part of the event's cause; a malformed one is ignored."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    await site.send(claim_id, "create_claim", CREATE, by=AYSE, traceparent=trace)
    await site.send(claim_id, "edit_claim", {"name": "Again"}, by=AYSE, traceparent="zz-1")

    traces = [cause.get("traceparent") for cause in await site.causes(claim_id)]
    assert traces == [trace, None]
