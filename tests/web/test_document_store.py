"""Documents' contents are kept by their digest, durably and once."""

import hashlib
import io
import stat
from pathlib import Path

import pytest

from services.document_store import DocumentStore
from services.media_type import UnknownMediaType

CONTENT = b"%PDF-1.7\nstatement of work\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    """Under its digest, with its size and kind."""
    store = DocumentStore(tmp_path / "documents")

    kept = store.keep(io.BytesIO(CONTENT))

    assert (kept.digest, kept.size, kept.media_type) == (
        f"sha256:{DIGEST}",
        len(CONTENT),
        "application/pdf",
    )
    with store.open(kept.digest) as content:
        assert content.read() == CONTENT


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    """In one file that nobody can write, and nothing lies about."""
    store = DocumentStore(tmp_path)
    first, second = store.keep(io.BytesIO(CONTENT)), store.keep(io.BytesIO(CONTENT))

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert first == second
    assert files == [tmp_path / "sha256" / DIGEST[:2] / DIGEST[2:4] / DIGEST]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o400


def test_what_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    """No file, not even a temporary one."""
    with pytest.raises(UnknownMediaType):
        DocumentStore(tmp_path).keep(io.BytesIO(b"MZ\x00"))

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """By the exception that files use."""
    with pytest.raises(FileNotFoundError):
        DocumentStore(tmp_path).open(f"sha256:{DIGEST}")
