"""What a run was measured on."""

import platform
import sysconfig
from pathlib import Path

import psutil
from psycopg import AsyncConnection

from benchmarks.process import MIB
from services.connection import connected
from tests.system.rig import System


async def describe(system: System) -> dict[str, str | int]:
    """Cores, memory and versions."""
    async with await AsyncConnection.connect(system.settings.database_url) as store:
        postgres = store.info.parameter_status("server_version") or ""
    async with connected(system.nats.url, "benchmark", 10.0) as nats:
        server = nats.connected_server_version

    return {
        "processor": _processor(),
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / MIB / 1024),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": _python(),
        "postgresql": postgres.partition(" ")[0],
        "nats_server": f"{server.major}.{server.minor}.{server.patch}",
    }


def _python() -> str:
    """Python's version; built without optimisations it takes about a quarter more for the same."""
    built_with = str(sysconfig.get_config_var("CONFIG_ARGS"))
    is_optimised = "--enable-optimizations" in built_with
    return platform.python_version() + ("" if is_optimised else " (built without optimisations)")


def _processor() -> str:
    """The processor's name, where the system tells it."""
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
