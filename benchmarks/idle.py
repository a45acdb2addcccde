"""What the whole system needs while nothing happens: `cpor up`, all services and both servers."""

import asyncio
import sys
import tempfile
from http import HTTPStatus
from pathlib import Path
from signal import SIGTERM
from subprocess import DEVNULL
from typing import Any

import httpx

from benchmarks.process import cpu_seconds, memory_mib
from services.settings import CHECKOUT, Settings, child_environment
from tests.free_port import free_port

SECONDS = 20
_SETTLING = 5.0
_PATIENCE = 60.0


async def measure() -> dict[str, Any]:
    """Memory, and CPU in percent of one core."""
    with tempfile.TemporaryDirectory(prefix="cpor-bench-") as folder:
        settings = Settings(
            data_dir=Path(folder) / "idle",
            http_port=free_port(),
            nats_port=free_port(),
            log_level="warning",
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "up"),
            stdout=DEVNULL,
            cwd=CHECKOUT,
            env=child_environment(settings),
        )
        try:
            await _until_ready(settings)
            await asyncio.sleep(_SETTLING)
            before = cpu_seconds(process.pid)
            await asyncio.sleep(SECONDS)
            used = cpu_seconds(process.pid) - before
            return {
                "seconds": SECONDS,
                "memory_mib": round(memory_mib([process.pid]), 1),
                "cpu_percent": round(100 * used / SECONDS, 2),
            }
        finally:
            process.send_signal(SIGTERM)
            await process.wait()


async def _until_ready(settings: Settings) -> None:
    async with asyncio.timeout(_PATIENCE), httpx.AsyncClient() as client:
        while True:
            try:
                answer = await client.get(f"{settings.public_url}/readyz")
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == HTTPStatus.OK:
                return
            await asyncio.sleep(0.1)
