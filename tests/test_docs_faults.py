"""docs/faults.md names the tests that are there."""

from pathlib import Path

from tools.faults import CASES, FILE, LEFT_OUT, is_stale, shown, write


def test_the_page_is_up_to_date() -> None:
    """A test that is renamed, or names another fault, is published so."""
    assert not is_stale(), f"{FILE.name} is stale: run python -m tools.faults"


def test_every_case_is_shown_or_left_out() -> None:
    """Never both: a reason that holds no more is taken away; and no test names another number."""
    tested = shown().keys()

    assert not tested & LEFT_OUT.keys()
    assert tested | LEFT_OUT.keys() == CASES.keys()


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """Missing or changed, it is stale until it is written anew."""
    page = tmp_path / "faults.md"

    assert is_stale(page)
    write(page)
    assert not is_stale(page)
    page.write_text(page.read_text("utf-8").replace("| 36 |", "| 37 |"), "utf-8")
    assert is_stale(page)
