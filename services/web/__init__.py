"""The HTTP API and its pages."""

import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI

from services.garbage import collect_seldom
from services.refused import StartRefused
from services.settings import Settings
from services.web.application import create_app

__all__ = ["create_app", "serve"]

_STALLED = 20
"""Seconds after which a client that reads nothing of what it asked for is dropped."""
_GRACE = 5
"""Seconds that running requests have to end in when the process is told to stop."""


class _Server(uvicorn.Server):
    """Ends the streams of open pages first: they would go on for ever."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        self._app.state.live.end()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, in one process; logging is set up by whoever calls this.

    Raises StartRefused when the address can't be had.
    """
    listener = _listen(settings.http_host, settings.http_port)
    app = create_app(settings)
    # uvicorn takes httptools and uvloop where it finds them. But httptools has no bound for a
    # request's head, and uvloop's child processes, as those that open documents, inherit our
    # descriptors.
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=15,
        ws="none",
    )
    collect_seldom()
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, _end_in_order)
    _Server(config, app).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise StartRefused(f"{host}:{port} can't be listened on: {error.strerror}.") from error
    # asyncio does so for sockets of its own making only; without it each answer takes 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED * 1000)
    return listener


def _end_in_order(_number: int, _frame: object) -> None:
    """Uvicorn, once it has ended in order, raises the signal again: now it means nothing more."""
