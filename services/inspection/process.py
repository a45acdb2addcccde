"""The process that opens one document: started, waited for, and gone in the end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import BinaryIO, Final, NamedTuple

from services.embedded.process import tethered
from services.settings import CHECKOUT

PATIENCE: Final = 15.0
"""Seconds that a document may take, whatever keeps its process from working."""

_MOST_ANSWERED = 24 * 1024 * 1024
_MOST_COMPLAINED = 64 * 1024
_CHUNK = 64 * 1024
_ENVIRONMENT = {"PYTHONPATH": str(CHECKOUT), "LC_ALL": "C.UTF-8"}
"""All of it: no variable of ours is passed on."""
_PROGRAM = (sys.executable, "-s", "-P", "-B", "-m", "services.inspection")


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    """Its exit code; negative for a signal's number."""
    answer: bytes
    complaint: str


async def run(document: BinaryIO, *arguments: str, patience: float = PATIENCE) -> Ended:
    """Let the program open this document; it can reach no other file of ours.

    Raises TimeoutError when it takes too long, and ValueError when it says too much. However this
    ends, also by a kill of this process, the program's process ends, too.
    """
    process = await asyncio.create_subprocess_exec(
        *tethered((*_PROGRAM, *arguments), signal.SIGKILL),
        stdin=document,
        stdout=PIPE,
        stderr=PIPE,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(patience):
            answer, complaint = await asyncio.gather(
                _all(process.stdout, _MOST_ANSWERED), _all(process.stderr, _MOST_COMPLAINED)
            )
            return Ended(await process.wait(), answer, complaint.decode(errors="replace"))
    finally:
        await _end(process)


async def _all(stream: asyncio.StreamReader | None, most: int) -> bytes:
    if stream is None:
        raise TypeError("the process has no such stream")
    said = bytearray()
    while chunk := await stream.read(_CHUNK):
        said += chunk
        if len(said) > most:
            raise ValueError(f"more than {most} bytes")
    return bytes(said)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
