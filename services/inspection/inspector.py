"""Documents looked into for the web: each by a process of its own, few at a time, and once."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from services.document_store import DocumentStore
from services.inspection import process
from services.inspection.cache import Cache
from services.inspection.finding import REFUSED, Inspection, NotShown, Problem

VERSION: Final = 1
"""Of what the program makes of a document: another version makes everything anew."""

_AT_ONCE = 2
_PATIENCE_FOR_A_TURN = 20.0
_MOST_KEPT = 256 * 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_INSPECTION = TypeAdapter(Inspection)

_log = structlog.get_logger(__name__)


class Inspector:
    """Looks into documents of the store, and keeps in `folder` what it saw while there is room."""

    def __init__(
        self, documents: DocumentStore, folder: Path, *, patience: float = process.PATIENCE
    ) -> None:
        self._documents = documents
        self._cache = Cache(folder, most_bytes=_MOST_KEPT)
        self._patience = patience
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def inspect(self, digest: str, media_type: str) -> Inspection:
        """What a document holds, or the problem with it."""
        try:
            answer = await self._made(_name(digest, "json"), digest, media_type)
            return await asyncio.to_thread(_INSPECTION.validate_json, answer)
        except NotShown as refusal:
            return Inspection(problem=refusal.problem)
        except ValidationError as error:
            _log.error("inspection_not_readable", digest=digest, error=str(error))
            return Inspection(problem=Problem.CRASHED)

    async def draw(self, digest: str, media_type: str, number: int, width: int) -> bytes:
        """A page as PNG, by its number from 1 on, so many pixels wide. Raises NotShown."""
        inspection = await self.inspect(digest, media_type)
        if inspection.problem:
            raise NotShown(inspection.problem)
        if not 1 <= number <= len(inspection.pages) or not inspection.pages[number - 1].width:
            raise NotShown(Problem.NO_PAGE)
        name = _name(digest, f"{number}-{width}.png")
        drawn = await self._made(name, digest, media_type, str(number), str(width))
        if not drawn.startswith(_PNG):
            raise NotShown(Problem.CRASHED)
        return drawn

    async def _made(self, name: str, digest: str, *arguments: str) -> bytes:
        """From the cache, or made now and kept. Raises NotShown for a problem, which is kept, too.

        Not kept is what may pass: that others are in the way.
        """
        answer = await asyncio.to_thread(self._cache.get, name)
        if answer is None:
            async with self._turn():
                answer = await asyncio.to_thread(self._cache.get, name)
                if answer is None:
                    answer = await self._make(digest, *arguments)
                    await asyncio.to_thread(self._cache.put, name, answer)
        if problem := _problem(answer):
            raise NotShown(problem)
        return answer

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_FOR_A_TURN):
                await self._turns.acquire()
        except TimeoutError:
            raise NotShown(Problem.BUSY) from None
        try:
            yield
        finally:
            self._turns.release()

    async def _make(self, digest: str, *arguments: str) -> bytes:
        """The program's answer, or the name of a problem that this document has each time."""
        try:
            document = await asyncio.to_thread(self._documents.open, digest)
        except FileNotFoundError as error:
            _log.error("document_missing", digest=digest)
            raise NotShown(Problem.MISSING) from error
        with document:
            try:
                ended = await process.run(document, *arguments, patience=self._patience)
            except TimeoutError as error:
                _log.warning("document_too_slow", digest=digest, arguments=arguments)
                raise NotShown(Problem.TOO_SLOW) from error
            except ValueError as error:
                _log.warning("document_too_large", digest=digest, error=str(error))
                return Problem.TOO_LARGE.encode()
        if ended.code == 0 or (ended.code == REFUSED and _problem(ended.answer)):
            return ended.answer
        _log.warning(
            "document_crashed", digest=digest, code=ended.code, complaint=ended.complaint[-1000:]
        )
        match -ended.code:
            case signal.SIGXCPU:
                return Problem.TOO_SLOW.encode()
            case signal.SIGKILL:  # by the kernel, which ran out of memory, or by somebody
                raise NotShown(Problem.CRASHED)
            case _:
                return Problem.CRASHED.encode()


def _name(digest: str, what: str) -> str:
    return f"{digest.removeprefix('sha256:')}.v{VERSION}.{what}"


def _problem(answer: bytes) -> Problem | None:
    """The problem that stands in an answer's place."""
    return next((each for each in Problem if each.encode() == answer), None)
