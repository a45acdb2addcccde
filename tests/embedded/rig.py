"""A supervisor over stand-ins for the services; as a program, a whole run in a folder.

`python -m tests.embedded.rig FOLDER HTTP_PORT NATS_PORT` is `cpor up --follow-parent`.
"""

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from services.embedded import supervisor
from services.embedded.process import survivors
from services.embedded.unit import Service
from services.refused import StartRefused
from services.settings import Settings, child_environment

_STAND_IN = Path(__file__).with_name("stand_in.py")
NAMES = ("claims", "web")


def settings(folder: Path, http_port: int, nats_port: int) -> Settings:
    """Settings of a run in a folder."""
    return Settings(data_dir=folder / "data", http_port=http_port, nats_port=nats_port)


def stand_ins(folder: Path, its: Settings) -> list[Service]:
    """Small real programs in place of the services."""
    command = (*(sys.executable, str(_STAND_IN), str(folder)), str(its.http_port))
    return [Service(name, child_environment(its), (*command, str(its.nats_port))) for name in NAMES]


def processes(folder: Path) -> list[psutil.Process]:
    """The running processes whose command names something in a folder."""
    return survivors(lambda process: any(str(folder) in word for word in process.cmdline()))


def kill(victims: Iterable[psutil.Process]) -> None:
    """Kill -9 all of them, as at once as it gets."""
    for each in victims:
        with suppress(psutil.NoSuchProcess):  # it died with another one
            each.kill()


def main() -> None:
    """Run until told to stop."""
    folder = Path(sys.argv[1])
    its = settings(folder, int(sys.argv[2]), int(sys.argv[3]))
    try:
        supervisor.up(its, follow_parent=True, services=stand_ins(folder, its))
    except StartRefused as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
