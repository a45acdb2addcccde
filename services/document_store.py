"""The documents' contents: files named by the digest of what they hold, written once."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from services.media_type import recognise

_CHUNK = 256 * 1024
_PREFIX = "sha256:"

# Plain files, because obstore's local store (0.12) does not fsync: a power cut could lose a
# document whose upload was answered.


@dataclass(frozen=True, slots=True)
class Kept:
    """A document's content that is on the disk."""

    digest: str
    """`sha256:` and 64 hexadecimal digits."""
    size: int
    media_type: str


class DocumentStore:
    """The contents under one folder, by digest: `sha256/ab/cd/abcd…`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, source: BinaryIO) -> Kept:
        """Read to the end of `source` and keep it durably; the same content again changes nothing.

        Raises UnknownMediaType for content of a kind that is not kept; then nothing is left behind.
        """
        incoming = self._folder / "incoming"
        incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _temporary(incoming / secrets.token_hex(16)) as (path, target):
            digest, size = sha256(), 0
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += target.write(chunk)
            target.flush()
            media_type = recognise(path)
            os.fsync(target.fileno())
            self._place(path, digest.hexdigest())
        return Kept(_PREFIX + digest.hexdigest(), size, media_type)

    def open(self, digest: str) -> BinaryIO:
        """A document's content. Raises FileNotFoundError when it is not here."""
        return self._path(digest.removeprefix(_PREFIX)).open("rb")

    def _place(self, path: Path, name: str) -> None:
        """Give the file its name, and make the name as durable as the content."""
        final = self._path(name)
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(final)
        for folder in (final.parent, *final.parents[1:4], self._folder.parent):
            _sync(folder)

    def _path(self, name: str) -> Path:
        return self._folder / "sha256" / name[:2] / name[2:4] / name


@contextmanager
def _temporary(path: Path) -> Generator[tuple[Path, BinaryIO]]:
    """A new file that is gone in the end, unless it was renamed meanwhile."""
    with path.open("xb") as target:
        path.chmod(0o400)
        try:
            yield path, target
        finally:
            path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
