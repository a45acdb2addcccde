"""Other projects' ways of making the same changes durable: installed beside ours, or left out.

`python -m benchmarks.peer` (`make bench-peers`) installs what it can, and says what it can't. Each
is pinned, and needed by nothing but the benchmarks.
"""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.lifecycle import LIFE, claim_ids
from services.settings import CHECKOUT

HERE = Path(__file__).parent / "peers"
PLACE = CHECKOUT / ".bench-peers"
_REQUIREMENTS = HERE / "requirements.txt"
_PACKAGE = HERE / "package.json"


class LeftOut(Exception):  # noqa: N818 - a finding: the peer can't run here
    """A peer is not compared with; the text is the sentence that says why."""


async def python() -> Path:
    """The Python that has the Python peers. Raises LeftOut."""
    folder = PLACE / "python"
    program = folder / "bin" / "python"
    if not _is_current(folder, _REQUIREMENTS):
        _begin(folder)
        await _install("DBOS Transact", sys.executable, "-m", "venv", str(folder))
        pip = (
            str(program),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--quiet",
            "--disable-pip-version-check",
        )
        await _install("DBOS Transact", *pip, "--require-hashes", "-r", str(_REQUIREMENTS))
        _finish(folder, _REQUIREMENTS)
    return program


async def node() -> tuple[str, Path]:
    """Node, and the folder that has the peers in JavaScript. Raises LeftOut."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        raise LeftOut("Emmett is left out: node and npm are not installed.")
    folder = PLACE / "node"
    if not _is_current(folder, _PACKAGE):
        _begin(folder)
        shutil.copy(_PACKAGE, folder)
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
        await _install("Emmett", npm, "install", "--prefix", str(folder), *quiet)
        _finish(folder, _PACKAGE)
    shutil.copy(HERE / "emmett.mjs", folder)
    return program, folder


def life() -> list[dict[str, Any]]:
    """What the peers do to each claim, as JSON."""
    return [{"command": step.command, "data": step.data} for step in LIFE]


def ids(run: str, claims: int) -> list[str]:
    """Ids that no other run has used, as JSON."""
    return [str(claim_id) for claim_id in claim_ids(run, claims)]


def _is_current(folder: Path, pinned: Path) -> bool:
    stamp = folder / ".pinned"
    return stamp.is_file() and stamp.read_text("utf-8") == pinned.read_text("utf-8")


def _begin(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _finish(folder: Path, pinned: Path) -> None:
    (folder / ".pinned").write_text(pinned.read_text("utf-8"), "utf-8")


async def _install(what: str, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise LeftOut(f"{what} is left out: it could not be installed.")


async def main() -> None:
    """Install what can be."""
    for install in (python, node):
        try:
            await install()
        except LeftOut as reason:
            print(reason)


if __name__ == "__main__":
    asyncio.run(main())
