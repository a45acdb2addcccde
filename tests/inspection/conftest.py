"""An inspector with a store of its own."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from services.document_store import DocumentStore, Kept
from services.inspection.inspector import Inspector

Keep = Callable[[bytes], Kept]


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    """A store."""
    return DocumentStore(tmp_path / "documents")


@pytest.fixture
def keep(store: DocumentStore) -> Keep:
    """Keeps a document, whose kind must be one that is taken."""
    return lambda content: store.keep(BytesIO(content))


@pytest.fixture
def inspector(store: DocumentStore, tmp_path: Path) -> Inspector:
    """Looks into the store's documents."""
    return Inspector(store, tmp_path / "previews")
