"""Asking clamd, and what it may answer."""

import asyncio
from io import BytesIO
from pathlib import Path

import pytest

from services.clamd import ScanFailed, scan
from tests.free_port import free_port
from tests.scanner import FINDING, VIRUS, scanning


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", None),
        (b"a" * 3_000_000, None),
        (b"a" * 1_000_000 + VIRUS + b"a" * 1_000_000, FINDING),
    ],
    ids=["empty", "clean", "infected"],
)
async def test_a_document_is_scanned_whole(content: bytes, finding: str | None) -> None:
    """However large it is."""
    async with scanning() as address:
        assert await scan(address, BytesIO(content)) == finding


async def test_a_scanner_may_listen_on_a_socket(tmp_path: Path) -> None:
    """As it does on one machine."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"text" + bytes(4))
        writer.write(b"stream: OK\0")
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "clamd"):
        assert await scan(f"unix:{tmp_path / 'clamd'}", BytesIO(b"text")) is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"INSTREAM size limit exceeded. ERROR\0", "INSTREAM size limit exceeded. ERROR"),
        (b"stream: OK but not really\0", "stream: OK but not really"),
        (b"stream: OK", "0 bytes read on a total of|10 bytes read"),
        (b"a" * 100_000, "limit"),
    ],
    ids=["error", "odd", "cut-off", "endless"],
)
async def test_what_is_no_finding_is_a_failure(answer: bytes, told: str) -> None:
    """Nothing passes for clean but what clamd says of clean content."""
    async with scanning(answer=answer) as address:
        with pytest.raises(ScanFailed, match=told):
            await scan(address, BytesIO(b"a" * 1_000_000))


async def test_too_much_is_a_failure() -> None:
    """The scanner's own limit."""
    async with scanning(most=1000) as address:
        with pytest.raises(ScanFailed):
            await scan(address, BytesIO(b"a" * 3_000_000))


async def test_a_scanner_that_is_away_is_a_failure() -> None:
    """Or one that says nothing."""
    with pytest.raises(ScanFailed):
        await scan(f"127.0.0.1:{free_port()}", BytesIO(b"text"))

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ScanFailed, match="no answer within"):
            await scan(f"127.0.0.1:{port}", BytesIO(b"text"), patience=0.2)
