"""Stands in for a service: `stand_in.py FOLDER HTTP_PORT NATS_PORT NAME`.

It writes its pid to `FOLDER/NAME.pid`, and a line to `FOLDER/ends` when it is told to end: whether
nats-server was still there. The one named `web` answers every request with 200.
"""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


class Ready(BaseHTTPRequestHandler):
    """Always ready."""

    def do_GET(self) -> None:
        """Say so."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def main() -> None:
    """Run until told to end."""
    folder, name = Path(sys.argv[1]), sys.argv[4]
    http_port, nats_port = int(sys.argv[2]), int(sys.argv[3])

    def on_end(_number: int, _frame: FrameType | None) -> None:
        with socket.socket() as probe:
            there = probe.connect_ex(("127.0.0.1", nats_port)) == 0
        with (folder / "ends").open("a") as ends:
            ends.write(f"{name} {'with' if there else 'without'} nats-server\n")
        sys.exit()

    signal.signal(signal.SIGTERM, on_end)
    (folder / f"{name}.pid").write_text(str(os.getpid()))
    if name == "web":
        HTTPServer(("127.0.0.1", http_port), Ready).serve_forever()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
