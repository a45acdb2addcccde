"""A server that speaks clamd's INSTREAM, and finds one word."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

VIRUS: Final = b"MALICE"
FINDING: Final = "Test.Malice"


@asynccontextmanager
async def scanning(*, most: int = 25 * 1024 * 1024, answer: bytes = b"") -> AsyncGenerator[str]:
    """The address of a scanner that takes so many bytes; it may always give the same answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await _answer(reader, most)
        writer.write(answer or found)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def _answer(reader: asyncio.StreamReader, most: int) -> bytes:
    if await reader.readexactly(10) != b"zINSTREAM\0":
        return b"UNKNOWN COMMAND\0"
    content = b""
    while size := int.from_bytes(await reader.readexactly(4), "big"):
        content += await reader.readexactly(size)
        if len(content) > most:
            return b"INSTREAM size limit exceeded. ERROR\0"
    return f"stream: {FINDING} FOUND\0".encode() if VIRUS in content else b"stream: OK\0"
