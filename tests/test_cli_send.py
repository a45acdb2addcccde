"""`cpor send`, as a user types it: a real nats-server, a stand-in for the claims service."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
import typer
from nats.aio.msg import Msg
from typer.testing import CliRunner, Result

from services.cli.command import register
from services.connection import connected
from services.streams import outcome_subject, prepare
from tests.free_port import free_port

CLAIM = "6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90"
ACCEPTED: dict[str, Any] = {
    "result": "accepted",
    "version": 4,
    "events": ["review_started"],
    "position": 17,
}
REFUSED: dict[str, Any] = {
    "result": "refused",
    "version": 3,
    "events": [],
    "position": None,
    "problem": {
        "type": "/problems/not_possible",
        "title": "Not possible in this status",
        "status": 409,
        "detail": "start_review is not possible in the state [editing]",
        "rule": "R3",
        "claim_status": "editing",
    },
}

app = typer.Typer()
register(app)
runner = CliRunner()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def answering(url: str, outcome: dict[str, Any]) -> AsyncGenerator[list[Msg]]:
    """Somebody who answers every command with this outcome; yields what was received."""
    received: list[Msg] = []
    await prepare(url)
    async with connected(url, "stand-in") as nats:

        async def on_command(message: Msg) -> None:
            received.append(message)
            _, _, command, claim_id = message.subject.split(".")
            command_id = json.loads(message.data)["id"]
            data = {"command": command, "command_id": command_id, **outcome}
            answer = json.dumps({"data": data}).encode()
            await nats.publish(outcome_subject(claim_id, command_id), answer)

        await nats.listen("cpor.commands.*.*", on_command)
        await nats.flush()
        yield received


async def cpor(*arguments: str, stdin: str | None = None) -> Result:
    """What `cpor` does with these arguments."""
    return await asyncio.to_thread(lambda: runner.invoke(app, arguments, input=stdin))


@pytest.fixture
def nats(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a nats-server that the settings name."""
    monkeypatch.setenv("CPOR_NATS_URL", nats_url)
    return nats_url


async def test_an_accepted_command_shows_what_was_recorded(nats: str) -> None:
    """Events, version and position, for people; exit code 0."""
    async with answering(nats, ACCEPTED) as received:
        result = await cpor("start_review", CLAIM, "--as", "reviewer::deniz", "--id", "c-1")

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["accepted", "start_review"],
        ["claim", CLAIM],
        ["version", "4"],
        ["events", "review_started"],
        ["position", "17"],
        ["id", "c-1"],
    ]
    (message,) = received
    assert message.subject == f"cpor.commands.start_review.{CLAIM}"
    assert message.headers is not None
    assert message.headers["Content-Type"] == "application/cloudevents+json"
    body = json.loads(message.data)
    assert body.pop("time").endswith("Z")
    assert body == {
        "specversion": "1.0",
        "id": "c-1",
        "type": "cpor.command.start_review",
        "subject": CLAIM,
        "source": "/cpor/cli",
        "datacontenttype": "application/json",
        "actorid": "deniz",
        "actorrole": "reviewer",
        "data": {},
    }


async def test_a_refused_command_tells_why(nats: str) -> None:
    """Problem, reason, status and rule; exit code 1."""
    async with answering(nats, REFUSED):
        result = await cpor("start_review", CLAIM)

    assert result.exit_code == 1
    lines = dict(line.rstrip().split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines.pop("id").startswith("cli-")
    assert lines == {
        "refused": "start_review",
        "claim": CLAIM,
        "version": "3",
        "problem": "not_possible",
        "why": "start_review is not possible in the state [editing]",
        "status": "editing",
        "rule": "R3",
    }


async def test_wrong_fields_are_named(nats: str) -> None:
    """Each by its JSON pointer."""
    errors = [{"pointer": "/name", "detail": "is missing"}, {"pointer": "/x", "detail": "unknown"}]
    problem = REFUSED["problem"] | {"type": "/problems/invalid", "errors": errors}
    async with answering(nats, REFUSED | {"problem": problem}):
        result = await cpor("create_claim", "new", "--as", "global_admin:123:ayse")

    assert result.exit_code == 1
    assert "/name: is missing" in result.stdout
    assert "/x: unknown" in result.stdout


async def test_json_is_the_outcome_with_its_claim(nats: str) -> None:
    """For programs: also the id that `new` made up."""
    async with answering(nats, ACCEPTED) as received:
        result = await cpor("create_claim", "new", "--as", "global_admin:123:ayse", "--json")

    answer = json.loads(result.stdout)
    claim_id = UUID(answer.pop("claim_id"))
    assert (claim_id.version, answer.pop("command_id")[:4]) == (4, "cli-")
    assert answer == {"command": "create_claim", **ACCEPTED}
    assert received[0].subject == f"cpor.commands.create_claim.{claim_id}"
    assert json.loads(received[0].data)["actororg"] == "123"


@pytest.mark.parametrize("how", ["as an argument", "from a file", "from standard input"])
async def test_data_comes_from_where_it_is(nats: str, tmp_path: Path, how: str) -> None:
    """JSON on the command line, in a file, or piped."""
    text = '{"reviewer": "jürgen"}'
    file = tmp_path / "data.json"
    file.write_text(text, "utf-8")
    given = {"as an argument": text, "from a file": f"@{file}", "from standard input": "-"}[how]
    async with answering(nats, ACCEPTED) as received:
        result = await cpor(
            "assign_reviewer", CLAIM, "--data", given, "--expected-version", "3", stdin=text
        )

    assert result.exit_code == 0
    body = json.loads(received[0].data)
    assert (body["data"], body["expectedversion"]) == ({"reviewer": "jürgen"}, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["start_reviews", CLAIM], "did you mean start_review?"),
        (["dance", CLAIM], "there are create_claim,"),
        (["start_review", "7"], "'7' is neither a UUID nor `new`"),
        (["submit_claim", CLAIM], "say who sends submit_claim: --as role:org:id"),
        (["post_comment", CLAIM], "say who sends post_comment"),
        (["start_review", CLAIM, "--as", "deniz"], "'deniz' is not of the form role:org:id"),
        (["start_review", CLAIM, "--as", "boss::deniz"], "there is no role 'boss'"),
        (["start_review", CLAIM, "--as", "reviewer:1:deniz"], "org must be absent"),
        (["start_review", CLAIM, "--as", "reviewer::"], "id: must be 1 to 128 of"),
        (["start_review", CLAIM, "--id", "a.b"], "1 to 64 of A-Z a-z 0-9 _ - are needed"),
        (["start_review", CLAIM, "--data", "{"], "it is not JSON"),
        (["start_review", CLAIM, "--data", "[]"], "it is not a JSON object"),
        (["start_review", CLAIM, "--data", '{"a": NaN}'], "/a is NaN, which is no JSON number"),
        (["start_review", CLAIM, "--data", "@none.json"], "No such file or directory"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(arguments: list[str], sentence: str) -> None:
    """One sentence on standard error, exit code 2."""
    result = runner.invoke(app, arguments, env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})

    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in " ".join(result.stderr.replace("│", " ").split())


async def test_silence_is_not_taken_for_an_answer(nats: str) -> None:
    """Stored, but nobody decides it: exit code 3, and how to ask again."""
    await prepare(nats)

    result = await cpor("start_review", CLAIM, "--id", "c-1", "--timeout", "0.2")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "no outcome of the command c-1 came in 0.2 seconds" in result.stderr
    assert "--id c-1" in result.stderr


@pytest.mark.usefixtures("nats")
async def test_a_server_without_streams_records_nothing() -> None:
    """Some NATS server, but not cpor's: exit code 3."""
    result = await cpor("start_review", CLAIM)

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Nothing was recorded: this NATS server has no command stream.\n"


async def test_no_server_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 and what to do."""
    port = free_port()
    monkeypatch.setenv("CPOR_NATS_PORT", str(port))

    result = await cpor("start_review", CLAIM)

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.count("\n") == 1
    assert f"nats://127.0.0.1:{port}" in result.stderr
    assert "`make run` starts it" in result.stderr
