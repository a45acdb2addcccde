"""Everything mixed, by chance, from a seed: the invariants hold."""

import asyncio
from pathlib import Path
from secrets import token_hex

import pytest

from tests.system.nemesis import mixed_run

ROUND = 45.0
"""Seconds of load and strikes, after which everything is checked; then it begins anew."""


@pytest.mark.fault(76)
@pytest.mark.timeout(300)
async def test_a_short_mixed_run(tmp_path: Path) -> None:
    """A few strikes under load, the same ones each time."""
    await mixed_run(tmp_path / "data", "short", 8.0)


@pytest.mark.fault(76)
@pytest.mark.nemesis
@pytest.mark.timeout(0)
async def test_a_long_mixed_run(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Round after round, each on a system of its own, from a seed that it says."""
    minutes = float(str(request.config.getoption("--minutes")))
    seed = str(request.config.getoption("--seed")) or token_hex(4)
    tick = asyncio.get_running_loop().time
    until = tick() + 60.0 * minutes
    turn = 0
    while tick() < until:
        turn += 1
        done = await mixed_run(tmp_path / str(turn), f"{seed}/{turn}", ROUND)
        with capsys.disabled():
            print(f"\nseed {seed}, round {turn}: {done}", end="", flush=True)  # noqa: T201 - an hour is long
