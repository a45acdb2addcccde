"""What is done on a claim's page: forms that work without JavaScript, and refusals as pages."""

from typing import Any, Final

import pytest

from domain.lifecycle import Phase
from tests.web.conftest import Site
from tests.web.life import ACTORS, as_it_stands, bring, fill_in, form_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

Cases = list[tuple[Phase, str, str, dict[str, Any], str]]

ASK: Final = {"reasons": ["missing_products"], "products": ["teams"], "comment": "Where is it?"}
REJECT: Final = {"reasons": ["insufficient_poe", "missing_products"], "note": "Not in it."}

POSSIBLE: Final[Cases] = [
    (Phase.SUBMITTED, "deniz", "start_review", {}, "under_review"),
    (Phase.SUBMITTED, "ayse", "post_comment", {"text": "Hello."}, "submitted"),
    (Phase.SUBMITTED, "ayse", "request_rejection", {"explanation": "Wrong."}, "rejected"),
    (Phase.UNDER_REVIEW, "deniz", "assign_reviewer", {"reviewer": "marta"}, "under_review"),
    (Phase.UNDER_REVIEW, "deniz", "require_action", ASK, "partner_action_required"),
    (Phase.UNDER_REVIEW, "deniz", "approve_claim", {"note": ""}, "approved"),
    (Phase.UNDER_REVIEW, "deniz", "reject_claim", REJECT, "rejected"),
    (Phase.ACTION_REQUIRED, "ayse", "resubmit_claim", {"comment": "Here."}, "submitted"),
    (Phase.DISPUTED, "marta", "uphold_dispute", {"note": "Right."}, "approved"),
    (Phase.DISPUTED, "marta", "dismiss_dispute", {"note": "Wrong."}, "rejected"),
]
IMPOSSIBLE: Final[Cases] = [
    (Phase.SUBMITTED, "ayse", "submit_claim", {}, "R2"),
    (Phase.UNDER_REVIEW, "ayse", "resubmit_claim", {}, "R5"),
    (Phase.UNDER_REVIEW, "deniz", "start_review", {}, "R3"),
    (Phase.SUBMITTED, "deniz", "approve_claim", {}, "R6"),
    (Phase.SUBMITTED, "deniz", "reject_claim", REJECT, "R7"),
    (Phase.SUBMITTED, "deniz", "require_action", ASK, "R4"),
    (Phase.SUBMITTED, "deniz", "assign_reviewer", {"reviewer": "marta"}, "R3"),
    (Phase.UNDER_REVIEW, "deniz", "uphold_dispute", {"note": "x"}, "R12"),
    (Phase.UNDER_REVIEW, "deniz", "dismiss_dispute", {"note": "x"}, "R12"),
    (Phase.FINAL, "ayse", "request_rejection", {"explanation": "x"}, "R10"),
    (Phase.EDITING, "ayse", "post_comment", {"text": "x"}, "R23"),
]


@pytest.mark.parametrize(("phase", "persona", "command", "fields", "status"), POSSIBLE)
async def test_what_is_possible_is_done_by_a_form(
    site: Site,
    claim_id: str,
    phase: Phase,
    persona: str,
    command: str,
    fields: dict[str, Any],
    status: str,
) -> None:
    """It leads back to the claim, which says what was done."""
    await bring(site, claim_id, phase)
    browser = await site.signed_in(persona)

    response = await fill_in(browser, claim_id, command, **fields)

    assert response.status_code == 303, response.text
    assert response.headers["location"] == f"/claims/{claim_id}?done={command}"
    assert (await as_it_stands(site, claim_id))["status"] == status
    assert 'class="said"' in (await browser.get(response.headers["location"])).text


async def test_a_claim_is_submitted_once_it_has_proof(site: Site, claim_id: str) -> None:
    """Until then, adding proof stands out, and the reason with its rule beside what can't be."""
    await bring(site, claim_id, Phase.EDITING)
    browser = await site.signed_in("ayse")

    page = (await browser.get(f"/claims/{claim_id}")).text
    assert "Add at least one proof of execution first." in page
    assert f'class="btn btn-primary deed-button" href="/claims/{claim_id}/proof"' in page

    document = (await site.upload(by=ACTORS["ayse"])).json()
    await site.done(claim_id, "attach_poe", {"document": document}, by=ACTORS["ayse"])

    assert (await fill_in(browser, claim_id, "submit_claim")).status_code == 303
    assert (await as_it_stands(site, claim_id))["status"] == "submitted"


@pytest.mark.parametrize(("phase", "persona", "command", "fields", "rule"), IMPOSSIBLE)
async def test_what_is_not_possible_says_why(
    site: Site,
    claim_id: str,
    phase: Phase,
    persona: str,
    command: str,
    fields: dict[str, Any],
    rule: str,
) -> None:
    """Disabled, with the rule; who sends it all the same is refused by a page."""
    await bring(site, claim_id, phase)
    browser = await site.signed_in(persona)
    before = await as_it_stands(site, claim_id)

    page = (await browser.get(f"/claims/{claim_id}")).text
    forged = await browser.post(
        f"/claims/{claim_id}/do/{command}",
        data={"command_id": "forged", "version": before["version"], **fields},
    )

    why = page.partition(f'id="why-{command}"')[2].partition("</p>")[0]
    assert f'<span class="rule">{rule}</span>' in why
    assert f"/do/{command}" not in page
    assert forged.status_code == 409
    assert forged.headers["content-type"].startswith("text/html")
    assert "This is not possible as the claim stands now." in forged.text
    assert await as_it_stands(site, claim_id) == before


@pytest.mark.rule("R12")
async def test_who_rejected_does_not_decide_the_dispute(site: Site, claim_id: str) -> None:
    """It is shown why, and refused."""
    await bring(site, claim_id, Phase.DISPUTED)
    browser = await site.signed_in("deniz")

    page = (await browser.get(f"/claims/{claim_id}")).text
    forged = await browser.post(
        f"/claims/{claim_id}/do/uphold_dispute",
        data={"command_id": "forged", "version": "6", "note": "Mine after all."},
    )

    assert "A dispute is decided by another reviewer than the one who rejected." in page
    assert forged.status_code == 403
    assert "Mine after all." in forged.text


@pytest.mark.rule("R14")
async def test_a_stale_decision_shows_what_changed(site: Site, claim_id: str) -> None:
    """In words, with what was filled in, and the version that the next attempt is made on."""
    await bring(site, claim_id, Phase.ACTION_REQUIRED)
    await site.done(claim_id, "resubmit_claim", by=ACTORS["ayse"])
    await site.done(claim_id, "start_review", by=ACTORS["deniz"])
    browser = await site.signed_in("deniz")
    opened = form_of((await browser.get(f"/claims/{claim_id}")).text, claim_id, "require_action")
    asked = {"reasons": "missing_or_old_dates", "comment": "Still no dates."}
    await site.done(claim_id, "post_comment", {"text": "By the way."}, by=ACTORS["ayse"])
    other = await site.signed_in("marta")
    await fill_in(other, claim_id, "require_action", **asked)
    await site.done(claim_id, "resubmit_claim", {"comment": "Dated."}, by=ACTORS["ayse"])
    await site.done(claim_id, "start_review", by=ACTORS["marta"])

    stale = await browser.post(f"/claims/{claim_id}/do/require_action", data={**opened, **asked})

    assert stale.status_code == 412
    told = stale.text.partition('<ul class="since">')[2].partition("</ul>")[0]
    assert "Resubmitted." in told
    assert "Dated." in told
    assert "By the way." not in told
    assert "Still no dates.</textarea>" in stale.text
    assert 'value="missing_or_old_dates" checked' in stale.text
    fresh = form_of(stale.text, claim_id, "require_action")
    assert int(fresh["version"]) == int(opened["version"]) + 4
    again = await browser.post(f"/claims/{claim_id}/do/require_action", data={**fresh, **asked})
    assert again.status_code == 303


async def test_a_form_sent_twice_has_its_effect_once(site: Site, claim_id: str) -> None:
    """Its command id was made with it."""
    await bring(site, claim_id, Phase.SUBMITTED)
    browser = await site.signed_in("ayse")
    form = form_of((await browser.get(f"/claims/{claim_id}")).text, claim_id, "post_comment")

    sent = {**form, "text": "Only once."}
    first = await browser.post(f"/claims/{claim_id}/do/post_comment", data=sent)
    second = await browser.post(f"/claims/{claim_id}/do/post_comment", data=sent)
    other = await browser.post(
        f"/claims/{claim_id}/do/post_comment", data={**form, "text": "Something else."}
    )

    assert (first.status_code, second.status_code) == (303, 303)
    assert (await browser.get(f"/claims/{claim_id}")).text.count("Only once.") == 1
    assert other.status_code == 409
    assert "This form was sent before" in other.text


async def test_what_was_filled_in_is_kept(site: Site, claim_id: str) -> None:
    """Beside what is wrong with it, which its field names."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    browser = await site.signed_in("deniz")

    refused = await fill_in(browser, claim_id, "reject_claim", note="Because of page 3.")

    assert refused.status_code == 422
    assert "Something is still missing or wrong." in refused.text
    assert 'id="wrong-reject_claim-reasons">This has to be filled in.' in refused.text
    assert "Because of page 3.</textarea>" in refused.text
    assert (await as_it_stands(site, claim_id))["status"] == "under_review"
    blank = await fill_in(browser, claim_id, "post_comment", text=" ")
    assert 'id="wrong-post_comment-text">This has to be filled in.' in blank.text
    too_much = await fill_in(browser, claim_id, "post_comment", text="x" * 10_001, internal="on")
    assert 'aria-invalid="true" aria-describedby="wrong-post_comment-text"' in too_much.text
    assert 'name="internal" checked' in too_much.text


@pytest.mark.parametrize(
    ("phase", "persona", "command"),
    [
        (Phase.UNDER_REVIEW, "deniz", "reject_claim"),
        (Phase.DISPUTED, "marta", "dismiss_dispute"),
        (Phase.SUBMITTED, "ayse", "request_rejection"),
    ],
)
async def test_what_is_final_takes_a_second_step(
    site: Site, claim_id: str, phase: Phase, persona: str, command: str
) -> None:
    """A step without JavaScript: the button is behind what it does."""
    await bring(site, claim_id, phase)
    browser = await site.signed_in(persona)

    page = (await browser.get(f"/claims/{claim_id}")).text

    form = page.partition(f"/do/{command}")[2].partition("</form>")[0]
    before, _, behind = form.partition('<details class="second-step">')
    assert "<button" not in before
    assert 'type="submit"' in behind


async def test_only_what_a_page_gives_is_taken(site: Site, claim_id: str) -> None:
    """Neither other commands than those of the page, nor forms without their hidden fields."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    browser = await site.signed_in("deniz")
    address = f"/claims/{claim_id}/do"

    answers = [
        await browser.post(f"{address}/pass_deadline", data={"command_id": "x"}),
        await browser.post(f"{address}/edit_claim", data={"command_id": "x"}),
        await browser.post(f"{address}/approve_claim", data={"version": "4"}),
        await browser.post(f"{address}/approve_claim", data={"command_id": "x"}),
        await browser.post(f"{address}/approve_claim", data={"command_id": "x y", "version": "4"}),
        await browser.post(f"{address}/submit_claim", data={"command_id": "x", "version": "4"}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 422, 422, 422, 403]
    assert all(answer.headers["content-type"].startswith("text/html") for answer in answers)
    assert (await as_it_stands(site, claim_id))["status"] == "under_review"


async def test_an_unknown_outcome_is_asked_for_again(own_site: Site, claim_id: str) -> None:
    """By the same form: whether or not it was recorded, it has its effect once."""
    await bring(own_site, claim_id, Phase.SUBMITTED)
    browser = await own_site.signed_in("ayse")
    await own_site.services.stop("claims")

    unknown = await fill_in(browser, claim_id, "post_comment", text="Is anybody there?")

    assert unknown.status_code == 504
    assert "Send it again: it has its effect once." in unknown.text
    own_site.services.start("claims")
    again = await browser.post(
        f"/claims/{claim_id}/do/post_comment",
        data={**form_of(unknown.text, claim_id, "post_comment"), "text": "Is anybody there?"},
    )
    assert again.status_code == 303
    page = (await browser.get(f"/claims/{claim_id}")).text
    assert page.count("Is anybody there?") == 1


async def test_forms_say_what_they_do_in_turkish(site: Site, claim_id: str) -> None:
    """Titles, reasons and what went wrong."""
    await bring(site, claim_id, Phase.UNDER_REVIEW)
    browser = await site.signed_in("deniz")
    browser.cookies.set("cpor_language", "tr")

    refused = await fill_in(browser, claim_id, "reject_claim")

    for each in (
        "Onayla",
        "İş ortağından eylem iste",
        "Tarihler eksik ya da çok eski",
        "Talep inceleme beklerken yapılabilir.",
        "Hâlâ eksik ya da yanlış bir şey var.",
        "Bu alan doldurulmalıdır.",
    ):
        assert each in refused.text
