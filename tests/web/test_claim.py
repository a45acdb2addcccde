"""Reading claims over HTTP."""

import asyncio
from time import monotonic

import pytest

from tests.claims.orders import CREATE
from tests.web.conftest import ASSESSOR, AUDITOR, AYSE, CUSTOMER, DENIZ, JOHN, OPERATOR, PROOF, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIELDS = [
    *("claim_id", "version", "name", "org", "mpn_id", "customer", "solution_area", "activities"),
    *("products", "subscription_ids", "customer_contact", "partner_contact", "documents"),
    *("status", "consent", "dispute", "assessment", "assessments", "sla", "whose_turn", "due_at"),
    *("clocks", "decision_target_at", "reviewer", "rejection_reasons", "action_reasons"),
    *("supersedes", "policy", "created_at", "submitted_at", "decided_at", "updated_at"),
]


async def test_a_claim_has_exactly_the_fields_of_the_contract(site: Site, claim_id: str) -> None:
    """What was stated is answered as it was stated."""
    await site.draft(claim_id)

    response = await site.read(f"/api/claims/{claim_id}", by=AYSE)

    claim = response.json()
    assert list(claim) == FIELDS
    assert {name: claim[name] for name in CREATE} == CREATE
    assert (claim["claim_id"], claim["org"], claim["version"]) == (claim_id, "1234567", 1)
    assert (claim["status"], claim["whose_turn"], claim["sla"]) == ("editing", "partner", "ok")
    assert (claim["clocks"], claim["due_at"]) == ([], None)
    assert response.headers["etag"] == '"1"'


async def test_a_submitted_claim_tells_its_clock(site: Site, claim_id: str) -> None:
    """Its documents, its open clock, and when it is due."""
    await site.submitted(claim_id)

    claim = (await site.read(f"/api/claims/{claim_id}", by=AYSE)).json()

    [document], [clock] = claim["documents"], claim["clocks"]
    assert (document["filename"], document["size"]) == ("sow.pdf", len(PROOF))
    assert (clock["clock"], clock["passed"]) == ("review_start", False)
    assert claim["due_at"] == clock["due_at"] > clock["opened_at"]
    assert claim["policy"] == "seed-2021"


@pytest.mark.rule("R25")
async def test_partners_know_reviewers_as_reviewer(site: Site, claim_id: str) -> None:
    """On the board, in the history, and in the thread; others know who it was."""
    await site.approved(claim_id)

    for by, name in ((AYSE, "Reviewer"), (AUDITOR, "deniz"), (DENIZ, "deniz")):
        claim = (await site.read(f"/api/claims/{claim_id}", by=by)).json()
        history = (await site.read(f"/api/claims/{claim_id}/history", by=by)).json()["items"]
        thread = (await site.read(f"/api/claims/{claim_id}/comments", by=by)).json()["items"]
        assert claim["reviewer"] == name
        assert {i["actor"]["id"] for i in history if i["side"] == "reviewer"} == {name}
        assert [(i["actor"]["id"], i["text"]) for i in thread] == [(name, "complete")]
    assert "deniz" not in (await site.read(f"/api/claims/{claim_id}/history", by=AYSE)).text


@pytest.mark.rule("R24")
async def test_history_tells_every_event_in_order(site: Site, claim_id: str) -> None:
    """Version, event, time, actor, side, a sentence, and the event's own data."""
    await site.submitted(claim_id)

    items = (await site.read(f"/api/claims/{claim_id}/history", by=AYSE)).json()["items"]

    assert [(i["version"], i["event"]) for i in items] == [
        (1, "created"),
        (2, "poe_attached"),
        (3, "submitted"),
    ]
    assert list(items[0]) == ["version", "event", "time", "actor", "side", "text", "data"]
    assert items[0]["actor"] == {"role": "incentives_admin", "org": "1234567", "id": "ayse"}
    assert items[0]["side"] == "partner"
    assert items[0]["time"].endswith("Z")
    assert items[2]["data"]["clocks"][0]["clock"] == "review_start"
    assert "zeynep" not in str(items).lower()


@pytest.mark.rule("R23")
async def test_internal_notes_are_not_shown_to_partners(site: Site, claim_id: str) -> None:
    """Neither in the thread nor in the history."""
    await site.submitted(claim_id)
    await site.done(claim_id, "post_comment", {"text": "doubtful", "internal": True}, by=DENIZ)
    await site.done(claim_id, "post_comment", {"text": "thank you"}, by=DENIZ)

    for part in ("comments", "history"):
        seen = (await site.read(f"/api/claims/{claim_id}/{part}", by=AYSE)).text
        assert "thank you" in seen
        assert "doubtful" not in seen
        assert "doubtful" in (await site.read(f"/api/claims/{claim_id}/{part}", by=AUDITOR)).text


async def test_the_past_is_shown_by_version_and_by_instant(site: Site, claim_id: str) -> None:
    """As it stood then, also what has changed since."""
    await site.draft(claim_id)
    await site.done(claim_id, "edit_claim", {"name": "Other name"}, by=AYSE)
    path = f"/api/claims/{claim_id}"
    now = (await site.read(path, by=AYSE)).json()

    first = await site.read(path, by=AYSE, version="1")
    then = await site.read(path, by=AYSE, as_of=now["created_at"])
    later = await site.read(path, by=AYSE, as_of=now["updated_at"])

    assert (now["name"], now["version"]) == ("Other name", 2)
    assert first.json() == then.json()
    assert (first.json()["name"], first.headers["etag"]) == (CREATE["name"], '"1"')
    assert later.json() == now


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"version": "9"}, 404),
        ({"as_of": "2001-01-01T00:00:00Z"}, 404),
        ({"version": "0"}, 422),
        ({"as_of": "2031-01-01"}, 422),
        ({"as_of": "5"}, 422),
        ({"as_of": "2031-01-01T00:00:00"}, 422),
        ({"version": "1", "as_of": "2031-01-01T00:00:00Z"}, 422),
        ({"wait_for": "-1"}, 422),
        ({"wait_for": "soon"}, 422),
    ],
)
async def test_a_past_that_never_was_is_refused(
    site: Site, claim_id: str, query: dict[str, str], status: int
) -> None:
    """404 where nothing was, 422 for what is no past at all."""
    await site.draft(claim_id)

    response = await site.read(f"/api/claims/{claim_id}", by=AYSE, **query)

    assert response.status_code == status
    if status == 422:
        assert response.json()["errors"][0]["pointer"].removeprefix("/") in query


async def test_a_reader_can_wait_for_what_it_caused(site: Site, claim_id: str) -> None:
    """With the outcome's position the board is never behind the command."""
    await site.draft(claim_id)
    for number in range(20):
        outcome = await site.send(claim_id, "edit_claim", {"name": f"Name {number}"}, by=AYSE)
        position = outcome.json()["position"]
        response = await site.read(f"/api/claims/{claim_id}", by=AYSE, wait_for=str(position))

        assert response.json()["name"] == f"Name {number}"
        assert int(response.headers["cpor-position"]) >= position


async def test_waiting_ends_after_five_seconds(site: Site, claim_id: str) -> None:
    """Then the answer is what is there, with how far the board has come."""
    await site.draft(claim_id)
    began = monotonic()

    response = await site.read(f"/api/claims/{claim_id}", by=AYSE, wait_for="999999999")

    assert monotonic() - began > 4.5
    assert response.status_code == 200
    assert int(response.headers["cpor-position"]) < 999999999


async def test_lists_are_paged_without_gaps(own_list: Site) -> None:
    """Every claim once, whatever the size of the pages."""
    site = own_list
    whole = (await site.read("/api/claims", by=AUDITOR, sort="created_at")).json()
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (
            await site.read("/api/claims", by=AUDITOR, sort="created_at", limit="2", **after)
        ).json()
        seen += [claim["claim_id"] for claim in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert len(seen) == 5
    assert seen == [claim["claim_id"] for claim in whole["items"]]
    assert list(whole["items"][0]) == FIELDS
    assert whole["items"][0]["customer_contact"] == CREATE["customer_contact"]


async def test_lists_are_filtered_and_sorted(own_list: Site) -> None:
    """By what the contract names; several values of a filter mean any of them."""

    async def found(by: str = AUDITOR, **query: str | list[str]) -> int:
        response = await own_list.client.get(
            "/api/claims", params=query, headers={"X-Cpor-Actor": by}
        )
        assert response.status_code == 200, response.text
        return len(response.json()["items"])

    assert await found() == 5
    assert await found(status="submitted") == 2
    assert await found(status=["submitted", "editing"]) == 5
    assert await found(whose_turn="reviewer") == 2
    assert await found(org="7654321") == 1
    assert await found(product="teams") == 5
    assert await found(product="intune") == 0
    assert await found(tenant_id=CREATE["customer"]["tenant_id"]) == 5
    assert await found(subscription_id="none") == 0
    assert await found(sla="missed") == 0
    assert await found(due_before="2999-01-01T00:00:00Z") == 2
    assert await found(q="İSTANBUL") == 1
    assert await found(by=DENIZ) == 2
    assert await found(by=JOHN) == 1
    assert await found(by=OPERATOR) == 5
    assert await found(by=CUSTOMER) == 0
    assert await found(by=ASSESSOR) == 0


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "done"}, "/status/0"),
        ({"whose_turn": "mine"}, "/whose_turn/0"),
        ({"sla": "late"}, "/sla"),
        ({"sort": "name"}, "/sort"),
        ({"limit": "0"}, "/limit"),
        ({"limit": "501"}, "/limit"),
        ({"limit": "many"}, "/limit"),
        ({"tenant_id": "contoso"}, "/tenant_id"),
        ({"due_before": "tomorrow"}, "/due_before"),
        ({"due_before": "0.5"}, "/due_before"),
        ({"due_before": "2031-01-01"}, "/due_before"),
        ({"after": "here"}, "/after"),
        ({"page": "2"}, "/page"),
        ({"q": "a\x00b"}, "/q"),
    ],
)
async def test_a_wrong_parameter_is_named(site: Site, query: dict[str, str], pointer: str) -> None:
    """Also one that there is not: a misspelt filter must not look like no filter."""
    response = await site.read("/api/claims", by=AUDITOR, **query)

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/invalid"
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]


async def test_a_wrong_parameter_is_told_in_words(site: Site) -> None:
    """Not by a pattern; its name is escaped as a pointer asks for."""
    unseen = await site.read("/api/claims", by=AUDITOR, q="a\x00b")
    foreign = await site.read("/api/claims", by=AUDITOR, **{"a/b": "1"})

    assert unseen.json()["errors"][0]["detail"] == "must not contain the character U+0000"
    assert foreign.json()["errors"][0]["pointer"] == "/a~1b"


async def test_the_summary_counts_what_the_reader_may_see(own_list: Site) -> None:
    """Every value is named, also those without claims."""

    async def counted(by: str) -> dict[str, dict[str, int]]:
        answer: dict[str, dict[str, int]] = (await own_list.read("/api/summary", by=by)).json()
        return answer

    everything, johns, reviewers = await asyncio.gather(*map(counted, (AUDITOR, JOHN, DENIZ)))

    assert everything["status"] == {
        "editing": 3,
        "submitted": 2,
        "under_review": 0,
        "partner_action_required": 0,
        "approved": 0,
        "rejected": 0,
    }
    assert everything["whose_turn"] == {"partner": 3, "reviewer": 2, "customer": 0, "nobody": 0}
    assert everything["sla"] == {"ok": 5, "due_soon": 0, "missed": 0}
    assert sum(johns["status"].values()) == 1
    assert sum(reviewers["status"].values()) == 2
