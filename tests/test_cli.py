"""The command line's frame: help, and mistakes that the user can mend as one sentence."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from services.cli import COMMANDS
from services.settings import CHECKOUT, Settings, child_environment
from tests.free_port import free_port


async def _cpor(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run `cpor`: its exit code and what it printed on stdout and stderr."""
    environment = {
        name: value
        for name, value in child_environment(Settings()).items()
        if not name.startswith("CPOR_")
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *arguments),
        cwd=CHECKOUT,
        env=environment | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_help_names_every_command() -> None:
    """A newcomer finds all commands without reading the code."""
    code, out, _ = await _cpor("--help")

    assert code == 0
    assert [name for name in COMMANDS if name not in out] == []


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_has_help(command: str) -> None:
    """Each command explains itself."""
    code, out, _ = await _cpor(command, "--help")

    assert code == 0
    assert "Usage: cpor" in out


@pytest.mark.fault(74)
async def test_wrong_settings_are_one_sentence() -> None:
    """A misspelt variable ends with exit code 2 and one line."""
    code, out, err = await _cpor("up", CPOR_HTTP_PROT="8000")

    assert (code, out) == (2, "")
    assert err == "CPOR_HTTP_PROT is not a variable of cpor: did you mean CPOR_HTTP_PORT?\n"


async def test_a_start_that_can_not_be_is_one_sentence(tmp_path: Path) -> None:
    """What the user can mend ends with exit code 1 and one line."""
    file = tmp_path / "file"
    file.touch()

    code, out, err = await _cpor("up", CPOR_DATA_DIR=str(file))

    assert (code, out) == (1, "")
    assert err == (
        f"The data directory {file} can't be made: File exists ({file}); "
        "set CPOR_DATA_DIR to another folder.\n"
    )


async def test_an_unknown_policy_is_one_sentence(tmp_path: Path) -> None:
    """A profile that no file holds is named, with those that there are."""
    code, _, err = await _cpor(
        "up",
        CPOR_DATA_DIR=str(tmp_path / "data"),
        CPOR_POLICY="seed-1999",
        CPOR_HTTP_PORT=str(free_port()),
        CPOR_NATS_PORT=str(free_port()),
    )

    assert code == 2
    assert err == (
        "CPOR_POLICY=seed-1999 names no profile: there are partner-center-2023, seed-2021.\n"
    )


async def test_an_unknown_service_is_one_message() -> None:
    """The services that there are, are named."""
    code, _, err = await _cpor("service", "clams")

    assert code == 2
    assert "claims, relay, projector, timer, web" in " ".join(err.replace("│", " ").split())
