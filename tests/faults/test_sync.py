"""A nats-server that acknowledges what a power cut would take, where that is not asked for."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from services import durability
from services.embedded.datadir import DataDir
from services.embedded.nats import NatsServer, Sync
from services.settings import Settings
from services.streams import prepare
from tests.deployed import NATS_SERVER
from tests.free_port import free_port
from tests.test_cli_doctor import examined
from tests.web.conftest import opened


@pytest.fixture
def nowhere(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a web that has no nats-server yet."""
    return Settings(data_dir=tmp_path / "nowhere", database_url=database_url)


@asynccontextmanager
async def external(folder: Path, *, always: bool, monitoring: int) -> AsyncGenerator[str]:
    """A server that somebody else set up; its address."""
    port, file = free_port(), folder / "external.conf"
    sync = "sync_interval: always" if always else ""
    file.write_text(
        f"port: {port}\nhost: 127.0.0.1\nhttp: 127.0.0.1:{monitoring}\nmax_payload: 2MB\n"
        f"jetstream {{ store_dir: {json.dumps(str(folder / 'external'))}\n {sync} }}\n"
    )
    server = await asyncio.create_subprocess_exec(
        str(NATS_SERVER), "-c", str(file), stderr=asyncio.subprocess.DEVNULL
    )
    url = f"nats://127.0.0.1:{port}"
    try:
        await prepare(url)
        yield url
    finally:
        server.terminate()
        await server.wait()


async def nats_is(client: httpx.AsyncClient) -> tuple[str, str]:
    """State and detail of NATS, once the web is connected."""
    async with asyncio.timeout(60):
        while True:
            nats = (await client.get("/readyz")).json()["components"]["nats"]
            if nats["state"] != "absent":
                return nats["state"], nats["detail"]
            await asyncio.sleep(0.05)


LAX = "sync_interval is not always: a power cut can lose acknowledged commands; CPOR_NATS_SYNC asks"


@pytest.mark.fault(10)
@pytest.mark.parametrize("always", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_an_external_server_that_syncs_late_is_not_ready(
    nowhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, always: bool
) -> None:
    """As its monitoring tells; with CPOR_NATS_SYNC=interval it is what was asked for."""
    monitoring = free_port()
    monkeypatch.setattr(durability, "MONITORING_PORT", monitoring)
    async with external(tmp_path, always=always, monitoring=monitoring) as url:
        settings = nowhere.model_copy(update={"nats_url": url})
        async with opened(settings) as (_, client):
            state, detail = await nats_is(client)
        async with opened(settings.model_copy(update={"nats_sync": "interval"})) as (_, client):
            asked_for, _ = await nats_is(client)

    assert state == ("running" if always else "failing")
    assert detail.startswith("" if always else LAX)
    assert asked_for == "running"


@pytest.mark.fault(10)
@pytest.mark.parametrize("sync", ["interval", pytest.param("always", marks=pytest.mark.long)])
async def test_an_embedded_server_that_syncs_late_is_not_ready(
    nowhere: Settings, tmp_path: Path, sync: Sync
) -> None:
    """One of an earlier run, say; `cpor doctor` says it, too."""
    folder = tmp_path / "data"
    server = NatsServer(DataDir(folder), free_port(), sync)
    await server.start()
    await prepare(server.url)
    try:
        settings = nowhere.model_copy(update={"data_dir": folder, "nats_url": server.url})
        async with opened(settings) as (_, client):
            state, detail = await nats_is(client)
        found = await examined({"CPOR_DATA_DIR": str(folder), "CPOR_NATS_URL": server.url})
    finally:
        await server.stop()

    assert state == ("running" if sync == "always" else "failing")
    assert detail.startswith("" if sync == "always" else LAX)
    assert found["sync_interval"]["level"] == ("ok" if sync == "always" else "fail")


@pytest.mark.fault(10)
async def test_who_does_not_tell_is_not_accused(nowhere: Settings, nats_url: str) -> None:
    """An external server whose monitoring is closed: `cpor doctor` warns, and the web serves."""
    settings = nowhere.model_copy(update={"nats_url": nats_url})
    async with opened(settings) as (_, client):
        assert await nats_is(client) == ("running", "")
