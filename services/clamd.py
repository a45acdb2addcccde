"""A virus scan by clamd, to which a document is sent over INSTREAM; optional."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import BinaryIO, Final

PATIENCE: Final = 60.0
"""Seconds that a scan may take, connecting included."""

_COMMAND = b"zINSTREAM\0"
_CHUNK = 256 * 1024
_LONGEST_ANSWER = 4096
_CLEAN, _FOUND = "stream: OK", " FOUND"


class ScanFailed(Exception):  # noqa: N818 - named by what happened
    """There is no finding: the scanner is away, too slow, or did not do it."""


async def scan(address: str, content: BinaryIO, *, patience: float = PATIENCE) -> str | None:
    """The name of what clamd finds in the content, read from where it stands; None for nothing.

    `address` is `host:port` or `unix:/path`. Raises ScanFailed.
    """
    try:
        async with asyncio.timeout(patience), _connected(address) as (reader, writer):
            answer = await _ask(reader, writer, content)
    except TimeoutError as error:
        raise ScanFailed(f"no answer within {patience:g} s") from error
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ScanFailed(str(error) or type(error).__name__) from error
    if answer == _CLEAN:
        return None
    if answer.endswith(_FOUND):
        return answer.removeprefix("stream: ").removesuffix(_FOUND)
    raise ScanFailed(answer)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: BinaryIO
) -> str:
    """Send everything, in chunks with their lengths before them; what clamd says to it."""
    writer.write(_COMMAND)
    while chunk := await asyncio.to_thread(content.read, _CHUNK):
        writer.write(len(chunk).to_bytes(4, "big") + chunk)
        await writer.drain()
    writer.write(bytes(4))
    answer = await reader.readuntil(b"\0")
    return answer.removesuffix(b"\0").decode("utf-8", "replace").strip()


@asynccontextmanager
async def _connected(
    address: str,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    path = address.removeprefix("unix:")
    if path != address:
        reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST_ANSWER)
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(
            host.strip("[]"), int(port), limit=_LONGEST_ANSWER
        )
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
