"""Previews on the disk: what can be made again, and is thrown away when it is much."""

import os
import secrets
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


class Cache:
    """Small files in one folder, by name; those that were not used for longest go first.

    A document's content never changes, so nothing here grows old. The folder may be removed at any
    time. Several processes may use it at once.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def get(self, name: str) -> bytes | None:
        """What is kept under this name, if anything."""
        path = self._folder / name
        try:
            content = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keep it. A disk that takes nothing is logged: then it is made again the next time."""
        temporary = self._folder / f"{secrets.token_hex(16)}.new"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                temporary.write_bytes(content)
                temporary.replace(self._folder / name)
            finally:
                temporary.unlink(missing_ok=True)
            self._make_room()
        except OSError as error:
            _log.warning("preview_not_kept", name=name, error=str(error))

    def _make_room(self) -> None:
        """Remove the oldest until a fifth is free, once there is too much."""
        found = [(each, _stat(each)) for each in self._folder.iterdir()]
        files = sorted(
            ((status.st_mtime_ns, status.st_size, path) for path, status in found if status),
        )
        total = sum(size for _, size, _ in files)
        if total <= self._most_bytes:
            return
        for _, size, path in files:
            path.unlink(missing_ok=True)
            total -= size
            if total <= self._most_bytes * 4 // 5:
                return


def _stat(path: Path) -> os.stat_result | None:
    """None for a file that another process has removed meanwhile."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
