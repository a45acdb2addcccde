"""No read gives a claim away to who may not know of it (R25).

Every route that is read stands in one of the tables below; those of claims are tried by people who
must not see anything. Reads of the API are called with a header, pages with a session.
"""

import hashlib
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from domain.actor import Actor
from domain.vocabulary import Role
from services.settings import Settings
from services.web import create_app, session
from services.web.session import Person
from tests.claims.orders import CREATE
from tests.web.conftest import ASSESSOR, AUDITOR, AYSE, CUSTOMER, DENIZ, JOHN, OPERATOR, PROOF, Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R25")]

OWN, NONE = "0f2c3d4e-0000-4000-8000-00000000000a", "0f2c3d4e-0000-4000-8000-00000000000b"
DIGEST = f"sha256:{hashlib.sha256(PROOF).hexdigest()}"
SECRET = "Unmistakable"
TIME = re.compile(r"<time.*?</time>")
"""The clock of the mode `dev` stands on every page."""


class Read(NamedTuple):
    """One operation that reads claims, as called."""

    path: str
    query: dict[str, str] = {}  # noqa: RUF012 - never changed


REFERENCE: Final = {"/api/catalogue", "/api/policy", "/api/version"}
"""Reads that know nothing of claims, for everybody who says who it is."""
OPEN: Final = {
    *("/livez", "/readyz", "/metrics", "/problems/{code}"),
    *("/openapi.json", "/docs", "/static", "/static/icons.svg", "/", "/sign-in", "/taste"),
}
"""Reads that know nothing of claims, for everybody."""
BY_ID: Final = [
    Read("/api/claims/{claim_id}"),
    Read("/api/claims/{claim_id}", {"version": "1"}),
    Read("/api/claims/{claim_id}", {"as_of": "2999-01-01T00:00:00Z"}),
    Read("/api/claims/{claim_id}", {"wait_for": "1"}),
    Read("/api/claims/{claim_id}/history"),
    Read("/api/claims/{claim_id}/comments"),
    Read("/api/claims/{claim_id}/documents/{digest}"),
    Read("/claims/{claim_id}"),
    Read("/claims/{claim_id}/history"),
    Read("/claims/{claim_id}/history", {"view": "json"}),
    Read("/claims/{claim_id}/history", {"version": "1"}),
    Read("/claims/{claim_id}/proof"),
    Read("/claims/{claim_id}/proof/{digest}"),
]
"""Reads of one claim: for who may not see it, it isn't there."""
LISTS: Final = [
    Read("/api/claims"),
    Read("/api/claims", {"org": "1234567"}),
    Read("/api/claims", {"q": SECRET}),
    Read("/api/claims", {"status": "submitted", "product": "teams"}),
    Read("/api/claims", {"tenant_id": CREATE["customer"]["tenant_id"]}),
    Read("/api/summary"),
    Read("/claims"),
    Read("/claims", {"tenant_id": CREATE["customer"]["tenant_id"]}),
    Read("/claims.csv"),
    Read("/claim-rows", {"claim": OWN}),
]
"""Reads of many claims: who may not see one does not find it among them."""
ELSEWHERE: Final = {
    "/sign-in/start": "test_oidc.py",
    "/sign-in/callback": "test_oidc.py",
    "/signed-out": "test_oidc.py",
    "/dev/mail": "test_page_caught_mail.py",
    "/dev/mail/{mail_id}": "test_page_caught_mail.py",
    "/dev/mail/{mail_id}/html": "test_page_caught_mail.py",
    "/claims.xlsx": "test_export.py",
    "/claims/new": "test_page_new.py",
    "/claims/new/{draft_id}/{step_name}": "test_page_new.py",
    "/claims/new/{draft_id}/review": "test_page_new.py",
    "/claims/{claim_id}/dispute": "test_page_dispute.py",
    "/claims/{claim_id}/edit": "test_page_edit.py",
    "/claims/{claim_id}/proof/add": "test_page_attach.py",
    "/claims/{claim_id}/proof/{digest}/page/{number}.png": "test_page_proof.py",
    "/consent-link/{claim_id}": "test_page_consent.py",
    "/consent/{token:path}": "test_page_consent.py",
    "/insights": "test_page_insights.py",
    "/live": "test_live.py",
    "/mails/{token}": "test_page_mail_preference.py",
    "/mails/{token}/unsubscribe": "test_page_mail_preference.py",
    "/operations": "test_page_operations.py",
    "/operations/dead-letters": "test_page_operations.py",
    "/operations/dead-letters/{number}": "test_page_operations.py",
    "/operations/mails": "test_page_outgoing_mail.py",
    "/operations/now": "test_page_operations.py",
    "/operations/requeue": "test_page_operations.py",
    "/queue": "test_page_queue.py",
    "/queue/{claim_id}": "test_page_queue.py",
    "/views/due-today": "test_saved_view.py",
}
"""Reads that can't be tried in the same way, each with the tests that try it."""


async def look(site: Site, read: Read, *, by: str, claim_id: str = OWN) -> httpx.Response:
    """Read something as somebody."""
    path = read.path.format(claim_id=claim_id, digest=DIGEST)
    if path.startswith("/api/"):
        return await site.read(path, by=by, **read.query)
    async with site.browser() as browser:
        browser.cookies.set(session.COOKIE, await session_of(site, by))
        return await browser.get(path, params=read.query, follow_redirects=True)


async def session_of(site: Site, by: str) -> str:
    """A session of somebody who would be named so in the header."""
    role, org, name = by.split(";")
    actor = Actor(role=Role(role), org=org or None, id=name)
    async with site.app.state.backend.pool.connection() as connection:
        return await session.begin(connection, Person(name, actor))


def reads(app: FastAPI) -> set[str]:
    """The paths that can be read."""
    return {
        each.path
        for each in iter_route_contexts(app.routes)
        if each.path and (each.methods is None or "GET" in each.methods)
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _a_claim_with_a_secret(site: Site) -> AsyncGenerator[None]:
    await site.draft(OWN, name=SECRET)
    document = (await site.upload()).json()
    await site.done(OWN, "attach_poe", {"document": document}, by=AYSE)
    yield


async def test_every_read_is_tried() -> None:
    """A new route is a new way out: it belongs in one of the tables."""
    oidc = Settings(
        auth="oidc",
        oidc_issuer="https://login.example",
        oidc_client_id="cpor",
        oidc_client_secret="hidden",
    )

    known = REFERENCE | OPEN | {read.path for read in (*BY_ID, *LISTS)} | ELSEWHERE.keys()

    assert reads(create_app(Settings())) | reads(create_app(oidc)) == known
    for tests in ELSEWHERE.values():
        assert (Path(__file__).parent / tests).exists()


@pytest.mark.parametrize("by", [JOHN, DENIZ, ASSESSOR, CUSTOMER, "timer;;t"])
@pytest.mark.parametrize("read", BY_ID, ids=str)
async def test_a_foreign_claim_reads_like_none(site: Site, by: str, read: Read) -> None:
    """Another organisation, a reviewer before submission, an assessor: to the letter the same."""
    answers = [await look(site, read, by=by, claim_id=claim_id) for claim_id in (OWN, NONE)]

    assert [answer.status_code for answer in answers] == [404, 404]
    own, none = (TIME.sub("", answer.text) for answer in answers)
    assert own.replace(OWN, NONE) == none
    assert {**answers[0].headers} == {**answers[1].headers} | {
        name: value for name, value in answers[0].headers.items() if name == "cpor-position"
    }


@pytest.mark.parametrize("by", [JOHN, DENIZ, ASSESSOR, CUSTOMER])
@pytest.mark.parametrize("read", LISTS, ids=str)
async def test_lists_and_counts_leave_it_out(site: Site, by: str, read: Read) -> None:
    """By no filter and no search does it show."""
    answer = await look(site, read, by=by)

    assert answer.status_code == 200
    assert SECRET not in answer.text
    assert OWN not in answer.text
    if read.path == "/api/summary":
        assert sum(answer.json()["status"].values()) == len(
            (await site.read("/api/claims", by=by, limit="500")).json()["items"]
        )


@pytest.mark.parametrize("by", [AYSE, AUDITOR])
@pytest.mark.parametrize("read", BY_ID, ids=str)
async def test_its_readers_read_it(site: Site, by: str, read: Read) -> None:
    """The same reads do answer: the refusals above are no accident."""
    answer = await look(site, read, by=by)

    assert answer.status_code == 200


async def test_nobody_reads_nothing(site: Site) -> None:
    """Without a caller there is no read at all; a page leads to the sign-in."""
    for read in (*BY_ID, *LISTS, *map(Read, sorted(REFERENCE))):
        path = read.path.format(claim_id=OWN, digest=DIGEST)
        answer = await site.client.get(path, params=read.query)

        assert answer.status_code == (401 if path.startswith("/api/") else 303), path


@pytest.mark.parametrize("by", [AYSE, DENIZ, CUSTOMER, ASSESSOR, AUDITOR, OPERATOR, "timer;;t"])
async def test_everybody_reads_what_hardly_ever_changes(site: Site, by: str) -> None:
    """Whatever the role."""
    for path in sorted(REFERENCE):
        assert (await site.read(path, by=by)).status_code == 200


@pytest.mark.parametrize("path", sorted(OPEN - {"/", "/static"}))
async def test_what_is_no_api_is_open(site: Site, path: str) -> None:
    """Operations, and what explains the API, ask nobody who it is."""
    assert (await site.client.get(path.format(code="invalid"))).status_code == 200
