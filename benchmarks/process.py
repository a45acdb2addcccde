"""Running a part of the benchmarks in a process of its own, and what processes use."""

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from services.settings import CHECKOUT

MIB = 1024 * 1024


async def ask(module: str, **task: object) -> Any:  # noqa: ANN401 - JSON may be anything
    """What `python -m module`, given a task as JSON, prints as JSON."""
    return json.loads(await output(sys.executable, "-m", module, json.dumps(task)))


async def output(*command: str, folder: Path = CHECKOUT) -> bytes:
    """What a program prints; RuntimeError when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=folder
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed with exit code {process.returncode}")
    return printed


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process and its descendants have used."""
    used = 0.0
    for each in _family(pid):
        with suppress(psutil.NoSuchProcess):  # its parent counts it then
            times = each.cpu_times()
            used += times.user + times.system + times.children_user + times.children_system
    return used


def memory_mib(pids: Iterable[int]) -> float:
    """Proportional set size of processes and their descendants, in MiB."""
    total = 0
    for pid in pids:
        for each in _family(pid):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_full_info().pss
    return total / MIB


class Peak:
    """The most memory that processes and their descendants were seen to use."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.mib = 0.0

    async def watch(self) -> None:
        """Look ten times a second, until cancelled."""
        while True:
            with suppress(psutil.NoSuchProcess):
                self.mib = max(self.mib, memory_mib([self._pid]))
            await asyncio.sleep(0.1)


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
