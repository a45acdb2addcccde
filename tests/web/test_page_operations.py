"""The page of operations, on the whole real system: what runs, and what operators do about it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import pytest
from psycopg import AsyncConnection

from services.rebuild import being_rebuilt
from services.roster import SERVICES
from services.web.rebuilding import OneAtATime, Rebuilds
from tests.web.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUBJECT = "cpor.commands.submit_claim.6f1f6d5c-0d0e-4d55-8a39-27f9a3b1c9e1"
ALL_PLACES = (
    "/operations",
    "/operations/now",
    "/operations/dead-letters",
    "/operations/dead-letters/1",
    "/operations/requeue",
)
ALL_DEEDS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("/operations/rebuild", {"projection": "board"}),
    ("/operations/clock", {"amount": "1", "unit": "days"}),
    ("/operations/dead-letters/1/requeue", {}),
    ("/operations/requeue", {"up_to": "9"}),
)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


async def text_of(browser: httpx.AsyncClient, path: str = "/operations/now") -> str:
    """What a page says."""
    response = await browser.get(path)
    assert response.status_code == 200, response.text
    return response.text


async def numbers(browser: httpx.AsyncClient) -> list[int]:
    """The numbers of the messages that were given up, as they are listed."""
    listed = await text_of(browser, "/operations/dead-letters")
    return [int(each) for each in re.findall(r'href="/operations/dead-letters/(\d+)"', listed)]


async def give_up(site: Site, browser: httpx.AsyncClient, payload: bytes) -> int:
    """Send what no service can read; the number under which it was given up."""
    before = await numbers(browser)
    await site.app.state.backend.broker.connection.js.publish(SUBJECT, payload)

    async def is_given_up() -> bool:
        return len(await numbers(browser)) > len(before)

    await until(is_given_up)
    return (await numbers(browser))[0]


async def test_everything_that_runs_is_named(site: Site) -> None:
    """Services, streams, consumers, projections; the clock, the version and the policy."""
    olga = await site.signed_in("olga")

    page = await text_of(olga, "/operations")

    for name in (*SERVICES, "nats", "postgresql"):
        assert f">{name}</th>" in page
    for name in ("CPOR_EVENTS", "claims of stream CPOR_COMMANDS", "board", "open_clocks", "stages"):
        assert f">{name}</th>" in page
    assert "Everything runs" in page
    assert "seed-2021" in page
    assert "Move the simulated clock" in page


async def test_a_service_that_stopped_is_seen(own_site: Site) -> None:
    """Without the page being asked for anew as a whole."""
    olga = await own_site.signed_in("olga")
    await own_site.services.stop("timer")

    part = await text_of(olga)

    assert "Not everything runs" in part
    assert re.search(r">timer</th>\s*<td><span class=\"badge-tone tone-bad\">", part)
    assert "<html" not in part
    own_site.services.start("timer")
    await own_site.until_ready()
    assert "Everything runs" in await text_of(olga)


@pytest.mark.rule("R25")
@pytest.mark.parametrize("persona", ["ayse", "deniz", "ada"])
async def test_nobody_but_operators_is_let_in(site: Site, persona: str) -> None:
    """Neither to look nor to do anything; and nobody else is led there."""
    browser = await site.signed_in(persona)

    answers = [await browser.get(path) for path in ALL_PLACES]
    answers += [await browser.post(path, data=data) for path, data in ALL_DEEDS]

    assert {answer.status_code for answer in answers} == {403}
    assert 'href="/operations"' not in answers[0].text


async def test_a_message_that_was_given_up_is_shown_as_it_came(site: Site) -> None:
    """Indented when it is JSON; nothing in it is taken for a part of the page."""
    olga = await site.signed_in("olga")

    number = await give_up(site, olga, b'{"id": "<script>alert(1)</script>", "n": [1]}')

    page = await text_of(olga, f"/operations/dead-letters/{number}")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "  &#34;n&#34;: [\n" in page
    assert SUBJECT in page
    assert "not a CloudEvent" in page


@pytest.mark.parametrize(
    "payload", [b"\x00\xff\x1b[31m", b'"\\ud800"', b"[" * 60_000, b"9" * 9999, b"x" * 30_000]
)
async def test_any_payload_can_be_looked_at(site: Site, payload: bytes) -> None:
    """Signs of control are escaped, and what is long is cut."""
    olga = await site.signed_in("olga")

    number = await give_up(site, olga, payload)

    page = await text_of(olga, f"/operations/dead-letters/{number}")
    assert "\x1b" not in page
    assert len(page) < 130_000
    assert ("cpor dead-letters show" in page) is (len(payload) > 20_000)


async def test_a_message_is_sent_again_once(own_site: Site) -> None:
    """What is still unreadable comes back, under a new number; sending twice sends once."""
    olga = await own_site.signed_in("olga")
    number = await give_up(own_site, olga, b"garbage")

    answers = [await olga.post(f"/operations/dead-letters/{number}/requeue") for _ in range(2)]

    assert [answer.headers["location"] for answer in answers] == [
        "/operations?sent=1",
        "/operations?sent=0",
    ]

    async def is_back() -> bool:
        return await numbers(olga) == [number + 1]

    await until(is_back)
    assert "1 message was sent" in await text_of(olga, "/operations?sent=1")
    assert (await olga.get(f"/operations/dead-letters/{number}")).status_code == 404


async def test_all_messages_are_sent_again_in_two_steps(own_site: Site) -> None:
    """Those that the second step was shown for, and none that came later."""
    olga = await own_site.signed_in("olga")
    for payload in (b"one", b"two", b"three"):
        last = await give_up(own_site, olga, payload)

    asked = await text_of(olga, "/operations/requeue")
    assert f'name="up_to" value="{last}"' in asked
    assert "3 messages were given up" in asked
    assert len(await numbers(olga)) == 3

    answer = await olga.post("/operations/requeue", data={"up_to": str(last)})
    assert answer.headers["location"] == "/operations?sent=3&stayed=0"

    async def are_back() -> bool:
        return await numbers(olga) == [last + 3, last + 2, last + 1]

    await until(are_back)
    again = await olga.post("/operations/requeue", data={"up_to": str(last)})
    assert again.headers["location"] == "/operations?sent=0&stayed=0"


async def test_a_projection_is_rebuilt(site: Site, claim_id: str) -> None:
    """With its progress, and its end."""
    olga = await site.signed_in("olga")
    await site.draft(claim_id)

    answer = await olga.post("/operations/rebuild", data={"projection": "board"})

    assert answer.status_code == 303
    assert "<progress" in await text_of(olga)
    same = await olga.post("/operations/rebuild", data={"projection": "board"})
    other = await olga.post("/operations/rebuild", data={"projection": "open_clocks"})
    assert same.status_code == 303
    assert other.status_code == 409
    assert "The projection board is being rebuilt" in other.text

    async def is_done() -> bool:
        return "Rebuilt from" in await text_of(olga)

    await until(is_done)
    assert (await olga.get(f"/api/claims/{claim_id}")).status_code == 200


async def test_what_is_no_projection_is_not_rebuilt(site: Site) -> None:
    """It is refused."""
    olga = await site.signed_in("olga")

    answer = await olga.post("/operations/rebuild", data={"projection": "bord"})

    assert answer.status_code == 422


async def test_a_rebuild_that_somebody_else_began_is_seen(site: Site) -> None:
    """From the command line, say; starting another one fails, and says why."""
    olga = await site.signed_in("olga")
    url = site.settings.database_url
    async with await AsyncConnection.connect(url, autocommit=True) as other:
        await other.execute("SELECT pg_advisory_lock(hashtext('cpor rebuild open_clocks'))")

        assert await being_rebuilt(other) == {"open_clocks"}
        assert "Being rebuilt by another process" in await text_of(olga)

        await olga.post("/operations/rebuild", data={"projection": "open_clocks"})

        async def has_failed() -> bool:
            latest = site.app.state.backend.rebuilds.latest("open_clocks")
            return not latest.runs

        await until(has_failed)
    assert "The projection open_clocks is being rebuilt already." in await text_of(olga)


async def test_a_rebuild_ends_with_the_web_process(site: Site) -> None:
    """Nothing of it goes on, and another one can begin."""
    rebuilds = Rebuilds()
    rebuilds.start("board", site.settings.database_url)
    with pytest.raises(OneAtATime):
        rebuilds.start("open_clocks", site.settings.database_url)
    await asyncio.sleep(0)  # so that it begins

    await rebuilds.stop()

    latest = rebuilds.latest("board")
    assert latest is not None
    assert not latest.runs
    assert latest.error == "The rebuild ended before its time."


async def test_a_database_that_refuses_is_told(site: Site) -> None:
    """By the rebuild itself, in one sentence."""
    rebuilds = Rebuilds()
    rebuilds.start("board", f"{site.settings.database_url}_missing")

    async def has_ended() -> bool:
        latest = rebuilds.latest("board")
        return latest is not None and not latest.runs

    await until(has_ended)
    latest = rebuilds.latest("board")
    assert latest is not None
    assert latest.error.startswith("The database refuses: ")


async def test_the_clock_is_moved_forward(own_site: Site, claim_id: str) -> None:
    """As by the API: what comes due on the way has happened when the page answers."""
    olga = await own_site.signed_in("olga")
    await own_site.approved(claim_id)

    answer = await olga.post("/operations/clock", data={"amount": "2", "unit": "weeks"})

    assert answer.headers["location"] == "/operations?passed=1"
    assert "1 deadline passed" in await text_of(olga, "/operations?passed=1")
    assert (await olga.get(f"/api/claims/{claim_id}")).json()["consent"] == "elapsed"
    for wrong in ({"amount": "0", "unit": "days"}, {"amount": "1", "unit": "years"}):
        assert (await olga.post("/operations/clock", data=wrong)).status_code == 422
    too_far = await olga.post("/operations/clock", data={"amount": "10000", "unit": "weeks"})
    assert too_far.status_code == 422
    assert "must not lead to the year 2100" in too_far.text
