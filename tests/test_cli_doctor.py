"""`cpor doctor` finds what is wrong, on real servers; a healthy system is looked at in the demo."""

import asyncio
import json
import sysconfig
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from services.connection import Connection, connected
from services.relay import LogEntry, publish_batch
from services.schema import revisions
from services.streams import (
    CLAIMS_CONSUMER,
    COMMANDS,
    EVENTS,
    command_subject,
    dead_letter_subject,
    prepare,
)
from tests import cli
from tests.free_port import free_port

CLAIM = UUID("6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90")


async def examined(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What it finds, by what it looked at; something always fails in these tests."""
    ended = await cli.run(variables, "doctor", "--json")
    answer = json.loads(ended.out)
    assert (ended.code, answer["healthy"], ended.err) == (1, False, "")
    return {each["what"]: each for each in answer["checks"]}


def levels(found: Mapping[str, Mapping[str, str]], *names: str) -> dict[str, str]:
    """How bad these are."""
    return {name: found[name]["level"] for name in names}


@pytest.fixture
def variables(database_url: str, nats_url: str) -> dict[str, str]:
    """Those that lead to external servers, and to no HTTP API."""
    return {
        "CPOR_DATABASE_URL": database_url,
        "CPOR_NATS_URL": nats_url,
        "CPOR_HTTP_PORT": str(free_port()),
    }


@pytest.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to the server, which has all streams."""
    await prepare(nats_url)
    async with connected(nats_url, "test") as connection:
        yield connection


@pytest.fixture
def store(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the database that commits at once."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


async def test_nothing_runs(tmp_path: Path) -> None:
    """Each server is named with what to do; nothing else is asked of it."""
    ports = {"CPOR_HTTP_PORT": str(free_port()), "CPOR_NATS_PORT": str(free_port())}

    ended = await cli.run({"CPOR_DATA_DIR": str(tmp_path / "none"), **ports}, "doctor", "--json")

    checks = json.loads(ended.out)["checks"]
    assert ended.code == 1
    assert [(each["area"], each["what"], each["level"]) for each in checks] == [
        ("disk", "data directory", "fail"),
        ("PostgreSQL", "reachable", "fail"),
        ("NATS", "reachable", "fail"),
        ("services", "web", "fail"),
    ]
    assert all("cpor up" in each["advice"] for each in checks[1:])


@pytest.mark.usefixtures("nats")
async def test_servers_without_services(variables: dict[str, str]) -> None:
    """The tests' PostgreSQL doesn't sync; an external NATS server doesn't tell if it does."""
    found = await examined(variables)

    assert levels(found, "fsync", "full_page_writes", "synchronous_commit", "schema") == {
        "fsync": "fail",
        "full_page_writes": "fail",
        "synchronous_commit": "ok",
        "schema": "ok",
    }
    assert levels(found, "JetStream", "sync_interval", "streams and consumers") == {
        "JetStream": "ok",
        "sync_interval": "warn",
        "streams and consumers": "ok",
    }
    assert found["sync_interval"]["found"].startswith("unknown")
    assert found["claims"] == {
        "area": "services",
        "what": "claims",
        "level": "fail",
        "found": "absent: does not answer",
        "advice": "start it: `cpor up`, or `cpor service claims`",
    }
    assert levels(found, "commands", "dead letters", "clock", "NATS's clock") == {
        "commands": "ok",
        "dead letters": "ok",
        "clock": "ok",
        "NATS's clock": "ok",
    }


async def test_people_get_a_table(variables: dict[str, str]) -> None:
    """Signs, what was found, and beneath it what to do."""
    ended = await cli.run(variables, "doctor")

    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "✗ fsync off" in lines
    assert "→ start it: `cpor up`, or `cpor service relay`" in lines
    assert lines[-1].endswith("checks failed.")


async def test_a_lost_consumer(variables: dict[str, str], nats: Connection) -> None:
    """Named, and how it is repaired."""
    await nats.js.delete_consumer(COMMANDS, CLAIMS_CONSUMER)

    found = await examined(variables)

    assert found["consumer claims of stream CPOR_COMMANDS"]["level"] == "fail"
    assert "repairs it" in found["consumer claims of stream CPOR_COMMANDS"]["advice"]
    assert "streams and consumers" not in found


async def test_what_waits_and_what_was_given_up(
    variables: dict[str, str], nats: Connection
) -> None:
    """A command that nobody decides yet is no fault; a dead letter deserves a look."""
    await nats.js.publish(command_subject("start_review", CLAIM), b"{}")
    await nats.js.publish(dead_letter_subject("claims"), b"{")

    found = await examined(variables)

    assert found["commands"]["found"] == "1 waiting, 0 of them being decided"
    assert levels(found, "commands", "dead letters") == {"commands": "ok", "dead letters": "warn"}
    assert found["dead letters"]["advice"] == "`cpor dead-letters list` shows them"


@pytest.mark.usefixtures("nats")
@pytest.mark.parametrize(
    ("state", "hours", "level", "said"),
    [
        ("waiting", 0, "ok", "1 waiting, 0 parked"),
        ("waiting", 3, "warn", "1 waiting, 0 parked, the oldest for 3 h"),
        ("parked", 0, "warn", "0 waiting, 1 parked"),
        ("sent", 9, "ok", "0 waiting, 0 parked"),
    ],
)
async def test_mails_that_do_not_go_out(
    variables: dict[str, str],
    store: psycopg.Connection,
    state: str,
    hours: int,
    level: str,
    said: str,
) -> None:
    """Whoever must look at them is told; what goes out by itself is no fault."""
    store.execute(
        "INSERT INTO cpor.notices (claim_id, version, kind, number, recipient, state, created_at)"
        " VALUES (%s, 3, 'new_work', 0, 'reviewers', %s, now() - make_interval(hours => %s))",
        [CLAIM, state, hours],
    )

    found = await examined(variables)

    assert (found["mails"]["level"], found["mails"]["found"]) == (level, said)
    assert bool(found["mails"]["advice"]) == (level == "warn")


@pytest.mark.usefixtures("nats")
@pytest.mark.parametrize("auth", ["dev", "oidc"])
async def test_mails_that_nobody_gets(variables: dict[str, str], auth: str) -> None:
    """The embedded mailbox keeps them: right in development, and else a customer's lost chance."""
    oidc = {
        "CPOR_AUTH": "oidc",
        "CPOR_OIDC_ISSUER": "https://id.example",
        "CPOR_OIDC_CLIENT_ID": "cpor",
        "CPOR_OIDC_CLIENT_SECRET": "x" * 32,
    }

    found = await examined(variables | (oidc if auth == "oidc" else {}))
    other = await examined(variables | oidc | {"CPOR_SMTP_URL": "smtp://mail.example"})

    assert ("mail server" in found) == (auth == "oidc")
    assert "mail server" not in other


async def test_events_that_nobody_copies(
    variables: dict[str, str], nats: Connection, store: psycopg.Connection
) -> None:
    """Stream and projections are compared with the store, and stand still."""
    state = b'{"timestamp": "2021-05-17T15:00:00Z", "schema_version": 1, "text": "",'
    state += b' "cause": {"actor": {"role": "reviewer", "id": "d"}, "command_id": "c"}}'
    for version in (1, 2, 3):
        store.execute(
            "INSERT INTO cpor.stored_events (originator_id, originator_version, topic, state)"
            " VALUES (%s, %s, 'claim.commented', %s)",
            [CLAIM, version, state],
        )
    store.execute("INSERT INTO cpor.projection_positions VALUES ('board', 1)")
    last = (await nats.js.stream_info(EVENTS)).state.last_seq
    await publish_batch(nats, [LogEntry(2, CLAIM, 2, "claim.commented", state)], last, atomic=False)

    found = await examined(variables)

    assert found["event store"]["found"] == "position 3"
    assert found["event stream"]["found"] == "position 2, 1 behind, and standing still"
    assert found["projection board"]["found"] == "position 1, 2 behind, and standing still"
    assert found["notices"]["found"] == "position 0, 3 behind, and standing still"
    assert levels(found, "notices", "event stream", "projection board") == {
        "notices": "fail",
        "event stream": "fail",
        "projection board": "fail",
    }


@pytest.mark.usefixtures("nats")
@pytest.mark.parametrize(
    ("revision", "advice"),
    [("9999", "run a newer release"), (revisions()[0], "`cpor up` or,")],
)
async def test_a_schema_of_another_release(
    variables: dict[str, str], store: psycopg.Connection, revision: str, advice: str
) -> None:
    """Newer or older than this release: told apart."""
    store.execute("UPDATE cpor.alembic_version SET version_num = %s", [revision])

    schema = (await examined(variables))["schema"]

    assert (schema["level"], schema["found"]) == ("fail", f"revision {revision}")
    assert schema["advice"].startswith(advice)


@pytest.mark.usefixtures("nats")
@pytest.mark.parametrize(
    ("clock", "found"),
    [
        ("system", "system, over data of a simulated clock"),
        ("simulated", "simulated, stands still at 2031-03-03 08:00:00 UTC"),
    ],
)
async def test_a_clock_that_deserves_a_look(
    variables: dict[str, str], store: psycopg.Connection, clock: str, found: str
) -> None:
    """Simulated data under real time; a simulated clock that was left standing still."""
    store.execute(
        "INSERT INTO cpor.simulated_clock (since, frozen_at) VALUES (now(), %s)",
        ["2031-03-03T08:00:00Z"],
    )

    looked_at = (await examined(variables | {"CPOR_CLOCK": clock}))["clock"]

    assert (looked_at["level"], looked_at["found"]) == ("warn", found)


async def test_a_nats_server_without_jetstream(variables: dict[str, str]) -> None:
    """Said once, and clearly."""
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        f"{sysconfig.get_path('scripts')}/nats-server",
        *("-p", str(port)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        found = await examined(variables | {"CPOR_NATS_URL": f"nats://127.0.0.1:{port}"})
    finally:
        server.terminate()
        await server.wait()

    assert (found["JetStream"]["level"], found["JetStream"]["found"]) == ("fail", "is off")
    assert "commands" not in found
