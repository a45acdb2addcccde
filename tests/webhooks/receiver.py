"""A system upstream that is told of events: a real HTTP server in the test's own process."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from services.notifier.webhook import REST
from services.settings import CHECKOUT

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        """What the event is known by."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent."""
        event: dict[str, Any] = json.loads(self.body)
        return event


def _documented_check() -> Callable[[str, Mapping[str, str], bytes], bool]:
    """The check of signatures that docs/webhooks.md shows to receivers."""
    page = (CHECKOUT / "docs" / "webhooks.md").read_text("utf-8")
    (code,) = re.findall(r"(?s)```python\n(.*?)```", page)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is ours
    check: Callable[[str, Mapping[str, str], bytes], bool] = names["is_genuine"]
    return check


_CHECK = _documented_check()


def is_genuine(request: Request, secret: str) -> bool:
    """Whether the request is new, and from whom the secret was made for."""
    return _CHECK(secret, request.headers, request.body)


class Receiver:
    """It writes down what it is sent, and answers as it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.status = 204
        self.headers: Mapping[str, str] = {}
        self.open = asyncio.Event()
        """Nothing is answered while it is not set."""
        self.open.set()
        self.is_endless = False
        """Whether answers come to no end."""
        self._changed = asyncio.Condition()

    @property
    def ids(self) -> list[str]:
        """What was sent, by what it is known by."""
        return [request.message_id for request in self.requests]

    @property
    def types(self) -> list[str]:
        """What was sent, by its kind."""
        return [request.event["type"] for request in self.requests]

    async def until(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= number)

    async def until_known(self, message_id: str) -> None:
        """Wait until this event has come."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: message_id in self.ids)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Take a request, as ASGI has it."""
        assert scope["type"] == "http"
        assert scope["method"] == "POST"
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part["body"], part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        async with self._changed:
            self.requests.append(Request(scope["path"], headers, body))
            self._changed.notify_all()
        await self.open.wait()
        named = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": named})
        if self.is_endless:
            part = {"type": "http.response.body", "body": b"x" * 2 * REST, "more_body": True}
            await send(part)
            await receive()  # until the other side has had enough
            return
        await send({"type": "http.response.body", "body": b""})


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are pytest's."""
        yield


@asynccontextmanager
async def receiver(**tls: str) -> AsyncGenerator[Receiver]:
    """A receiver on loopback; with `ssl_certfile` and `ssl_keyfile` it speaks TLS."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        scheme = "https" if tls else "http"
        it = Receiver(f"{scheme}://127.0.0.1:{door.getsockname()[1]}/cpor")
        config = uvicorn.Config(it, lifespan="off", log_config=None, **tls)  # type: ignore[arg-type]
        server = _Server(config)
        serving = asyncio.create_task(server.serve([door]))
        try:
            yield it
        finally:
            it.open.set()
            server.should_exit = True
            await serving
