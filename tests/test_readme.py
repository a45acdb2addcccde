"""The README's transcript is played, and must print what it shows."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.settings import CHECKOUT, Settings, child_environment
from tests.free_port import free_port
from tests.transcript import play, steps, timeless

README = CHECKOUT / "README.md"
START = "### As a transcript"
END = "## Where things are"
WIDTH = 100


@asynccontextmanager
async def everything(settings: Settings) -> AsyncGenerator[None]:
    """`cpor up`, from the moment that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "up"),
        cwd=CHECKOUT,
        env=child_environment(settings),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while b"is ready" not in (line := await process.stdout.readline()):
                assert line, "the run ended before it was ready"
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.rule("R9")
async def test_the_transcript_is_what_happens(tmp_path: Path) -> None:
    """Each command works and prints what the README shows, dates and times apart."""
    shown = steps(README.read_text("utf-8").partition(START)[2].partition(END)[0])
    settings = Settings(
        data_dir=tmp_path / "data",
        http_port=free_port(),
        nats_port=free_port(),
        clock="simulated",
        log_level="warning",
    )
    environment = child_environment(settings) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "COLUMNS": str(WIDTH),
    }
    commands = [step.command.replace(":8000", f":{settings.http_port}") for step in shown]

    async with everything(settings):
        printed, errors = await play(commands, tmp_path, environment)

    assert errors == ""
    assert len(printed) == len(shown) > 10
    for step, output in zip(shown, printed, strict=True):
        assert timeless(output) == timeless(step.output), step.command
