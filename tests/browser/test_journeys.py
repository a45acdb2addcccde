"""What people come for, from its beginning to its end, in both languages and both themes."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Final
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from services.connection import connected
from services.language import word
from services.language.translation import Language, translations
from services.streams import command_subject
from tests.browser.conftest import DESKTOP, LOOKS, Demo, Look, Visitors, examine
from tests.browser.office import DENIZ, DETAILS, PROOF, Office, office_at

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("look", [look for look in LOOKS if look.width == DESKTOP], ids=str),
]

Say = Callable[[str], str]

REASON: Final = "missing_customer_acknowledgment"


@pytest.fixture
def say(look: Look) -> Say:
    """What the pages say, in the language in which they are looked at."""
    return translations(Language(look.language)).gettext


@pytest.fixture
def name(look: Look) -> str:
    """What the journey's claim is called; no other one."""
    return f"Journey {look.language} {look.theme} {secrets.token_hex(4)}"


@pytest_asyncio.fixture(loop_scope="session")
async def office(demo: Demo) -> AsyncGenerator[Office]:
    """What others do meanwhile."""
    async with office_at(demo.address) as office:
        yield office


async def test_a_partner_claims_a_customer(
    visitors: Visitors, look: Look, say: Say, name: str
) -> None:
    """Step by step to a claim that is submitted, and found again."""
    async with visitors.visit("ayse", look, tolerant=True) as page:
        await page.get_by_role("link", name=say("New claim")).first.click()
        await page.get_by_role("button", name=say("Begin a new claim")).click()
        await _mistaken(page, say)
        await examine(page, "journey-new-mistake", look)
        await _filled_in(page, say, name, look)
        await page.get_by_role("button", name=say("Create the claim")).click()
        await expect(page.get_by_text(say("The claim is created."))).to_be_visible()
        await examine(page, "journey-created", look)

        await page.get_by_label(say("Document")).set_input_files(
            {"name": "sow.pdf", "mimeType": "application/pdf", "buffer": PROOF}
        )
        await expect(page.locator(".upload.is-done")).to_have_text(re.compile("sow.pdf"))
        await _drop(page, "letter.txt", "We thank Anadolu Bulut for Microsoft Entra ID.")
        await expect(page.locator(".upload.is-done")).to_have_count(2)
        await expect(page.get_by_role("link", name="letter.txt")).to_be_visible()
        await examine(page, "journey-uploaded", look)

        await page.get_by_role("link", name=say("See the proof")).click()
        found = page.get_by_text(say("found"), exact=True)
        await expect(found.first).to_be_visible()
        await page.go_back()
        await page.get_by_role("link", name=say("To the claim")).last.click()
        await page.get_by_role("button", name=say("Submit for review")).click()
        await expect(
            page.get_by_text(say("The claim was submitted. A reviewer looks at it next."))
        ).to_be_visible()
        await examine(page, "journey-submitted", look)

        await page.get_by_role("link", name=say("Claims")).first.click()
        await page.get_by_role("searchbox").fill(name)
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.get_by_role("link", name=name)).to_be_visible()
        await expect(page.locator("tbody")).to_contain_text(say(word.STATUS["submitted"].word))


async def test_a_partner_adds_proof_without_javascript(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """By the form alone; what is no document is refused beside it."""
    claim_id = await office.draft(name)
    async with visitors.visit("ayse", look, javascript=False, tolerant=True) as page:
        await page.goto(f"/claims/{claim_id}/proof/add")
        document = page.get_by_label(say("Document"), exact=True)
        upload = page.get_by_role("button", name=say("Upload"))
        await document.set_input_files(
            {"name": "sow.pdf", "mimeType": "application/pdf", "buffer": b"MZ\0\0 a program"}
        )
        await upload.click()
        await expect(page.get_by_role("alert")).to_contain_text("sow.pdf")

        await document.set_input_files(
            {"name": "sow.pdf", "mimeType": "application/pdf", "buffer": PROOF}
        )
        await upload.click()
        told = page.get_by_text(say("The document is part of the claim's proof now."))
        await expect(told).to_be_visible()


async def test_a_partner_disputes_a_rejection(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """With a justification and new proof; what is half filled in is there again."""
    claim_id = await office.rejected(name)
    async with visitors.visit("ayse", look, tolerant=True) as page:
        await page.goto(f"/claims/{claim_id}")
        await page.get_by_role("link", name=say("Dispute the rejection")).click()
        justification = page.get_by_label(say("Business justification"))
        await _scripts_are_there(page, justification)
        await justification.fill("The annex says it.")
        documents = page.locator("#documents").get_by_role("checkbox")
        await page.get_by_label(say("Document"), exact=True).set_input_files(
            [_pdf("annex.pdf", PROOF + b"annex"), _pdf("tool.exe", b"MZ\0\0 a program")]
        )
        await expect(page.locator(".upload.is-wrong")).to_contain_text("tool.exe")
        await _drop(page, "letter.txt", "We thank Anadolu Bulut for Microsoft Intune.")
        await expect(page.locator(".upload.is-done")).to_have_count(2)
        await expect(documents).to_have_count(2)
        await examine(page, "journey-dispute", look)

        await page.goto(f"/claims/{claim_id}/dispute")
        await expect(justification).to_have_value("The annex says it.")
        await page.get_by_role("checkbox", name="letter.txt").uncheck()
        await page.get_by_role("button", name=say("Dispute the rejection")).click()
        told = page.get_by_text(say("The rejection is disputed. Another reviewer decides."))
        await expect(told).to_be_visible()
        await examine(page, "journey-disputed", look)
    claim = await office.claim(claim_id)
    assert claim["dispute"] == "open"
    assert [each["filename"] for each in claim["documents"]] == ["sow.pdf", "annex.pdf"]


async def test_a_partner_disputes_without_javascript(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """By the form alone: a document is added to it first, another one goes with the dispute."""
    claim_id = await office.rejected(name)
    async with visitors.visit("ayse", look, javascript=False) as page:
        await page.goto(f"/claims/{claim_id}/dispute")
        await page.get_by_label(say("Business justification")).fill("The annex says it.")
        for filename, button in (("annex.pdf", "Upload"), ("more.pdf", "Dispute the rejection")):
            await page.get_by_label(say("Document"), exact=True).set_input_files(
                _pdf(filename, PROOF + filename.encode())
            )
            await page.get_by_role("button", name=say(button)).click()
        told = page.get_by_text(say("The rejection is disputed. Another reviewer decides."))
        await expect(told).to_be_visible()
    names = [each["filename"] for each in (await office.claim(claim_id))["documents"]]
    assert names == ["sow.pdf", "annex.pdf", "more.pdf"]


async def test_a_reviewer_decides(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """Asks for more, is answered, and approves; what was decided on too old a page is not."""
    claim_id = await office.submitted(name)
    async with (
        visitors.visit("deniz", look) as page,
        visitors.visit("deniz", look, tolerant=True) as stale,
        visitors.visit("ayse", look) as partner,
    ):
        await page.goto("/queue")
        await page.get_by_role("button", name=say("Take next")).click()
        await expect(page.get_by_role("heading", name=say("Decide"))).to_be_visible()

        await _take(page, say, claim_id)
        await expect(page.get_by_role("img").first).to_be_visible()
        await stale.goto(f"/queue/{claim_id}")

        await page.keyboard.press("q")
        await page.get_by_label(say("What is the partner to do?")).fill("Have it signed, please.")
        await page.get_by_label(say(word.ACTION_REASON[REASON].word)).check()
        await examine(page, "journey-review", look)
        ask = page.locator("#form-require_action")
        await ask.get_by_label(say("then open the next claim")).uncheck()
        await ask.get_by_role("button").click()
        await expect(page.get_by_role("heading", name=say("Queue"))).to_be_visible()

        await partner.goto(f"/claims/{claim_id}")
        await expect(partner.get_by_text("Have it signed, please.").first).to_be_visible()
        await expect(partner.locator("#comments")).to_contain_text(say("Reviewer"))
        assert "deniz" not in (await partner.content()).casefold()
        await examine(partner, "journey-action-required", look)
        await partner.get_by_label(say("Comment")).first.fill("Signed on the last page.")
        await partner.get_by_role("button", name=say("Resubmit")).click()
        await expect(
            partner.get_by_text(say("The claim was resubmitted. A reviewer looks at it next."))
        ).to_be_visible()

        await _approve(stale, say, "All is there.")
        told = stale.get_by_role("alert")
        await expect(told).to_contain_text(say("The partner resubmitted the claim"))
        await expect(told).to_contain_text("All is there.")
        await examine(stale, "journey-stale", look)
        assert (await office.claim(claim_id))["status"] != "approved"

        await _take(page, say, claim_id)
        await _approve(page, say, "Thank you.")
        await expect(page.get_by_role("status")).to_contain_text(name)
        await partner.reload()
        status = say(word.STATUS["approved"].word)
        await expect(partner.get_by_label(say("How it stands"))).to_contain_text(status)
        await examine(partner, "journey-approved", look)


async def test_a_customer_declines(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """By a link alone, without JavaScript, in two steps; and the link then tells what was done."""
    claim_id = await office.approved(name)
    async with visitors.visit("olga", look) as operator:
        await operator.goto(f"/claims/{claim_id}")
        await operator.get_by_role("link", name=say("Open the customer's page")).click()
        await expect(
            operator.get_by_role("heading", name=say("A partner names you as its customer"))
        ).to_be_visible()
        link = operator.url

    async with (
        visitors.visit(None, look, javascript=False) as page,
        visitors.visit(None, look) as examined,
    ):
        await examined.goto(link)
        await examine(examined, "journey-consent", look)
        await examined.get_by_role("button", name=say("Decline the association …")).click()
        await examine(examined, "journey-decline", look)

        await page.goto(link)
        await page.get_by_label(say("Why do you decline?")).fill("We never worked with them.")
        await page.get_by_role("button", name=say("Decline the association …")).click()
        await expect(page.get_by_text("We never worked with them.").first).to_be_visible()
        assert (await office.claim(claim_id))["consent"] == "pending"

        await page.get_by_role("button", name=say("No, go back")).click()
        await expect(page.get_by_label(say("Why do you decline?"))).to_have_value(
            "We never worked with them."
        )
        await page.get_by_role("button", name=say("Decline the association …")).click()
        await page.get_by_role("button", name=say("Yes, decline")).click()
        receipt = page.get_by_role("region", name=say("What was recorded"))
        await expect(receipt).to_contain_text(say("Declined by the customer"))
        await expect(receipt).to_contain_text("We never worked with them.")
        reference = await receipt.locator("strong").inner_text()
        assert (await office.claim(claim_id))["consent"] == "declined"

        await page.goto(link)
        await expect(receipt).to_contain_text(reference)
        await examined.goto(link)
        await examine(examined, "journey-receipt", look)


async def test_an_auditor_follows_a_claim(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """As a story, as events, as JSON, and as it was before."""
    claim_id = await office.approved(name)
    async with visitors.visit("ada", look) as page:
        await page.goto(f"/claims/{claim_id}")
        await page.get_by_role("link", name=say("History")).click()
        slider = page.get_by_role("slider", name=say("Version"))
        await expect(slider).to_have_value("5")
        await slider.focus()
        for _ in range(2):
            await page.keyboard.press("ArrowLeft")
        then = page.get_by_role("region", name=say("As it was then"))
        await expect(then).to_contain_text(say(word.STATUS["submitted"].word))
        await expect(page).to_have_url(re.compile("version=3"))
        await examine(page, "journey-then", look)

        await page.get_by_role("link", name=say("All events")).click()
        await expect(page.get_by_role("row")).to_have_count(6)
        await page.get_by_role("link", name="JSON").click()
        await expect(page.get_by_label("JSON")).to_contain_text("review_started")
        async with page.expect_download() as started:
            await page.get_by_role("link", name=say("Download")).click()
        download = await started.value
        assert download.suggested_filename.endswith(".json")


async def test_what_is_moved_before_the_scripts_come_is_shown(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """On a slow line a page can be used before htmx is there."""
    claim_id = await office.approved(name)
    has_moved = asyncio.Event()

    async def deliver_late(route: Route) -> None:
        await has_moved.wait()
        await route.continue_()

    async with visitors.visit("ada", look) as page:
        await page.route("**/htmx.min.js", deliver_late)
        await page.goto(f"/claims/{claim_id}/history", wait_until="commit")
        slider = page.get_by_role("slider", name=say("Version"))
        await slider.focus()
        for _ in range(2):
            await page.keyboard.press("ArrowLeft")
        has_moved.set()
        then = page.get_by_role("region", name=say("As it was then"))
        await expect(then).to_contain_text(say(word.STATUS["submitted"].word))
        await expect(page.locator(".slider-number")).to_have_text("3")


async def test_an_operator_keeps_it_running(
    visitors: Visitors, demo: Demo, look: Look, say: Say
) -> None:
    """Sees that all runs, rebuilds the board, moves the clock, sends again what was given up."""
    async with visitors.visit("olga", look) as page:
        await page.goto("/operations")
        await expect(page.get_by_text(say("Everything runs"))).to_be_visible()
        await page.get_by_role("button", name=say("Rebuild %(name)s") % {"name": "board"}).click()
        rebuilt = _pattern(say("Rebuilt from %(events)s events in %(seconds)s s"))
        await expect(page.get_by_role("row", name="board")).to_contain_text(rebuilt)

        await page.get_by_label(say("Forward by")).fill("1")
        await page.get_by_role("button", name=say("Move"), exact=True).click()
        moved = translations(Language(look.language)).ngettext(
            "The clock was moved; on the way %(num)d deadline passed.",
            "The clock was moved; on the way %(num)d deadlines passed.",
            2,
        )
        await expect(page.get_by_role("status")).to_contain_text(_pattern(moved))

        async with connected(demo.nats_url, "test", 10.0) as nats:
            await nats.js.publish(
                command_subject("create_claim", secrets.token_hex(8)), b"create it, please"
            )
        letter = page.get_by_role("row", name=re.compile("cpor.commands")).first
        await expect(letter).to_be_visible()
        await examine(page, "journey-operations", look)
        await letter.get_by_role("link").click()
        await expect(page.get_by_role("region", name=say("Payload"))).to_contain_text(
            "create it, please"
        )
        await examine(page, "journey-dead-letter", look)
        await page.get_by_role("button", name=say("Send again")).click()
        sent = translations(Language(look.language)).ngettext(
            "%(num)d message was sent to its subject again.",
            "%(num)d messages were sent to their subjects again.",
            1,
        )
        await expect(page.get_by_role("status")).to_contain_text(_pattern(sent))


async def test_a_partner_is_told_that_the_claim_has_changed(
    visitors: Visitors, look: Look, say: Say, name: str, office: Office
) -> None:
    """On the claim's page, without what is being filled in being touched."""
    claim_id = await office.submitted(name)
    async with visitors.visit("ayse", look) as page:
        await page.goto(f"/claims/{claim_id}")
        comment = page.get_by_label(say("Your comment"))
        await comment.fill("half a sen")
        await office.done(DENIZ, claim_id, "start_review")

        notice = page.locator(".live-notice")
        await expect(notice).to_be_visible()
        await expect(comment).to_have_value("half a sen")
        await examine(page, "journey-claim-changed", look)
        await notice.get_by_role("link").click()

        await expect(notice).to_be_hidden()
        await expect(page.get_by_text(say("Under review")).first).to_be_visible()


async def test_a_reviewer_is_told_of_a_new_claim(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """The list says that there is more, and shows it when it is asked to."""
    claim_id = await office.ready(name)
    async with (
        visitors.visit("deniz", look) as page,
        visitors.visit("ayse", look) as partner,
    ):
        await page.goto("/claims?sort=-updated_at")
        await partner.goto(f"/claims/{claim_id}")
        await partner.get_by_role("button", name=say("Submit for review")).click()

        notice = page.locator("[data-notice] a")
        await expect(notice).to_contain_text(say("1 change"))
        await expect(page.get_by_role("link", name=name)).to_have_count(0)
        await examine(page, "journey-notice", look)
        await notice.click()
        await expect(page.get_by_role("link", name=name)).to_be_visible()


async def test_a_part_that_can_not_be_had_is_asked_for_as_a_whole(
    visitors: Visitors, office: Office, look: Look, say: Say, name: str
) -> None:
    """The list that somebody filters does not stay as it was without a word."""
    await office.submitted(name)
    async with visitors.visit("deniz", look, tolerant=True) as page:
        await page.goto("/claims")
        await page.route(
            "**/claims?*",
            lambda route, asked: (
                route.abort() if asked.resource_type in {"xhr", "fetch"} else route.continue_()
            ),
        )
        await page.get_by_role("searchbox", name=say("Search")).fill(name)

        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.get_by_role("link", name=name)).to_be_visible()


async def _scripts_are_there(page: Page, part: Locator) -> None:
    """What is done next needs them; the part tells that it is on the right page."""
    await expect(part).to_be_visible()
    await page.wait_for_load_state()


def _pattern(message: str) -> re.Pattern[str]:
    """The message, whatever is put into it."""
    return re.compile(".+".join(map(re.escape, re.split(r"%\(\w+\)[sd]", message))))


async def _mistaken(page: Page, say: Say) -> None:
    """A domain that is none is told beside its field, as soon as it is left."""
    domain = page.get_by_label(say("Customer's domain"))
    await _scripts_are_there(page, domain)
    await domain.fill("not a domain")
    await domain.blur()
    wrong = say("Enter a domain name, such as company.example.")
    await expect(domain).to_have_accessible_description(re.compile(re.escape(wrong)))
    await expect(domain).to_have_attribute("aria-invalid", "true")
    await page.get_by_role("button", name=say("Next")).click()
    await expect(page.get_by_role("alert")).to_contain_text(wrong)


async def _filled_in(page: Page, say: Say, name: str, look: Look) -> None:
    """All four steps, up to where they are looked over."""
    customer, contact = DETAILS["customer"], DETAILS["customer_contact"]
    following = page.get_by_role("button", name=say("Next"))
    for label, text in {
        "Customer's name": customer["name"],
        "Customer's domain": customer["domain"],
        "Tenant id": customer["tenant_id"],
        "Contact's name": contact["name"],
        "Contact's title": contact["title"],
        "Contact's e-mail address": "hugo@elsewhere.example",
    }.items():
        await page.get_by_label(say(label)).fill(text)
    await page.get_by_label(say("Contact's e-mail address")).blur()
    hint = say("This address is not in the customer's domain. That may be right; look twice.")
    await expect(page.get_by_text(hint)).to_be_visible()
    await examine(page, "journey-new-customer", look)
    await following.click()
    area = say(word.SOLUTION_AREA[DETAILS["solution_area"]].word)
    await page.get_by_role("radio", name=area).check()
    await page.get_by_role("checkbox", name=say(word.ACTIVITY["usage"].word)).check()
    await examine(page, "journey-new-work", look)
    await following.click()
    await page.get_by_role("checkbox", name="Intune").check()
    await examine(page, "journey-new-products", look)
    await following.click()
    await page.get_by_label(say("Claim's name")).fill(name)
    await page.get_by_label(say("MPN id")).fill(DETAILS["mpn_id"])
    await page.get_by_label(say("Your contact's name")).fill("Ayşe Demir")
    await page.get_by_label(say("Your contact's e-mail address")).fill("ayse@anadolu.example")
    await examine(page, "journey-new-partner", look)
    await page.get_by_role("button", name=say("Look over")).first.click()
    await expect(page.get_by_text(hint)).to_be_visible()
    await examine(page, "journey-new-review", look)


def _pdf(name: str, content: bytes) -> FilePayload:
    """A file that says it is a PDF."""
    return {"name": name, "mimeType": "application/pdf", "buffer": content}


async def _drop(page: Page, filename: str, text: str) -> None:
    """Let go of a file over the form."""
    transfer = await page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], name, { type: "text/plain" }));
            return transfer;
        }""",
        [filename, text],
    )
    await page.locator("[data-drop]").dispatch_event("drop", {"dataTransfer": transfer})


async def _take(page: Page, say: Say, claim_id: UUID) -> None:
    """Take this claim out of the queue."""
    await page.goto(f"/queue/{claim_id}")
    await page.get_by_role("button", name=say("Take it")).click()
    await expect(page.get_by_role("heading", name=say("Decide"))).to_be_visible()


async def _approve(page: Page, say: Say, note: str) -> None:
    """Decide by the form; what comes next is the queue."""
    await page.locator("summary").filter(has_text=say("Approve")).click()
    form = page.locator("#form-approve_claim")
    await form.get_by_label(say("Note to the partner")).fill(note)
    await form.get_by_label(say("then open the next claim")).uncheck()
    await form.get_by_role("button").click()
