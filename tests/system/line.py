"""The network between a client and a server: a proxy that delays, stalls and cuts connections."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

from psycopg.conninfo import conninfo_to_dict

_CHUNK = 65536
_ON_THE_WAY = 256
"""Chunks that a direction holds while they are delayed or stalled, at most."""

_Arriving = asyncio.Queue[tuple[float, bytes]]


class Line:
    """A proxy in front of one embedded server; use it as a context manager."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._passing: set[asyncio.Task[None]] = set()
        self.broken = False
        """Whether new connections end at once."""
        self.delay = 0.0
        """Seconds that bytes take in each direction."""
        self.passed = 0
        """Bytes that arrived, in both directions."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server:
            self._server.close()
        await self.cut()

    @property
    def url(self) -> str:
        """The server's address, by way of this line."""
        if self._server is None:
            raise RuntimeError("the line is not open")
        place = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        if not self._server_url.startswith("postgresql"):
            return f"nats://{place}"
        where = conninfo_to_dict(self._server_url)
        passfile = quote(str(where["passfile"]))
        return f"postgresql://{where['user']}@{place}/{where['dbname']}?passfile={passfile}"

    def stall(self) -> None:
        """Let nothing through any more, on old connections and new ones: nobody is told."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything through again, what was stalled first."""
        self._flowing.set()

    async def part(self) -> None:
        """End all connections, and all that are made until `broken` is taken back."""
        self.broken = True
        await self.cut()

    async def cut(self) -> None:
        """End all connections, as a router that was restarted does."""
        passing = list(self._passing)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        if self.broken:
            writer.transport.abort()
            return
        self._passing.add(task)
        try:
            their_reader, their_writer = await self._connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, their_writer))
                group.create_task(self._pass(their_reader, writer))
        except* (OSError, EOFError, asyncio.CancelledError):
            pass  # either side went away, or the line was cut
        finally:
            writer.transport.abort()
            self._passing.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self._server_url.startswith("postgresql"):
            where = urlsplit(self._server_url)
            return await asyncio.open_connection(where.hostname, where.port)
        sockets = conninfo_to_dict(self._server_url)["host"]
        return await asyncio.open_unix_connection(f"{sockets}/.s.PGSQL.5432")

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """One direction, until its source ends: then the other one ends, too."""
        arriving: _Arriving = asyncio.Queue(_ON_THE_WAY)
        reading = asyncio.create_task(self._read(source, arriving))
        clock = asyncio.get_running_loop().time
        try:
            while True:
                sent_at, data = await arriving.get()
                await asyncio.sleep(max(0.0, sent_at + self.delay - clock()))
                await self._flowing.wait()
                if not data:
                    raise EOFError
                self.passed += len(data)
                target.write(data)
                await target.drain()
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await reading
            target.transport.abort()

    async def _read(self, source: asyncio.StreamReader, arriving: _Arriving) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while data := await source.read(_CHUNK):
                await arriving.put((clock(), data))
        finally:
            with suppress(asyncio.QueueFull):
                arriving.put_nowait((clock(), b""))
