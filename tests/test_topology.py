"""The deployment in parts, native: servers with logins, each service a process of its own."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx
import psutil
import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from services.connection import connected
from services.embedded.postgres import Postgres
from services.roster import SERVICES
from services.sender import send
from services.settings import CHECKOUT, PREFIX, Settings, child_environment
from tests import cli
from tests.claims.orders import CREATE, PARTNER, REVIEWER, body
from tests.deployed import DeployedNats, deployed_nats
from tests.free_port import free_port

CLAIM = UUID("6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90")
PROOF = b"%PDF-1.7\nstatement of work\n%%EOF\n"
AYSE, DENIZ, AUDITOR = "incentives_admin;1234567;ayse", "reviewer;;deniz", "auditor;;ada"
ROLE, PASSWORD = "cpor_of_the_topology", "a password of the topology"

_GLANCE = 0.1
_READY = 60.0


class Topology:
    """The variables of each container, and the services as they run."""

    def __init__(self, folder: Path, database_url: str, nats: DeployedNats) -> None:
        self.folder = folder
        self.nats = nats
        self.port = free_port()
        self.processes: dict[str, Process] = {}
        (folder / "database_url").write_text(database_url, "utf-8")

    def variables(self, user: str) -> dict[str, str]:
        """What a container is given: its secrets as files, and its settings."""
        secret = self.folder / f"nats_url_{user}"
        secret.write_text(self.nats.url(user), "utf-8")
        return {
            "CPOR_DATABASE_URL_FILE": str(self.folder / "database_url"),
            "CPOR_NATS_URL_FILE": str(secret),
            "CPOR_DATA_DIR": str(self.folder / "data"),
            "CPOR_HTTP_PORT": str(self.port),
        }

    async def start(self, name: str) -> None:
        """Start one service alone."""
        outside = child_environment(Settings()).items()
        environment = {key: text for key, text in outside if not key.startswith(PREFIX)}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.cli", "service", name),
                cwd=CHECKOUT,
                env=environment | self.variables(name),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def stop(self) -> Mapping[str, int]:
        """Tell all services to end, at once; their exit codes."""
        for process in self.processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        codes = await asyncio.gather(*(each.wait() for each in self.processes.values()))
        return dict(zip(self.processes, codes, strict=True))

    def left(self) -> list[psutil.Process]:
        """Processes of any kind that still have these variables."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("CPOR_DATA_DIR") == str(self.folder / "data")
        except psutil.Error:
            return False


@pytest.fixture
async def database(postgres_server: Postgres) -> str:
    """An empty database of a role that is no superuser, as `deploy/postgres-init.sh` makes it."""
    role = Identifier(ROLE)
    async with await psycopg.AsyncConnection.connect(
        postgres_server.url, autocommit=True
    ) as connection:
        await connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(role))
        await connection.execute(SQL("DROP ROLE IF EXISTS {}").format(role))
        make = SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, Literal(PASSWORD))
        await connection.execute(make)
        await connection.execute(SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    (sockets,) = parse_qs(urlsplit(postgres_server.url).query)["host"]
    query = urlencode({"host": sockets, "user": ROLE, "password": PASSWORD})
    return f"postgresql:///{ROLE}?{query.replace('+', '%20')}"


@asynccontextmanager
async def _running(topology: Topology) -> AsyncGenerator[httpx.AsyncClient]:
    """All services, ready, and a client of the HTTP API; killed at the end, if they still run."""
    try:
        for name in SERVICES:
            await topology.start(name)
        address = f"http://127.0.0.1:{topology.port}"
        async with httpx.AsyncClient(base_url=address, timeout=30, trust_env=False) as client:
            await _until_ready(topology, client)
            yield client
    finally:
        for process in topology.processes.values():
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _until_ready(topology: Topology, client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(_READY):
        while True:
            ended = [
                name for name, each in topology.processes.items() if each.returncode is not None
            ]
            assert not ended, f"{ended} ended while starting"
            try:
                if (await client.get("/readyz")).status_code == HTTPStatus.OK:
                    return
            except httpx.TransportError:
                pass  # the web is not there yet
            await asyncio.sleep(_GLANCE)


async def _post(client: httpx.AsyncClient, command: str, by: str, data: object = None) -> Any:  # noqa: ANN401 - JSON
    answer = await client.post(
        f"/api/claims/{CLAIM}/{command}",
        json={} if data is None else data,
        headers={"X-Cpor-Actor": by, "Idempotency-Key": command},
    )
    assert answer.status_code == HTTPStatus.OK, answer.text
    return answer.json()


async def _publish(topology: Topology, command: str, message: bytes) -> dict[str, Any]:
    """Send a command as an upstream system does; the outcome's data."""
    async with connected(topology.nats.url("upstream"), "upstream", 10.0) as nats:
        return await send(nats, message, claim_id=CLAIM, command=command, command_id=command)


async def test_a_claim_passes_through_the_parts(tmp_path: Path, database: str) -> None:
    """A claim created over NATS is approved over HTTP; then all services end when they are told."""
    async with deployed_nats(tmp_path) as nats:
        topology = Topology(tmp_path, database, nats)
        made = await cli.run(topology.variables("operator"), "admin", "--json")
        assert made.code == 0, made.err

        async with _running(topology) as client:
            for name in SERVICES:
                health = await cli.run(topology.variables(name), "health", name)
                assert (health.code, health.out) == (0, f"{name}: running\n")

            created = await _publish(topology, "create_claim", body(CLAIM, "create_claim", CREATE))
            assert (created["result"], created["events"]) == ("accepted", ["created"])
            uploaded = await client.post(
                "/api/documents",
                files={"file": ("statement.pdf", PROOF, "application/pdf")},
                headers={"X-Cpor-Actor": AYSE},
            )
            assert uploaded.status_code == HTTPStatus.CREATED, uploaded.text
            await _post(client, "attach_poe", AYSE, {"document": uploaded.json()})
            await _post(client, "submit_claim", AYSE)
            started = await _publish(
                topology, "start_review", body(CLAIM, "start_review", actor=REVIEWER)
            )
            assert started["result"] == "accepted"
            approved = await _post(client, "approve_claim", DENIZ)

            claim = await client.get(
                f"/api/claims/{CLAIM}",
                params={"wait_for": approved["position"]},
                headers={"X-Cpor-Actor": AUDITOR},
            )
            assert claim.json()["status"] == "approved"
            assert claim.json()["consent"] == "pending"
            assert [clock["clock"] for clock in claim.json()["clocks"]] == ["consent"]
            assert PARTNER.org == claim.json()["org"]
            assert await _published(nats) == [
                *("created", "poe_attached", "submitted", "review_started", "approved")
            ]

            await _operate(topology)
            codes = await topology.stop()

        assert codes == dict.fromkeys(SERVICES, 0)
        assert topology.left() == []


async def _operate(topology: Topology) -> None:
    """What an operator does: look at everything, and at a message that nobody could be answered."""
    async with connected(topology.nats.url("upstream"), "upstream", 10.0) as nats:
        await nats.js.publish(f"cpor.commands.submit_claim.{CLAIM}", b"no JSON")
    await _until_buried(topology.nats)
    variables = topology.variables("operator")

    doctor = await cli.run(variables, "doctor", "--json")
    letters = await cli.run(variables, "dead-letters", "list", "--json")
    again = await cli.run(variables, "dead-letters", "requeue", "1")

    failed = {each["what"] for each in json.loads(doctor.out)["checks"] if each["level"] == "fail"}
    assert failed == {"fsync", "full_page_writes"}, "what the tests' PostgreSQL goes without"
    (letter,) = json.loads(letters.out)
    assert letter["subject"] == f"cpor.commands.submit_claim.{CLAIM}"
    assert again.code == 0, again.err


async def _until_buried(nats: DeployedNats) -> None:
    async with asyncio.timeout(20), connected(nats.url("operator"), "test", 10.0) as operator:
        while not (  # noqa: ASYNC110 - of another process
            await operator.js.stream_info("CPOR_DEAD_LETTERS")
        ).state.messages:
            await asyncio.sleep(_GLANCE)


async def _published(nats: DeployedNats) -> list[str]:
    """The events in the stream, by their types, in order."""
    async with connected(nats.url("operator"), "test", 10.0) as operator:
        last = (await operator.js.stream_info("CPOR_EVENTS")).state.last_seq
        messages = [await operator.js.get_msg("CPOR_EVENTS", n) for n in range(1, last + 1)]
    bodies = [json.loads(message.data or b"{}") for message in messages]
    assert [each["sequence"] for each in bodies] == list(range(1, last + 1))
    return [each["type"].removeprefix("cpor.event.") for each in bodies]
