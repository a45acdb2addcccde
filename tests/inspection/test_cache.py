"""Previews on the disk."""

import os
from pathlib import Path

import pytest

from services.inspection.cache import Cache


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    """Nothing else is."""
    cache = Cache(tmp_path / "previews", most_bytes=100)

    cache.put("a", b"1")

    assert cache.get("a") == b"1"
    assert cache.get("b") is None
    assert [file.name for file in (tmp_path / "previews").iterdir()] == ["a"]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    """A fifth is free then."""
    cache = Cache(tmp_path, most_bytes=100)
    for age, name in enumerate("abcd"):
        cache.put(name, b"." * 25)
        os.utime(tmp_path / name, (age, age))
    assert cache.get("a")

    cache.put("e", b"." * 25)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "d", "e"]


def test_a_disk_that_takes_nothing_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is logged, and the preview is made again the next time."""
    (tmp_path / "previews").write_text("in the way")
    cache = Cache(tmp_path / "previews", most_bytes=100)

    cache.put("a", b"1")

    assert "preview_not_kept" in capsys.readouterr().out
