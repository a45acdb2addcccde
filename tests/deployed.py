"""The nats-server of a deployment in parts: `deploy/nats.conf` and the passwords of its users."""

import asyncio
import json
import shutil
import sysconfig
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from services.settings import CHECKOUT
from tests.free_port import free_port

DEPLOY = CHECKOUT / "deploy"
NATS_SERVER = Path(sysconfig.get_path("scripts")) / "nats-server"


async def make_secrets(folder: Path) -> Path:
    """What `deploy/make-secrets.sh` makes, in a new folder of this name."""
    script = str(DEPLOY / "make-secrets.sh")
    process = await asyncio.create_subprocess_exec(script, str(folder))
    assert await process.wait() == 0
    return folder


class DeployedNats:
    """A nats-server with the configuration and users of a deployment, on a port of the test's."""

    def __init__(self, folder: Path, secrets: Path) -> None:
        self.port = free_port()
        self.config = folder / "nats.conf"
        self._secrets = secrets
        folder.mkdir()
        shutil.copy(secrets / "nats_passwords.conf", folder / "passwords.conf")
        text = (DEPLOY / "nats.conf").read_text("utf-8")
        for place, ours in {
            "0.0.0.0:4222": f"127.0.0.1:{self.port}",
            "127.0.0.1:8222": f"127.0.0.1:{free_port()}",
            "/data": str(folder / "store"),
        }.items():
            assert text.count(f'"{place}"') == 1
            text = text.replace(f'"{place}"', json.dumps(ours))
        self.config.write_text(text, "utf-8")

    def url(self, user: str) -> str:
        """The address as this user has it, on this machine."""
        secret = (self._secrets / f"nats_url_{user}").read_text("utf-8")
        address, _, place = secret.partition("@")
        assert place == "nats:4222"
        return f"{address}@127.0.0.1:{self.port}"

    async def start(self) -> asyncio.subprocess.Process:
        """Start it and wait until it takes connections."""
        process = await asyncio.create_subprocess_exec(
            str(NATS_SERVER), "-c", str(self.config), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(20):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert process.returncode is None, "nats-server ended"
                    await asyncio.sleep(0.02)
                    continue
                greeting = await reader.read(5)
                writer.close()
                assert greeting == b"INFO "
                return process


@asynccontextmanager
async def deployed_nats(folder: Path) -> AsyncGenerator[DeployedNats]:
    """The server with fresh secrets, for the length of the block."""
    server = DeployedNats(folder / "nats", await make_secrets(folder / "secrets"))
    process = await server.start()
    try:
        yield server
    finally:
        process.terminate()
        await process.wait()
