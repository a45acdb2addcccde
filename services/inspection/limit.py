"""What the program that opens documents may use: little, and nothing that lasts."""

import resource
from pathlib import Path
from typing import Final

MEMORY: Final = 384 * 1024 * 1024
"""Bytes of address space."""
CPU_SECONDS: Final = 5
FILES: Final = 32
"""Descriptors: Python's libraries, and the document."""


def confine() -> None:
    """Give up what is not needed, for good.

    When the machine runs out of memory nevertheless, the kernel is to end this process first.
    """
    Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    for what, soft, hard in (
        (resource.RLIMIT_AS, MEMORY, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_NOFILE, FILES, FILES),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(what, (soft, hard))
