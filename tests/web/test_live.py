"""What changes is told to open pages: to whom, how soon, and when the telling ends."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx
import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from domain.actor import Actor
from domain.vocabulary import Role, Status
from services.settings import Settings
from services.web import audience, live
from services.web.audience import MOST_PAGES, MOST_WAITING, Change, Page
from tests.free_port import free_port
from tests.web.conftest import DENIZ, Site
from tests.web.listed import JONAS, drafted, submitted
from tests.web.served import served
from tests.web.stream import streaming

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def ayse(site: Site) -> httpx.AsyncClient:
    """A partner's browser."""
    return await site.signed_in("ayse")


async def test_a_change_is_told_at_once(site: Site, ayse: httpx.AsyncClient, claim_id: str) -> None:
    """By the claim's id, as a stream that nobody keeps back."""
    async with streaming(site.app, ayse, "/live") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        await drafted(site, claim_id)
        event = await stream.event(2)

    assert event is not None
    assert (event["event"], event["data"]) == ("claim", claim_id)
    assert int(event["id"]) > 0


@pytest.mark.rule("R25")
async def test_nobody_hears_of_what_they_may_not_see(
    site: Site, ayse: httpx.AsyncClient, claim_id: str
) -> None:
    """Not even that it is there: a partner of others' claims, a reviewer of drafts."""
    foreign, last = (str(uuid5(NAMESPACE_URL, f"{claim_id} {each}")) for each in ("a", "b"))
    marta = await site.signed_in("marta")
    async with (
        streaming(site.app, ayse, "/live") as partners,
        streaming(site.app, marta, "/live") as reviewers,
    ):
        await submitted(site, foreign, by=JONAS)
        await drafted(site, claim_id)
        await submitted(site, last, by=JONAS)
        heard = [await partners.event(), await reviewers.event(), await reviewers.event()]

    assert [event and event["data"] for event in heard] == [claim_id, foreign, last]


@pytest.mark.rule("R24")
async def test_partners_do_not_hear_of_internal_notes(
    site: Site, ayse: httpx.AsyncClient, claim_id: str
) -> None:
    """Reviewers do; and of what comes with a note, the partner hears as ever."""
    await submitted(site, claim_id)
    note, answer = {"text": "Looks forged.", "internal": True}, {"text": "Which page?"}
    marta = await site.signed_in("marta")
    async with (
        streaming(site.app, ayse, "/live") as partners,
        streaming(site.app, marta, "/live") as reviewers,
    ):
        await site.done(claim_id, "post_comment", note, by=DENIZ)
        heard = await reviewers.event()
        await site.done(claim_id, "post_comment", answer, by=DENIZ)
        told = await partners.event()

    assert (heard or {})["data"] == claim_id
    assert told is not None
    assert told["data"] == claim_id
    assert int(told["id"]) > int((heard or {})["id"])


async def test_who_comes_back_hears_what_came_meanwhile(
    site: Site, ayse: httpx.AsyncClient, claim_id: str
) -> None:
    """Since the position that the page shows, or that its last event had."""
    await drafted(site, str(uuid5(NAMESPACE_URL, claim_id)))
    page = (await ayse.get("/claims")).text
    position = page.partition('data-position="')[2].partition('"')[0]
    await drafted(site, claim_id)

    async with streaming(site.app, ayse, f"/live?since={position}") as stream:
        assert (await stream.event() or {})["data"] == claim_id
    last = {"Last-Event-ID": position}
    async with streaming(site.app, ayse, "/live?since=999999", **last) as stream:
        assert (await stream.event() or {})["data"] == claim_id


async def test_after_too_much_a_page_is_told_to_refresh(
    site: Site, ayse: httpx.AsyncClient, claim_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one it would take longer than to look again."""
    await drafted(site, claim_id)
    monkeypatch.setattr(audience, "MOST_EVENTS", 0)

    async with streaming(site.app, ayse, "/live?since=0") as stream:
        assert (await stream.event() or {})["event"] == "refresh"


async def test_a_slow_reader_is_told_to_refresh() -> None:
    """What waits for one is bounded."""
    reader = Actor(role=Role.AUDITOR, id="ada")
    page = Page(reader, 0)
    changes = [Change(UUID(int=n), "1", Status.EDITING) for n in range(MOST_WAITING)]

    page.tell(changes, 7)
    assert (await page.take(0.1)).count("event: claim") == MOST_WAITING
    page.tell(changes, 8)
    page.tell([Change(UUID(int=MOST_WAITING), "1", Status.EDITING)], 9)
    assert await page.take(0.1) == "event: refresh\ndata: 9\nid: 9\n\n"
    assert await page.take(0.0) == ":\n\n"


async def test_nothing_is_lost_with_the_connection(
    site: Site, ayse: httpx.AsyncClient, claim_id: str
) -> None:
    """What changed while there was none is told by the next one."""
    async with streaming(site.app, ayse, "/live") as stream:
        async with await AsyncConnection.connect(site.settings.database_url) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'cpor web live' AND datname = current_database()"
            )
        await drafted(site, claim_id)

        assert (await stream.event() or {})["data"] == claim_id


async def test_a_stream_ends_with_its_session(
    site: Site, ayse: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then there are signs of life."""
    monkeypatch.setattr(live, "ALIVE", 0.1)
    async with streaming(site.app, ayse, "/live") as stream, asyncio.timeout(10):
        assert await stream.block() == "retry: 2000"
        assert await stream.block() == ":"
        async with await AsyncConnection.connect(site.settings.database_url) as connection:
            await connection.execute("UPDATE cpor.sessions SET expires_at = now()")

        assert await stream.event() is None


async def test_a_stream_is_for_who_is_signed_in(site: Site) -> None:
    """Nobody else hears anything."""
    response = await site.browser().get("/live")

    assert response.status_code == 401


async def test_one_person_has_so_many_pages(site: Site, ayse: httpx.AsyncClient) -> None:
    """One that is closed makes room for another one."""
    jonas = await site.signed_in("jonas")
    async with streaming(site.app, ayse, "/live"):
        others = [streaming(site.app, ayse, "/live") for _ in range(MOST_PAGES - 1)]
        for each in others:
            await each.__aenter__()
        assert (await ayse.get("/live")).status_code == 429
        async with streaming(site.app, jonas, "/live") as stream:
            assert stream.status == 200
        for each in others:
            await each.__aexit__(None, None, None)
        async with streaming(site.app, ayse, "/live") as stream:
            assert stream.status == 200


@pytest_asyncio.fixture
async def settings(database_url: str, nats_url: str, tmp_path: Path) -> Settings:
    """Settings of a system without services, with a port of its own."""
    return Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        nats_url=nats_url,
        http_port=free_port(),
    )


@pytest_asyncio.fixture
async def process(settings: Settings) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The web, which answers."""
    async with served(settings) as process:
        yield process


@pytest.mark.asyncio(loop_scope="function")
async def test_the_process_ends_although_pages_are_open(
    process: asyncio.subprocess.Process, settings: Settings
) -> None:
    """At once, and in order for who reads them."""
    address = f"http://127.0.0.1:{settings.http_port}"
    async with httpx.AsyncClient(base_url=address, timeout=10) as browser:
        await browser.post("/sign-in", data={"persona": "ayse"})
        async with browser.stream("GET", "/live") as response:
            parts: Any = response.aiter_text()
            assert await anext(parts) == "retry: 2000\n\n"
            began = monotonic()
            os.kill(process.pid, signal.SIGTERM)
            async for _ in parts:
                pass
            ended = monotonic()
    _, log = await process.communicate()

    assert ended - began < 3
    assert process.returncode == 0
    assert b"Traceback" not in log
