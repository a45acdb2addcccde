"""Browsers that leaf through the claims list, as light as they can be.

They run in a process of their own, `python -m benchmarks.browsing TASK`, which prints as JSON how
many pages came, and how long each of them took.
"""

import asyncio
import html
import json
import re
import sys
from collections.abc import Sequence
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import httpx

HOST: Final = "127.0.0.1"
_PATIENCE: Final = 30.0
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_NEXT: Final = re.compile(rb'href="(/claims\?[^"]*)" rel="next"')


async def signed_in(port: int) -> str:
    """Wait until the web answers, and sign a reviewer in: the session's cookie."""
    async with asyncio.timeout(_PATIENCE), httpx.AsyncClient() as client:
        while True:
            try:
                answer = await client.post(
                    f"http://{HOST}:{port}/sign-in", data={"persona": "deniz"}, timeout=_PATIENCE
                )
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == HTTPStatus.SEE_OTHER:
                return f"cpor_session={answer.cookies['cpor_session']}"
            await asyncio.sleep(0.05)


async def _browse(port: int, cookie: str, view: str, until: float) -> list[float]:
    """Go from page to page of a view over one connection; how long each took."""
    first = f"/claims?{view}" if view else "/claims"
    reader, writer = await asyncio.open_connection(HOST, port)
    address, took = first, list[float]()
    while (start := perf_counter()) < until:
        writer.write(
            f"GET {address} HTTP/1.1\r\nHost: {HOST}:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{address}: {head.decode()}")
        body = await reader.readexactly(int(length[1]))
        took.append(perf_counter() - start)
        following = _NEXT.search(body, len(body) // 2)
        address = html.unescape(following[1].decode()) if following else first
    writer.close()
    return took


async def main(port: int, views: Sequence[str], seconds: float) -> dict[str, Any]:
    """A browser for each view, for so long."""
    cookie = await signed_in(port)
    await asyncio.gather(*(_browse(port, cookie, each, perf_counter() + 1) for each in views))
    start = perf_counter()
    rounds = await asyncio.gather(*(_browse(port, cookie, each, start + seconds) for each in views))
    took = [each for round_ in rounds for each in round_]
    return {"pages": len(took), "seconds": perf_counter() - start, "took": took}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
