"""The API's description is fresh, valid, and true; and readable without the internet."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from pydantic import ValidationError
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from domain.access import SENDERS
from domain.command import COMMANDS
from services.media_type import SUFFIXES
from services.web import example
from services.web.documentation import STATIC
from services.web.problem import ADVICE, ALL_PROBLEMS
from services.web.view import ClaimView
from tests.claims.orders import CREATE
from tests.web.conftest import AUDITOR, AYSE, DENIZ, OPERATOR, PROOF, Site
from tools import openapi

DOCUMENT: dict[str, Any] = json.loads(openapi.render())


def flaws(schema: dict[str, Any], instance: object) -> list[str]:
    """What a schema that refers to the document's components finds wrong with an instance."""
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": DOCUMENT["components"],
        **schema,
    }
    return [
        f"{error.instance_path}: {error.message}"
        for error in jsonschema_rs.validator_for(whole, validate_formats=True).iter_errors(instance)
    ]


def component(name: str) -> dict[str, Any]:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def test_the_file_is_fresh() -> None:
    """`docs/openapi.json` says what the code says now."""
    assert not openapi.is_stale(), "run `python -m tools.openapi`"


def test_check_tells_a_stale_file_by_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--check` passes what was just written, and fails what is missing or changed."""
    monkeypatch.setattr(openapi, "FILE", tmp_path / "docs" / "openapi.json")

    assert openapi.main(["--check"]) == 1
    assert openapi.main([]) == 0
    assert openapi.main(["--check"]) == 0
    openapi.FILE.write_text("{}", "utf-8")
    assert openapi.main(["--check"]) == 1


def test_it_is_openapi() -> None:
    """By the official schema of OpenAPI 3.1, and with every reference leading somewhere."""
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)

    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)):
        assert name in DOCUMENT["components"]["schemas"]


def test_every_command_is_an_operation_of_its_own() -> None:
    """With its schema, its example, and who may send it."""
    for command in COMMANDS:
        operation = DOCUMENT["paths"][f"/api/claims/{{claim_id}}/{command}"]["post"]
        content = operation["requestBody"]["content"]["application/json"]

        assert operation["operationId"] == command
        assert flaws(content["schema"], content["example"]) == []
        assert all(f"`{role}`" in operation["description"] for role in SENDERS[command])


@pytest.mark.parametrize(
    ("command", "data"),
    [
        ("create_claim", {}),
        ("create_claim", CREATE | {"colour": "red"}),
        ("edit_claim", {}),
        ("edit_claim", {"name": None}),
        ("approve_claim", {"note": 7}),
        ("pass_deadline", {"clock": "consent", "due_at": "tomorrow"}),
    ],
)
def test_schemas_refuse_what_commands_refuse(command: str, data: dict[str, Any]) -> None:
    """Whoever makes a client from the description makes one that fits."""
    with pytest.raises(ValidationError):
        COMMANDS[command].model_validate(data)

    assert flaws(component(COMMANDS[command].__name__), data)


def test_examples_are_possible() -> None:
    """The code takes them."""
    for command, data in example.DATA.items():
        COMMANDS[command].model_validate_json(json.dumps(data))
    assert ClaimView.model_validate(example.CLAIM).model_dump(mode="json") == example.CLAIM
    for name in ("ClaimView", "OutcomeData", "Problem", "Uploaded"):
        for each in DOCUMENT["components"]["schemas"][name]["examples"]:
            assert flaws(component(name), each) == []


def test_every_problem_is_explained() -> None:
    """What it means, and what a caller can do."""
    assert set(ALL_PROBLEMS) == set(ADVICE)


@pytest.mark.parametrize("code", ALL_PROBLEMS)
async def test_a_problems_type_leads_to_its_explanation(
    alone: httpx.AsyncClient, code: str
) -> None:
    """`type` is an address."""
    explained = (await alone.get(f"/problems/{code}")).json()

    assert explained["type"] == f"/problems/{code}"
    assert (explained["status"], explained["title"]) == ALL_PROBLEMS[code]


async def test_the_bare_address_leads_to_what_there_is_to_see(alone: httpx.AsyncClient) -> None:
    """Whoever opens it in a browser reads no error."""
    response = await alone.get("/")

    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in"


@pytest.mark.asyncio(loop_scope="session")
async def test_answers_are_as_described(site: Site, claim_id: str) -> None:
    """Each status and body that comes back stands in the description."""
    await site.approved(claim_id)
    digest = hashlib.sha256(PROOF).hexdigest()
    for method, path, by, body in (
        ("get", "/api/claims", AUDITOR, None),
        ("get", "/api/claims?limit=0", AUDITOR, None),
        ("get", "/api/summary", AUDITOR, None),
        ("get", "/api/claims/{claim_id}", AYSE, None),
        ("get", "/api/claims/{claim_id}?version=1", AUDITOR, None),
        ("get", "/api/claims/{claim_id}?version=99", AUDITOR, None),
        ("get", "/api/claims/{claim_id}/history", AYSE, None),
        ("get", "/api/claims/{claim_id}/comments", AYSE, None),
        ("get", f"/api/claims/{{claim_id}}/documents/sha256:{digest}", OPERATOR, None),
        ("get", "/api/catalogue", AYSE, None),
        ("get", "/api/policy", DENIZ, None),
        ("get", "/api/version", "", None),
        ("get", "/api/version", AUDITOR, None),
        ("get", "/livez", "", None),
        ("get", "/readyz", "", None),
        ("get", "/problems/invalid", "", None),
        ("get", "/problems/nonsense", "", None),
        ("post", "/api/claims/{claim_id}/post_comment", DENIZ, {"text": "noted"}),
        ("post", "/api/claims/{claim_id}/post_comment", DENIZ, {"text": ""}),
        ("post", "/api/claims/{claim_id}/submit_claim", AYSE, {}),
        ("post", "/api/claims/{claim_id}/submit_claim", "nobody", {}),
        ("post", "/dev/clock", OPERATOR, {"advance": "PT0S"}),
        ("post", "/dev/clock", AYSE, {"advance": "PT1S"}),
    ):
        response = await site.client.request(
            method, path.format(claim_id=claim_id), json=body, headers={"X-Cpor-Actor": by}
        )

        described = responses(method, path)[str(response.status_code)]["content"]
        [media_type] = described
        assert response.headers["content-type"] == media_type, path
        assert flaws(described[media_type]["schema"], response.json()) == [], path


@pytest.mark.parametrize("name", ["ClaimView", "Component", "Policy", "Product", "Readiness"])
def test_answers_always_hold_all_their_fields(name: str) -> None:
    """Also those that may be null: a client need not look whether they are there."""
    schema = DOCUMENT["components"]["schemas"][name]

    assert schema["required"] == list(schema["properties"])


@pytest.mark.asyncio(loop_scope="session")
async def test_a_download_is_of_a_kind_that_is_described(site: Site, claim_id: str) -> None:
    """The kinds that are taken are those that are given out."""
    await site.submitted(claim_id)
    path = f"/api/claims/{claim_id}/documents/sha256:{hashlib.sha256(PROOF).hexdigest()}"

    response = await site.read(path, by=AYSE)

    described = responses("get", path.replace(claim_id, "{claim_id}"))["200"]
    assert response.headers["content-type"] in described["content"]
    assert set(described["content"]) == set(SUFFIXES)
    assert "Content-Disposition" in described["headers"]


def test_no_caller_is_described_with_its_header() -> None:
    """Wherever there must be one."""
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


def responses(method: str, path: str) -> dict[str, Any]:
    """What an address may answer."""
    path = re.sub(r"sha256:\w+", "{digest}", path.partition("?")[0])
    path = re.sub(r"^/problems/\w+$", "/problems/{code}", path)
    described: dict[str, Any] = DOCUMENT["paths"][path][method]["responses"]
    return described


def test_vendored_files_are_those_that_were_taken() -> None:
    """Package, version, licence and digest of each stand beside them."""
    packages = json.loads((STATIC / "vendored.json").read_text("utf-8"))
    described = {name: digest for each in packages for name, digest in each["files"].items()}

    assert all(each["version"] and each["licence"] for each in packages)
    assert described == {
        str(file.relative_to(STATIC)): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in STATIC.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
    }
    for folder in {name.partition("/")[0] for name in described}:
        assert f"{folder}/LICENSE" in described


async def test_the_page_needs_nothing_from_elsewhere(alone: httpx.AsyncClient) -> None:
    """Every script, style and picture is ours, and nothing else is allowed."""
    page = await alone.get("/docs")

    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 5
    for address in addresses:
        assert address.startswith("/")
        assert (await alone.get(address)).status_code == 200
    assert "<script>" not in page.text
    assert "style=" not in page.text
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_static_files_are_not_a_way_out(alone: httpx.AsyncClient) -> None:
    """Only what lies in the folder is served."""
    for path in ("../__init__.py", "%2e%2e/__init__.py", "..%2f__init__.py", "nothing.js", ""):
        response = await alone.get(f"/static/{path}")

        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
