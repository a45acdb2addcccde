"""No read gives a claim away to who may not know of it (R25)."""

import hashlib
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from services.settings import Settings
from services.web import create_app
from tests.claims.orders import CREATE
from tests.web.conftest import ASSESSOR, AUDITOR, AYSE, CUSTOMER, DENIZ, JOHN, OPERATOR, PROOF, Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R25")]

OWN, NONE = "0f2c3d4e-0000-4000-8000-00000000000a", "0f2c3d4e-0000-4000-8000-00000000000b"
DIGEST = f"sha256:{hashlib.sha256(PROOF).hexdigest()}"
SECRET = "Unmistakable"
REFERENCE = {"/api/catalogue", "/api/policy", "/api/version"}
"""Reads that know nothing of claims, for everybody who says who it is."""
OPEN = {"/livez", "/readyz", "/metrics", "/problems/{code}"}
"""Reads that know nothing of claims, for everybody; another read must be in the tests below."""


class Read(NamedTuple):
    """One operation that reads claims, as called."""

    path: str
    query: dict[str, str] = {}  # noqa: RUF012 - never changed


BY_ID = [
    Read("/api/claims/{claim_id}"),
    Read("/api/claims/{claim_id}", {"version": "1"}),
    Read("/api/claims/{claim_id}", {"as_of": "2999-01-01T00:00:00Z"}),
    Read("/api/claims/{claim_id}", {"wait_for": "1"}),
    Read("/api/claims/{claim_id}/history"),
    Read("/api/claims/{claim_id}/comments"),
    Read("/api/claims/{claim_id}/documents/{digest}"),
]
LISTS = [
    Read("/api/claims"),
    Read("/api/claims", {"org": "1234567"}),
    Read("/api/claims", {"q": SECRET}),
    Read("/api/claims", {"status": "submitted", "product": "teams"}),
    Read("/api/claims", {"tenant_id": CREATE["customer"]["tenant_id"]}),
    Read("/api/summary"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _a_claim_with_a_secret(site: Site) -> AsyncGenerator[None]:
    await site.draft(OWN, name=SECRET)
    document = (await site.upload()).json()
    await site.done(OWN, "attach_poe", {"document": document}, by=AYSE)
    yield


async def test_every_read_is_tried() -> None:
    """A new route is a new way out: it belongs in one of the tables."""
    paths: dict[str, Any] = create_app(Settings()).openapi()["paths"]

    reads = {path for path, operations in paths.items() if "get" in operations}

    assert reads == REFERENCE | OPEN | {read.path for read in (*BY_ID, *LISTS)}


@pytest.mark.parametrize("by", [JOHN, DENIZ, ASSESSOR, CUSTOMER, "timer;;t"])
@pytest.mark.parametrize("read", BY_ID, ids=str)
async def test_a_foreign_claim_reads_like_none(site: Site, by: str, read: Read) -> None:
    """Another organisation, a reviewer before submission, an assessor: to the letter the same."""
    answers = [
        await site.read(read.path.format(claim_id=claim_id, digest=DIGEST), by=by, **read.query)
        for claim_id in (OWN, NONE)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert {**answers[0].headers} == {**answers[1].headers} | {
        name: value for name, value in answers[0].headers.items() if name == "cpor-position"
    }


@pytest.mark.parametrize("by", [JOHN, DENIZ, ASSESSOR, CUSTOMER])
@pytest.mark.parametrize("read", LISTS, ids=str)
async def test_lists_and_counts_leave_it_out(site: Site, by: str, read: Read) -> None:
    """By no filter and no search does it show."""
    answer = await site.read(read.path, by=by, **read.query)

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
    answer = await site.read(read.path.format(claim_id=OWN, digest=DIGEST), by=by, **read.query)

    assert answer.status_code == 200


async def test_nobody_reads_nothing(site: Site) -> None:
    """Without a caller there is no read of the API at all."""
    for read in (*BY_ID, *LISTS, *map(Read, sorted(REFERENCE))):
        path = read.path.format(claim_id=OWN, digest=DIGEST)
        answer = await site.client.get(path, params=read.query)

        assert answer.status_code == 401, path


@pytest.mark.parametrize("by", [AYSE, DENIZ, CUSTOMER, ASSESSOR, AUDITOR, OPERATOR, "timer;;t"])
async def test_everybody_reads_what_hardly_ever_changes(site: Site, by: str) -> None:
    """Whatever the role."""
    for path in sorted(REFERENCE):
        assert (await site.read(path, by=by)).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", *sorted(OPEN)])
async def test_what_is_no_api_is_open(site: Site, path: str) -> None:
    """Operations, and what explains the API, ask nobody who it is."""
    assert (await site.client.get(path.format(code="invalid"))).status_code == 200
