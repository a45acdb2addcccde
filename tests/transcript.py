"""Transcripts in Markdown: the commands in `console` blocks, and what they print."""

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"(?ms)^```console\n(.*?)^```$")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?Z?")
_MARK = "-- next command --"


class Step(NamedTuple):
    """A command, over one or several lines, and what it prints."""

    command: str
    output: str


def steps(markdown: str) -> list[Step]:
    """The commands of all `console` blocks, in order."""
    found: list[Step] = []
    for block in _BLOCK.findall(markdown):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            lines = part.splitlines(keepends=True)
            length = next(n for n in range(1, len(lines) + 1) if _is_whole(lines[:n]))
            found.append(Step("".join(lines[:length]), "".join(lines[length:])))
    return found


async def play(
    commands: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[list[str], str]:
    """Run the commands in one shell until one fails: what each printed, and all their errors."""
    script = f"echo '{_MARK}'\n".join(commands)
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await shell.communicate()
    return out.decode().split(f"{_MARK}\n"), err.decode()


def timeless(output: str) -> str:
    """Output with every date and time blanked, without the white space that ends lines."""
    lines = _INSTANT.sub("<then>", output).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def _is_whole(lines: Sequence[str]) -> bool:
    """Whether lines make up a whole command: quotes are closed, and no backslash goes on."""
    if lines[-1].endswith("\\\n"):
        return False
    try:
        shlex.split("".join(lines))
    except ValueError:
        return False
    return True
