"""Whatever fits the API's description, or just doesn't, is answered as described."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
# schemathesis leaves most of its types open.

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, TypeAlias, cast
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import Request
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.embedded.postgres import Postgres
from tests.web.conftest import (
    ADDRESS,
    ASSESSOR,
    AUDITOR,
    AYSE,
    CUSTOMER,
    DENIZ,
    OPERATOR,
    Site,
    fresh,
)
from tools import openapi

pytestmark = [pytest.mark.fault(75), pytest.mark.asyncio(loop_scope="session")]


Operation: TypeAlias = APIOperation[Any, Any, Any, Any]


def operations() -> Mapping[str, Operation]:
    """All of them, as described for who says who it is: what nobody may is tested elsewhere."""
    document = json.loads(openapi.render())
    places = [(path, method) for path, each in document["paths"].items() for method in each]
    for path, method in places:
        document["paths"][path][method].pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    return {f"{method.upper()} {path}": schema[path][method.upper()] for path, method in places}


OPERATIONS: Final = operations()
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
TAKE_ANY: Final = {"GET /problems/{code}", "POST /api/documents"}
"""Operations that take whatever is sent: in a form, say, a number is text like any other."""
CLAIM: Final = str(uuid5(NAMESPACE_URL, __name__))
EVERYBODY: Final = (AYSE, DENIZ, CUSTOMER, ASSESSOR, AUDITOR, OPERATOR)
THE_SAME_EVERY_TIME: Final = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def takes_anything(label: str) -> bool:
    """Whether something that is sent to this operation can be wrong."""
    operation: dict[str, Any] = OPERATIONS[label].definition.raw
    return bool("requestBody" in operation or operation.get("parameters")) and label not in TAKE_ANY


def drawn(cases: st.SearchStrategy[Case[Any]]) -> list[tuple[Case[Any], str]]:
    """Some of these cases, and who sends each: the same in every run.

    The process's random numbers must be hypothesis's alone meanwhile, or it draws other cases when
    it looks again. So all are drawn before the first is sent, while the event loop stands still,
    and with it the services, whose libraries draw, too.
    """
    drawn: list[tuple[Case[Any], str]] = []

    @THE_SAME_EVERY_TIME
    @given(cases, st.sampled_from(EVERYBODY))
    def draw(case: Case[Any], actor: str) -> None:
        drawn.append((case, actor))

    draw()
    return drawn


async def play(site: Site, cases: st.SearchStrategy[Case[Any]]) -> None:
    """Send some of these cases."""
    for case, actor in drawn(cases):
        answer = await site.client.send(as_httpx(case, actor))
        assert str(answer.status_code) in case.operation.definition.raw["responses"], answer.text
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS)


def without_waiting(case: Case[Any]) -> Case[Any]:
    """The case, not waiting for what never comes."""
    case.query.pop("wait_for", None)
    return case


def as_httpx(case: Case[Any], actor: str) -> httpx.Request:
    """The case as it goes over the wire."""
    prepared = Request(**case.as_transport_kwargs(base_url=ADDRESS)).prepare()
    return httpx.Request(
        prepared.method or "",
        prepared.url or "",
        headers=cast("dict[str, str]", {**prepared.headers, "X-Cpor-Actor": actor}),
        content=cast("bytes | str | None", prepared.body),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fuzzed(
    migrated_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Site]:
    """A system of its own, for its clock goes anywhere, with a claim that is submitted."""
    async with fresh(migrated_server, tmp_path_factory.mktemp("fuzzed"), "fuzzed") as site:
        await site.submitted(CLAIM)
        yield site


@pytest.mark.parametrize("label", OPERATIONS)
async def test_what_fits_the_description_is_answered_as_described(fuzzed: Site, label: str) -> None:
    """Nothing fails; status, media type, headers and body stand there."""
    known = {"claim_id": CLAIM} if "{claim_id}" in label else None
    operation = OPERATIONS[label]
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    deeper = operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known)
    await play(fuzzed, (fitting | deeper).map(without_waiting))


@pytest.mark.parametrize("label", [label for label in OPERATIONS if takes_anything(label)])
async def test_what_does_not_fit_the_description_is_refused(fuzzed: Site, label: str) -> None:
    """By a problem that stands there."""
    await play(fuzzed, OPERATIONS[label].as_strategy(generation_mode=GenerationMode.NEGATIVE))
