"""docs/lifecycle.md is what the code says."""

import subprocess
import sys
from pathlib import Path

from domain.lifecycle import LIFECYCLE, Phase
from tools.state_diagram import FILE, ROOT, explore, is_stale, write


def test_the_page_is_up_to_date() -> None:
    """A changed lifecycle is published with its diagram."""
    assert not is_stale(), f"{FILE.name} is stale: run python -m tools.state_diagram"


def test_the_tool_makes_every_decision_that_is_possible() -> None:
    """It reaches every phase, and finds in each exactly the commands of the lifecycle."""
    found = {(step.source, step.command) for step in explore()}

    assert found == {
        (phase, command)
        for phase in Phase
        for command in LIFECYCLE[phase].possible
        | ({"pass_deadline"} if LIFECYCLE[phase].clock else set[str]())
    }


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """Missing or changed, it is stale until it is written anew."""
    page = tmp_path / "lifecycle.md"

    assert is_stale(page)
    write(page)
    assert not is_stale(page)
    page.write_text(page.read_text("utf-8").replace("submit_claim", "send_claim"), "utf-8")
    assert is_stale(page)


def test_the_check_of_the_command_line_agrees() -> None:
    """`--check` writes nothing and exits 0."""
    before = FILE.read_text("utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "tools.state_diagram", "--check"], cwd=ROOT, check=False
    )

    assert done.returncode == 0
    assert FILE.read_text("utf-8") == before
