"""Disks of a test's own, that fill up or lose power. They need root; tests say when they can't."""

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN: nothing that is not on the device yet will ever be."""
_WITHOUT_JOURNAL = 2
_TRIES = 100
_PIECE = b"\0" * (256 * 1024)


class Disk:
    """A file system that is mounted on a folder."""

    def __init__(self, folder: Path, what: str, *options: str) -> None:
        self._folder = folder
        self._mount = ["mount", *options, what, str(folder)]
        self._ballast = folder / "ballast"

    def mount(self) -> None:
        """Make it available; the test is left out where that is not allowed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if subprocess.run(self._mount, check=False, capture_output=True).returncode:
            pytest.skip("left out: this machine mounts nothing for tests (it takes root)")
        self._folder.chmod(0o700)

    def unmount(self) -> None:
        """Take it away, once nobody uses it any more; in the end, whoever does."""
        for lazy in (*[()] * _TRIES, ("--lazy",)):
            unmount = ["umount", *lazy, str(self._folder)]
            if subprocess.run(unmount, check=False, capture_output=True).returncode == 0:
                return
            time.sleep(0.1)

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while ballast.write(_PIECE):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def cut_power(self) -> None:
        """Lose what was not synced; the file system can't be used until it is mounted anew."""
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_JOURNAL))
        finally:
            os.close(handle)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Generator[Disk]:
    """A disk of this size, in memory."""
    yield from _mounted(Disk(folder, "tmpfs", "-t", "tmpfs", "-o", f"size={megabytes}m"))


@contextmanager
def mortal_disk(folder: Path, image: Path, megabytes: int) -> Generator[Disk]:
    """A disk whose power can be cut: ext4 in a file."""
    with image.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    make = ["mkfs.ext4", "-q", "-F", str(image)]
    if not which(make[0]) or subprocess.run(make, check=False).returncode:
        pytest.skip("left out: this machine makes no ext4")
    yield from _mounted(Disk(folder, str(image), "-o", "loop"))


def _mounted(disk: Disk) -> Generator[Disk]:
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()
