"""The reviewers' queue: what waits, taking the next of it, and deciding."""

import asyncio
import re
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest

from domain.claim import EVENTS, WITHOUT_WEIGHT
from domain.vocabulary import ActionReason
from services.web.page.review import CHANGES
from tests.web.conftest import AUDITOR, AYSE, DENIZ, SELIN, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARTA: Final = "reviewer;;marta"
REJECTION: Final = {"reasons": ["insufficient_poe"], "note": "unsigned"}


def named(name: str) -> str:
    """A claim of this name."""
    return str(uuid5(NAMESPACE_URL, name))


async def claim(site: Site, claim_id: str) -> dict[str, Any]:
    """A claim as it stands."""
    read: dict[str, Any] = (await site.read(f"/api/claims/{claim_id}", by=AUDITOR)).json()
    return read


async def under_review(site: Site, claim_id: str, *, by: str = DENIZ) -> None:
    """A claim that a reviewer has in hand."""
    await site.submitted(claim_id)
    await site.done(claim_id, "start_review", by=by)


async def disputed(site: Site, claim_id: str) -> None:
    """A claim that Selin rejected and its partner disputes."""
    await under_review(site, claim_id, by=SELIN)
    await site.done(claim_id, "reject_claim", REJECTION, by=SELIN)
    await site.done(claim_id, "open_dispute", {"justification": "it is signed"}, by=AYSE)


async def seen(browser: httpx.AsyncClient, claim_id: str) -> dict[str, str]:
    """What the review page's forms hold, unseen."""
    page = await browser.get(f"/queue/{claim_id}")
    assert page.status_code == 200, page.text
    return hidden(page.text)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's first form that has them all."""
    return dict(re.findall(r'type="hidden" name="(version|command_id)" value="([^"]+)"', page))


async def take(browser: httpx.AsyncClient, command_id: str) -> str:
    """Take the next claim; its id, or nothing when none was left."""
    response = await browser.post("/queue/next", data={"command_id": command_id})
    assert response.status_code == 303, response.text
    return str(response.headers["location"].removeprefix("/queue").removeprefix("/"))


async def test_whatever_makes_a_decision_stale_can_be_said() -> None:
    """Everything with weight, but for the claim's creation, which nobody reviews before."""
    weighty = {name for name, event in EVENTS.items() if event not in WITHOUT_WEIGHT}
    assert weighty - {"created"} == set(CHANGES)


async def test_the_time_that_is_left_is_told_as_in_the_list(site: Site, claim_id: str) -> None:
    """In the days of the clock, in the queue and on the desk."""
    await site.submitted(claim_id)
    deniz = await site.signed_in("deniz")

    for path in ("/queue", f"/queue/{claim_id}"):
        assert "5 business days left" in (await deniz.get(path)).text


@pytest.mark.rule("R25")
async def test_the_queue_is_the_reviewers(site: Site, claim_id: str) -> None:
    """Nobody else sees it, or acts in it; a reviewer's work begins there."""
    await site.submitted(claim_id)
    for persona in ("ayse", "ada", "olga"):
        other = await site.signed_in(persona)
        for path in ("/queue", f"/queue/{claim_id}"):
            assert (await other.get(path)).status_code == 403
        assert (await other.post("/queue/next", data={"command_id": "a"})).status_code == 403
        fields = {"command_id": "a", "version": "3"}
        response = await other.post(f"/queue/{claim_id}/start_review", data=fields)
        assert response.status_code == 403
        assert 'href="/queue"' not in (await other.get("/queue")).text
    deniz = await site.signed_in("deniz")
    assert (await deniz.get("/")).headers["location"] == "/queue"
    assert (await deniz.get("/queue/nothing")).status_code == 422
    assert (await deniz.get(f"/queue/{named('nowhere')}")).status_code == 404
    await site.draft(named("draft of the queue"))
    assert (await deniz.get(f"/queue/{named('draft of the queue')}")).status_code == 404


async def test_the_queue_shows_what_waits(own_site: Site) -> None:
    """What is mine, what is free, and how much is with others."""
    deniz = await own_site.signed_in("deniz")
    nothing = await deniz.get("/queue")
    assert "You have nothing in hand." in nothing.text
    assert "Nothing waits." in nothing.text
    assert await take(deniz, "nothing-left") == ""

    waiting = ("first", "dispute", "second")
    for name, reviewer in (("mine", DENIZ), ("hers", MARTA)):
        await under_review(own_site, named(name), by=reviewer)
    await own_site.submitted(named("first"))
    await disputed(own_site, named("dispute"))
    await own_site.submitted(named("second"))

    page = (await deniz.get("/queue")).text

    assert re.findall(r"<strong>(\d+)</strong>", page) == ["1", "3", "0", "1"]
    assert page.index(named("mine")) < min(page.index(named(each)) for each in waiting)
    assert named("hers") not in page


@pytest.mark.rule("R3")
async def test_two_reviewers_never_get_the_same_claim(own_site: Site) -> None:
    """They take as fast as they can, claims and disputes alike, until nothing is left."""
    claims = [named(f"raced {number}") for number in range(10)]
    await asyncio.gather(*(own_site.submitted(each) for each in claims[:7]))
    await asyncio.gather(*(disputed(own_site, each) for each in claims[7:]))

    async def take_all(persona: str) -> list[str]:
        browser = await own_site.signed_in(persona)
        taken: list[str] = []
        while claim_id := await take(browser, f"{persona}-{len(taken)}"):
            taken.append(claim_id)
        return taken

    deniz, marta = await asyncio.gather(take_all("deniz"), take_all("marta"))

    assert sorted(deniz + marta) == sorted(claims)
    assert deniz
    assert marta
    for taken, reviewer in ((deniz, "deniz"), (marta, "marta")):
        for claim_id in taken:
            assert (await claim(own_site, claim_id))["reviewer"] == reviewer


async def test_taking_twice_by_one_form_takes_one_claim(own_site: Site) -> None:
    """Pressed twice, or sent again."""
    for number in range(3):
        await own_site.submitted(named(f"twice {number}"))
    deniz = await own_site.signed_in("deniz")

    first, second = await asyncio.gather(take(deniz, "pressed"), take(deniz, "pressed"))
    third = await take(deniz, "pressed")

    assert first == second == third
    assert await take(deniz, "pressed-anew") != first


@pytest.mark.rule("R6")
async def test_approving_opens_the_next_claim(own_site: Site) -> None:
    """With a quiet word about what was done; without the wish for it, the queue."""
    await under_review(own_site, named("now"))
    await own_site.submitted(named("next"))
    deniz = await own_site.signed_in("deniz")
    fields = await seen(deniz, named("now"))

    response = await deniz.post(
        f"/queue/{named('now')}/approve_claim", data={**fields, "note": "well", "then": "next"}
    )
    again = await deniz.post(
        f"/queue/{named('now')}/approve_claim", data={**fields, "note": "well", "then": "next"}
    )

    assert response.status_code == 303
    assert response.headers["location"].startswith(f"/queue/{named('next')}?")
    assert again.headers["location"] == response.headers["location"]
    page = await deniz.get(response.headers["location"])
    assert "You approved “" in page.text
    assert (await claim(own_site, named("now")))["status"] == "approved"
    assert (await claim(own_site, named("next")))["reviewer"] == "deniz"

    fields = await seen(deniz, named("next"))
    response = await deniz.post(f"/queue/{named('next')}/approve_claim", data=fields)
    assert response.headers["location"].startswith("/queue?")
    assert "You approved “" in (await deniz.get(response.headers["location"])).text


@pytest.mark.rule("R4")
@pytest.mark.rule("R19")
async def test_the_checklist_becomes_the_reasons(site: Site, claim_id: str) -> None:
    """All five can be ticked, with products; without any it is told, and nothing is lost."""
    await under_review(site, claim_id)
    deniz = await site.signed_in("deniz")
    page = (await deniz.get(f"/queue/{claim_id}")).text
    for reason in ActionReason:
        assert f'value="{reason}" form="form-require_action"' in page
    product = (await claim(site, claim_id))["products"][0]
    address = f"/queue/{claim_id}/require_action"

    refused = await deniz.post(address, data={**hidden(page), "comment": "Please <sign> it."})

    assert refused.status_code == 422
    assert "Please &lt;sign&gt; it." in refused.text
    reasons = ["missing_products", "missing_or_old_dates"]
    fields = {"comment": "Please.", "reasons": reasons, "products": [product]}
    done = await deniz.post(address, data={**hidden(refused.text), **fields})
    assert done.status_code == 303
    asked = await claim(site, claim_id)
    assert (asked["status"], asked["action_reasons"]) == ("partner_action_required", reasons)


@pytest.mark.rule("R7")
async def test_a_claim_is_rejected_for_reasons(site: Site, claim_id: str) -> None:
    """With a note, which the partner reads."""
    await under_review(site, claim_id)
    deniz = await site.signed_in("deniz")
    fields = await seen(deniz, claim_id)
    address = f"/queue/{claim_id}/reject_claim"

    refused = await deniz.post(address, data={**fields, "reasons": "poe_unavailable", "note": ""})

    assert refused.status_code == 422
    assert re.search(r'value="poe_unavailable" checked', refused.text)
    fields = hidden(refused.text)
    done = await deniz.post(address, data={**fields, "reasons": "poe_unavailable", "note": "gone"})
    assert done.status_code == 303
    assert (await claim(site, claim_id))["rejection_reasons"] == ["poe_unavailable"]


@pytest.mark.rule("R14")
async def test_a_stale_decision_shows_what_changed(site: Site, claim_id: str) -> None:
    """Nothing is decided; what was written is kept, and may be sent for what is there now."""
    await disputed(site, claim_id)
    deniz, marta = await site.signed_in("deniz"), await site.signed_in("marta")
    await site.done(claim_id, "assign_reviewer", {"reviewer": "deniz"}, by=DENIZ)
    fields = await seen(deniz, claim_id)
    await site.done(
        claim_id,
        "require_action",
        {"reasons": ["missing_or_old_dates"], "comment": "which year?"},
        by=MARTA,
    )
    await site.done(claim_id, "resubmit_claim", {"comment": "2031"}, by=AYSE)

    stale = await deniz.post(
        f"/queue/{claim_id}/uphold_dispute", data={**fields, "note": "It holds.", "then": "next"}
    )

    assert stale.status_code == 412
    assert "The claim has changed since you opened it." in stale.text
    assert "The partner resubmitted the claim" in stale.text
    assert "It holds." in stale.text
    assert (await claim(site, claim_id))["dispute"] == "open"

    fields = hidden(stale.text)
    done = await deniz.post(
        f"/queue/{claim_id}/uphold_dispute", data={**fields, "note": "It holds."}
    )
    assert done.status_code == 303
    assert (await claim(site, claim_id))["dispute"] == "upheld"
    late = await marta.post(
        f"/queue/{claim_id}/dismiss_dispute", data={**fields, "command_id": "x", "note": "no"}
    )
    assert late.status_code == 412
    assert "The dispute was upheld" in late.text


@pytest.mark.rule("R12")
async def test_a_dispute_is_not_decided_by_who_rejected(site: Site, claim_id: str) -> None:
    """It is not offered, and refused; another reviewer takes it."""
    await under_review(site, claim_id)
    await site.done(claim_id, "reject_claim", REJECTION, by=DENIZ)
    await site.done(claim_id, "open_dispute", {"justification": "it is signed"}, by=AYSE)
    deniz, marta = await site.signed_in("deniz"), await site.signed_in("marta")

    page = (await deniz.get(f"/queue/{claim_id}")).text

    assert "You rejected this claim" in page
    assert "form-uphold_dispute" not in page
    assert claim_id not in (await deniz.get("/queue")).text
    fields = {**hidden(page), "note": "still no"}
    refused = await deniz.post(f"/queue/{claim_id}/dismiss_dispute", data=fields)
    assert refused.status_code == 403

    page = (await marta.get(f"/queue/{claim_id}")).text
    assert "Nobody has it yet" in page
    fields = {**hidden(page), "reviewer": "marta"}
    taken = await marta.post(f"/queue/{claim_id}/assign_reviewer", data=fields)
    assert taken.headers["location"] == f"/queue/{claim_id}"
    fields = {**await seen(marta, claim_id), "note": "still no"}
    done = await marta.post(f"/queue/{claim_id}/dismiss_dispute", data=fields)
    assert done.status_code == 303
    assert (await claim(site, claim_id))["dispute"] == "dismissed"


async def test_a_review_is_handed_over(site: Site, claim_id: str) -> None:
    """To a colleague, who may be chosen from those who are signed in, and back."""
    await under_review(site, claim_id)
    deniz, marta = await site.signed_in("deniz"), await site.signed_in("marta")
    page = (await deniz.get(f"/queue/{claim_id}")).text
    assert '<option value="marta">Marta</option>' in page
    assert '<option value="deniz">' not in page

    address = f"/queue/{claim_id}/assign_reviewer"
    wrong = await deniz.post(address, data={**hidden(page), "reviewer": "no such id"})
    handed = await deniz.post(address, data={**hidden(wrong.text), "reviewer": "marta"})

    assert wrong.status_code == 422
    assert handed.headers["location"].startswith("/queue?")
    assert "to a colleague" in (await deniz.get(handed.headers["location"])).text
    page = (await deniz.get(f"/queue/{claim_id}")).text
    assert "Marta has it" in page
    assert "form-approve_claim" not in page
    assert "form-approve_claim" in (await marta.get(f"/queue/{claim_id}")).text
    back = await deniz.post(address, data={**hidden(page), "reviewer": "deniz"})
    assert back.headers["location"] == f"/queue/{claim_id}"


@pytest.mark.rule("R23")
async def test_reviewers_comment(site: Site, claim_id: str) -> None:
    """To the partner, or among themselves."""
    await under_review(site, claim_id)
    deniz = await site.signed_in("deniz")
    address = f"/queue/{claim_id}/post_comment"

    for text, internal in (("Which page?", {}), ("Looks copied.", {"internal": "on"})):
        fields = {**await seen(deniz, claim_id), "text": text, **internal}
        said = await deniz.post(address, data=fields)
        assert said.headers["location"] == f"/queue/{claim_id}#thread"

    page = (await deniz.get(f"/queue/{claim_id}")).text
    assert "Which page?" in page
    assert "Looks copied." in page
    thread = (await site.read(f"/api/claims/{claim_id}/comments", by=AYSE)).json()["items"]
    assert [each["text"] for each in thread] == ["Which page?"]


async def test_what_was_written_outlives_a_server_of_ours(own_site: Site) -> None:
    """Whether or not it was recorded: sent again by the form that came back, it is once."""
    claim_id = named("written in vain")
    await under_review(own_site, claim_id)
    deniz = await own_site.signed_in("deniz")
    await own_site.services.stop("claims")
    note = {"note": "All four pages are signed.", "then": "next"}

    unknown = await deniz.post(
        f"/queue/{claim_id}/approve_claim", data={**await seen(deniz, claim_id), **note}
    )

    assert unknown.status_code == 504
    assert "Send it again: it has its effect once." in unknown.text
    assert note["note"] in unknown.text
    own_site.services.start("claims")
    form = unknown.text.partition('id="form-approve_claim"')[2].partition("</form>")[0]
    again = await deniz.post(f"/queue/{claim_id}/approve_claim", data={**hidden(form), **note})
    assert again.headers["location"].startswith("/queue?done=approve_claim")
    assert (await claim(own_site, claim_id))["version"] == 5


async def test_what_is_no_reviewers_turn_can_only_be_read(site: Site, claim_id: str) -> None:
    """There is nothing to decide; the documents are there."""
    await site.approved(claim_id)
    deniz = await site.signed_in("deniz")

    page = (await deniz.get(f"/queue/{claim_id}?done=nonsense&of=x")).text

    assert "Nothing to decide now" in page
    assert "sow.pdf" in page
    assert f"/api/claims/{claim_id}/documents/sha256:" in page
    assert (await deniz.get(f"/queue/{claim_id}?done=approve_claim&of=x")).status_code == 200
