"""The demo's data directory: its own, and empty at every start."""

import asyncio
import shutil
from pathlib import Path

import psutil

from services.embedded.datadir import DataDir, fenced
from services.embedded.process import end, survivors
from services.refused import StartRefused
from services.settings import CHECKOUT, Settings

DEFAULT = CHECKOUT / ".cpor-demo"

_MARK = "demo"
"""The file by which a folder is known to hold nothing but a demo."""


def folder(settings: Settings) -> Path:
    """`.cpor-demo` in the checkout, unless CPOR_DATA_DIR was set."""
    return settings.data_dir if "data_dir" in settings.model_fields_set else DEFAULT


async def begin_anew(root: Path) -> bool:
    """Leave nothing of an earlier demo in the folder; whether there was one.

    Raises StartRefused when the folder is in use, or holds what no demo has made.
    """
    again = _claim(root)
    async with fenced(DataDir(root)):
        await end(survivors(lambda process: _serves(process, root)))
        await asyncio.to_thread(_empty, root)
    return again


def _claim(root: Path) -> bool:
    """Mark the folder as a demo's, unless it already is: whether it was."""
    mark = root / _MARK
    if mark.exists():
        return True
    if root.exists() and any(root.iterdir()):
        raise StartRefused(
            f"{root} holds data that is not a demo's, and a demo begins with an empty folder: set "
            "CPOR_DATA_DIR to another one, or unset it."
        )
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.touch(mode=0o600)
    return False


def _serves(process: psutil.Process, root: Path) -> bool:
    """Whether a process is a server of an earlier demo in this folder."""
    match process.name():
        case "postgres":
            return process.cwd().startswith(f"{root}/")
        case "nats-server":
            return any(word.startswith(f"{root}/") for word in process.cmdline())
        case _:
            return False


def _empty(root: Path) -> None:
    kept = {root / _MARK, DataDir(root).fence}
    for each in root.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each not in kept:
            each.unlink()
