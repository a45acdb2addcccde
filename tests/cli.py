"""`cpor` as a user starts it: a process of its own, with variables of its own."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from typing import NamedTuple

from services.settings import CHECKOUT, PREFIX, Settings, child_environment


class Ended(NamedTuple):
    """How it ended, and what it printed."""

    code: int
    out: str
    err: str


async def start(variables: Mapping[str, str], *arguments: str) -> Process:
    """`cpor` with these arguments, and with no `CPOR_*` variables but these."""
    outside = child_environment(Settings())
    environment = {name: text for name, text in outside.items() if not name.startswith(PREFIX)}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *arguments),
        cwd=CHECKOUT,
        env={**environment, "COLUMNS": "120", **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


async def run(variables: Mapping[str, str], *arguments: str) -> Ended:
    """The same, until it has ended."""
    process = await start(variables, *arguments)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
