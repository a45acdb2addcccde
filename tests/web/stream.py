"""A client of server-sent events: httpx reads from an application only what has ended."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI


class Stream:
    """A response that goes on."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._text = ""

    def feed(self, part: bytes | None) -> None:
        """Take a part of the body; None is its end."""
        self._parts.put_nowait(part)

    async def block(self) -> str | None:
        """The next block, whatever it is; None at the end."""
        while "\n\n" not in self._text:
            part = await self._parts.get()
            if part is None:
                return None
            self._text += part.decode()
        block, _, self._text = self._text.partition("\n\n")
        return block

    async def event(self, timeout: float = 10.0) -> dict[str, str] | None:
        """The next event by its fields, signs of life left out; None at the end."""
        async with asyncio.timeout(timeout):
            while (block := await self.block()) is not None:
                if block.startswith("event:"):
                    return dict(line.split(": ", 1) for line in block.splitlines())
        return None


@asynccontextmanager
async def streaming(
    app: FastAPI, browser: httpx.AsyncClient, path: str, **headers: str
) -> AsyncGenerator[Stream]:
    """A stream as a browser reads it, until the block ends: then it is gone."""
    request = browser.build_request("GET", path, headers=headers)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    begun: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own messages
        if message["type"] == "http.response.start":
            told = {name.decode(): value.decode() for name, value in message["headers"]}
            begun.set_result(Stream(message["status"], told))
        else:
            stream = begun.result()
            stream.feed(message.get("body", b""))
            if not message.get("more_body"):
                stream.feed(None)

    serving = asyncio.create_task(app(scope, receive, send))
    try:
        async with asyncio.timeout(10):
            stream = await begun
        yield stream
    finally:
        gone.set()
        await serving
