"""The process that started this one, when this one is to end with it."""

import asyncio
import os
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM

_ENDING = sum(1 << (name - 1) for name in (SIGHUP, SIGINT, SIGQUIT, SIGTERM))
_GLANCE = 0.2
"""Seconds between two looks."""


async def parent_ends() -> None:
    """Return when the starting process has ended, or has been told to.

    `make` that gets a SIGINT or SIGHUP alone passes nothing on: it waits for its child, with that
    signal blocked, which Linux shows. One that is blocked here, too, was so from the beginning.
    """
    parent, here = os.getppid(), _blocked(os.getpid())
    while os.getppid() == parent and not _blocked(parent) & ~here & _ENDING:
        await asyncio.sleep(_GLANCE)


def _blocked(pid: int) -> int:
    """The signals that a process blocks, as bits; none where the system doesn't tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    except OSError:
        return 0
    masks = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return int(next(masks, "0"), 16)
