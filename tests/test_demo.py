"""`cpor demo` as a user runs it; while it is open, the other commands look at what it made."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.demo.cast import CUSTOMERS, PARTNERS, part
from services.demo.ending import ENDINGS
from services.demo.pdf import pdf
from services.demo.script import CHAPTERS, LIVES
from services.media_type import recognise
from services.settings import CHECKOUT, PREFIX, Settings, child_environment
from tests import cli
from tests.free_port import free_port

pytestmark = pytest.mark.timeout(300)

DISPUTED = part(25).claim_id
"""The claim with the longest life."""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Those of a demo in a folder and on ports of its own."""
    return {
        "CPOR_DATA_DIR": str(tmp_path_factory.mktemp("demo")),
        "CPOR_HTTP_PORT": str(free_port()),
        "CPOR_NATS_PORT": str(free_port()),
    }


def demo(variables: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """`cpor demo`, started; what it says on stdout and stderr comes on stdout."""
    outside = child_environment(Settings())
    environment = {name: text for name, text in outside.items() if not name.startswith(PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli", "demo", *arguments],
        cwd=CHECKOUT,
        env={**environment, "COLUMNS": "120", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def told(variables: dict[str, str]) -> Generator[list[str]]:
    """What a demo has told that is open now; it must end on Ctrl-C and leave no process."""
    process = demo(variables)
    assert process.stdout is not None
    lines: list[str] = []
    try:
        while not any("another terminal" in line for line in lines):
            line = process.stdout.readline()
            assert line, "\n".join(lines)
            lines.append(line.rstrip())
        children = psutil.Process(process.pid).children(recursive=True)
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "cpor has stopped." in rest
    assert not [child for child in children if child.is_running()]


async def answer(variables: dict[str, str], *arguments: str) -> dict[str, Any]:
    """The JSON that `cpor` answers."""
    ended = await cli.run(variables, *arguments, "--json")
    assert ended.code == 0, ended
    result: dict[str, Any] = json.loads(ended.out)
    return result


def test_the_story_is_told_in_order(told: list[str]) -> None:
    """Every day's caption, then every ending with its claims, forty in all."""
    captions = [line for line in told if any(caption in line for caption in CHAPTERS.values())]
    assert [line[17:] for line in captions] == list(CHAPTERS.values())
    assert captions[0].startswith("Mon 03 Mar 2031")
    assert [
        ending.title for ending in ENDINGS if not any(ending.title in line for line in told)
    ] == []
    assert f"40 claims came to {len(ENDINGS)} different endings." in told[-2]


async def test_the_board_shows_every_claim_at_its_ending(
    told: list[str], variables: dict[str, str]
) -> None:
    """What the story meant to reach is what the system says."""
    assert told
    board = await answer(variables, "list", "--limit", "100")
    claims = {claim["claim_id"]: claim for claim in board["items"]}

    assert (len(claims), board["next"]) == (40, None)
    for number, life in enumerate(LIVES):
        claim = claims[str(part(number).claim_id)]
        assert life.ending.shown_by(claim) == life.ending.board


async def test_claims_are_listed_by_filters(told: list[str], variables: dict[str, str]) -> None:
    """The API's filters, Turkish letters folded, page after page up to the limit."""
    assert told
    found = await answer(variables, "list", "-q", "yildiz")
    assert [claim["customer"]["name"] for claim in found["items"]] == ["Yıldız Tekstil"]
    rejected = await answer(variables, "list", "--status", "rejected", "--sort", "created_at")
    assert {claim["status"] for claim in rejected["items"]} == {"rejected"}
    some = await answer(variables, "list", "--limit", "7")
    assert len(some["items"]) == 7
    assert some["next"]

    ended = await cli.run(variables, "list", "--limit", "7", "--utc")

    assert some["items"][0]["claim_id"] in ended.out
    assert "7 claims; there are more: --limit 14 shows them." in ended.out


async def test_a_partner_sees_its_own_claims(told: list[str], variables: dict[str, str]) -> None:
    """`--as` reads with somebody's eyes."""
    assert told
    partner = PARTNERS[0]

    own = await answer(variables, "list", "--as", f"{partner.actor.role}:{partner.org}:ayse")

    assert {claim["org"] for claim in own["items"]} == {partner.org}
    foreign = await cli.run(variables, "show", str(part(1).claim_id), "--as", "billing_admin:1:x")
    assert (foreign.code, foreign.out) == (1, "")
    assert foreign.err == "Not found: there is no such claim.\n"


async def test_a_claim_is_shown_as_it_is_and_as_it_was(
    told: list[str], variables: dict[str, str]
) -> None:
    """By version and by instant; times in the reader's own zone, or in UTC."""
    assert told
    claim = str(DISPUTED)
    before = await answer(variables, "show", claim, "--as-of", "2031-03-06T12:00:00Z")
    first = await answer(variables, "show", claim, "--version", "1")
    assert (before["status"], first["status"], first["version"]) == ("rejected", "editing", 1)

    here = await cli.run(variables | {"TZ": "Europe/Istanbul"}, "show", claim)
    utc = await cli.run(variables | {"TZ": "Europe/Istanbul"}, "show", claim, "--utc")

    assert "consent elapsed" in here.out
    assert "2031-03-27 03:00 +03" in here.out
    assert "2031-03-27 00:00 UTC" in utc.out


async def test_the_history_names_who_and_when(told: list[str], variables: dict[str, str]) -> None:
    """Every event of a long life."""
    assert told
    ended = await cli.run(variables, "history", str(DISPUTED), "--utc")
    items = (await answer(variables, "history", str(DISPUTED)))["items"]

    assert [item["version"] for item in items] == list(range(1, 15))
    assert all(item["event"] in ended.out for item in items)
    assert "2031-03-27 00:00:00 UTC" in ended.out
    assert "kenji (reviewer)" in ended.out


async def test_the_open_demo_takes_commands(told: list[str], variables: dict[str, str]) -> None:
    """`cpor send` reaches the claims service: once, however often it is sent."""
    assert told
    waiting = next(n for n, life in enumerate(LIVES) if life.ending.title == "Under review")
    command = ("send", "post_comment", str(part(waiting).claim_id), "--as", "reviewer::deniz")
    text = ("--data", '{"text": "Looks good so far."}')

    first = await answer(variables, *command, *text, "--id", "c-1")
    again = await answer(variables, *command, *text, "--id", "c-1")
    refused = await cli.run(variables, *command, "--data", "{}", "--id", "c-2")

    assert (first["events"], again) == (["commented"], first)
    assert refused.code == 1
    assert "/text: is missing" in refused.out


async def test_the_doctor_finds_all_well(told: list[str], variables: dict[str, str]) -> None:
    """Nothing fails and nothing deserves a look, once the clock is said to be simulated."""
    assert told
    found = await answer(variables | {"CPOR_CLOCK": "simulated"}, "doctor")

    assert found["healthy"]
    assert [each for each in found["checks"] if each["level"] != "ok"] == []


async def test_a_second_demo_is_kept_out(told: list[str], variables: dict[str, str]) -> None:
    """It must not empty the folder of a demo that is open."""
    assert told
    ended = await cli.run(variables, "demo", "--no-wait")

    assert (ended.code, ended.out) == (1, "")
    assert "is in use by another run" in ended.err


def test_a_folder_with_other_data_is_left_alone(tmp_path: Path) -> None:
    """Only what a demo made is ever removed."""
    kept = tmp_path / "precious"
    kept.touch()

    process = demo({"CPOR_DATA_DIR": str(tmp_path)}, "--no-wait")
    said, _ = process.communicate()

    assert process.returncode == 1
    assert said.startswith(f"{tmp_path} holds data that is not a demo's")
    assert kept.exists()


@pytest.mark.parametrize(
    "variable", ["CPOR_NATS_URL=nats://host", "CPOR_DATABASE_URL=postgres://h"]
)
async def test_servers_of_others_are_left_alone(variable: str) -> None:
    """Invented claims belong into no external server."""
    name, _, value = variable.partition("=")

    ended = await cli.run({name: value}, "demo")

    assert (ended.code, ended.out) == (1, "")
    assert "servers of its own" in ended.err


def test_documents_are_what_they_claim_to_be(tmp_path: Path) -> None:
    """Small, and recognised as PDF; every offset of the table of objects is right."""
    content = pdf("İş bildirimi", ["Çınaraltı Yazılım (for) Şimşek \\ Otomotiv"])
    file = tmp_path / "document.pdf"
    file.write_bytes(content)

    assert recognise(file) == "application/pdf"
    assert len(content) < 1000
    assert b"Is bildirimi" in content
    assert rb"\(for\) Simsek \\ Otomotiv" in content
    *entries, _ = (
        content.partition(b"0000000000 65535 f \n")[2].partition(b"trailer")[0].split(b"\n")
    )
    for number, entry in enumerate(entries, start=1):
        assert content[int(entry[:10]) :].startswith(b"%d 0 obj" % number)
    start = int(content.rpartition(b"startxref\n")[2].split()[0])
    assert content[start:].startswith(b"xref")


def test_the_cast_is_large_enough() -> None:
    """Forty customers, each with a directory of its own."""
    customers = [part(number).customer for number in range(len(LIVES))]

    assert len({customer.domain for customer in CUSTOMERS}) == len(CUSTOMERS) == 40
    assert len({customer.tenant_id for customer in customers}) == 40
