"""The command line's frame: help, and mistakes that the user can mend as one sentence."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from services.cli.application import COMMANDS
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


@pytest.mark.parametrize("module", ["typer", "psutil"])
@pytest.mark.fault(73)
async def test_a_ctrl_c_while_python_imports_ends_without_a_word(
    tmp_path: Path, module: str
) -> None:
    """Whoever changes their mind at once sees no traceback, whatever is being imported."""
    (tmp_path / f"{module}.py").write_text("print('importing', flush=True); input()")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "up"),
        cwd=CHECKOUT,
        env=child_environment(Settings(data_dir=tmp_path / "data")) | {"PYTHONPATH": str(tmp_path)},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"importing\n"

    process.send_signal(signal.SIGINT)

    assert await process.communicate() == (b"", b"")
    assert process.returncode == 130


@pytest.mark.parametrize("target", ["run", "demo"])
async def test_make_keeps_a_ctrl_c_from_pythons_own_start(tmp_path: Path, target: str) -> None:
    """Before any of our code runs Python would answer it with a traceback."""
    program, prepared = tmp_path / "cpor", tmp_path / "prepared"
    program.write_text("#!/bin/sh\nkill -INT $$\necho goes on\n")
    program.chmod(0o700)
    prepared.touch()
    make = await asyncio.create_subprocess_exec(
        *("make", "--no-print-directory", target, f"BIN={tmp_path}", f"RUNTIME={prepared}"),
        cwd=CHECKOUT,
        stdout=PIPE,
    )

    out, _ = await make.communicate()

    assert (make.returncode, out) == (0, b"goes on\n")


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
    assert "claims, relay, projector, timer, notifier, web, mailbox" in " ".join(
        err.replace("│", " ").split()
    )
