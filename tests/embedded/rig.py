"""A supervisor over stand-ins for the services; as a program, a whole run in a folder.

`python -m tests.embedded.rig FOLDER HTTP_PORT NATS_PORT` is `cpor up --follow-parent`.
"""

import sys
from pathlib import Path

from services.embedded import supervisor
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
