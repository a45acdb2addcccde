"""The process that opens a document: what it may use, and that it never stays."""

import asyncio
import os
import resource
import signal
import sys
from asyncio import CancelledError, create_task
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from services.embedded.process import holds, runs
from services.inspection.limit import CPU_SECONDS, FILES, MEMORY
from services.inspection.process import run
from services.settings import CHECKOUT

_PARENT = """
import asyncio, os
from services.inspection.process import run
read, write = os.pipe()
with open(read, "rb") as document:
    asyncio.run(run(document, "text/plain", patience=60))
"""


@contextmanager
def endless() -> Generator[BinaryIO]:
    """A document that never ends, so that whoever reads it waits."""
    reading, writing = os.pipe()
    with open(reading, "rb") as document:  # noqa: PTH123 - a descriptor
        try:
            yield document
        finally:
            os.close(writing)


def opener(of: psutil.Process) -> psutil.Process | None:
    """The process that opens a document, once it has given up what it doesn't need."""
    for child in of.children():
        try:
            limited = child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
            if "services.inspection" in child.cmdline() and limited:
                return child
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return None


def first_to_go(process: psutil.Process) -> bool:
    """Whether the kernel ends it before all others when memory runs out."""
    return Path(f"/proc/{process.pid}/oom_score_adj").read_text("ascii") == "1000\n"


def descriptors(process: psutil.Process) -> set[int]:
    """What it has open."""
    return {int(each.name) for each in Path(f"/proc/{process.pid}/fd").iterdir()}


async def test_it_has_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no descriptor and no folder of ours; bounded memory, time, files; no writing."""
    monkeypatch.setenv("CPOR_DATABASE_URL", "postgresql://cpor:secret@db/cpor")
    with endless() as document:
        running = create_task(run(document, "text/plain", patience=60))
        assert await holds(lambda: opener(psutil.Process()) is not None, 20)
        child = opener(psutil.Process())
        assert child is not None

        assert set(child.environ()) <= {"PYTHONPATH", "LC_ALL"}
        assert child.cwd() == "/"
        assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid
        assert descriptors(child) == {0, 1, 2}
        for what, value in (
            (resource.RLIMIT_AS, MEMORY),
            (resource.RLIMIT_NOFILE, FILES),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NPROC, 0),
        ):
            assert child.rlimit(what) == (value, value)
        assert child.rlimit(resource.RLIMIT_CPU) == (CPU_SECONDS, CPU_SECONDS + 1)
        assert first_to_go(child)

        running.cancel()
        with pytest.raises(CancelledError):
            await running
    assert not runs(child)


async def test_it_ends_when_it_takes_too_long() -> None:
    """By a kill, and nothing is left to be waited for."""
    before = psutil.Process().children()

    with endless() as document, pytest.raises(TimeoutError):
        await run(document, "text/plain", patience=0.5)

    assert psutil.Process().children() == before


async def test_it_ends_with_its_parent() -> None:
    """Even a kill leaves nothing behind."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, env={"PYTHONPATH": str(CHECKOUT)}
    )
    there = psutil.Process(parent.pid)
    assert await holds(lambda: opener(there) is not None, 20)
    child = opener(there)
    assert child is not None

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    assert await holds(lambda: not runs(child), 5)


async def test_it_says_what_went_wrong(tmp_path: Path) -> None:
    """A defect of ours is not the document's."""
    file = tmp_path / "document"
    file.write_bytes(b"text")
    with file.open("rb") as document:
        ended = await run(document, "text/plain", "1", "wide")

    assert ended.code == 1
    assert "ValueError" in ended.complaint
