"""Documents: taken in by content, given out to whom their claim is readable."""

import asyncio
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import UUID

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import FormData, UploadFile

from domain.access import may_read_documents
from domain.actor import Actor
from domain.claim import MAX_DOCUMENTS
from domain.command import MAX_DOCUMENT_BYTES
from domain.refusal import (
    FieldError,
    Invalid,
    NotAllowed,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
)
from services.clamd import ScanFailed, scan
from services.document_store import Kept
from services.json_document import pointer_to
from services.media_type import SUFFIXES, UnknownMediaType, safe_name
from services.web.backend import Backend, Served
from services.web.caller import Caller
from services.web.claim import readable_row
from services.web.identifier import ClaimId, DocumentDigest
from services.web.problem import RequestTimeout, Unavailable
from services.web.schema import Uploaded, header, problems

UPLOAD_PATH = "/api/documents"
MAX_UPLOAD_BYTES = MAX_DOCUMENT_BYTES + 64 * 1024
"""The largest document and the multipart form around it."""
MAX_FILENAME = 200
"""Characters."""

_MOST_PARTS = 2 * MAX_DOCUMENTS
"""Fields, and files, of a form that are read: more than any needs, to tell which are too many."""
_UPLOAD_PATIENCE = 300.0
"""Seconds in which an upload must have arrived."""
_CHUNK = 64 * 1024

_KINDS = ", ".join(suffixes[0].removeprefix(".") for suffixes in SUFFIXES.values())

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["documents"])


@router.post(
    UPLOAD_PATH,
    summary="Upload a document",
    operation_id="upload_document",
    status_code=201,
    response_description="Kept. `attach_poe` and `open_dispute` take this answer as it is.",
    responses=problems(400, 401, 403, 408, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {
                                "type": "string",
                                "contentMediaType": "application/octet-stream",
                                "description": f"At most 20 MiB: {_KINDS}.",
                            }
                        },
                        "required": ["file"],
                        "additionalProperties": False,
                    }
                }
            },
        }
    },
)
async def upload(request: Request, caller: Caller, backend: Served) -> Uploaded:
    """Keep a document for the caller's organisation, which alone may attach it to its claims.

    Its kind is told by its content. The same upload again gets the same answer.
    """
    if caller.org is None:
        raise NotAllowed("only partners upload documents", rule="R25")
    form = await read_upload(request)
    try:
        return await take(only_file(form), caller.org, backend)
    finally:
        await form.close()


async def read_upload(request: Request) -> FormData:
    """The form that a document comes in; whoever reads it closes it.

    Raises UnsupportedMediaType, TooLarge, RequestTimeout.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise UnsupportedMediaType("send multipart/form-data with a field named file")
    try:
        async with asyncio.timeout(_UPLOAD_PATIENCE):
            return await request.form(
                max_files=_MOST_PARTS, max_fields=_MOST_PARTS, max_part_size=MAX_UPLOAD_BYTES
            )
    except TimeoutError:
        raise RequestTimeout("the document did not arrive in time") from None


def only_file(form: FormData, *, beside: Collection[str] = ()) -> UploadFile:
    """The file of a form that holds nothing else but these fields. Raises Invalid."""
    files = form.getlist("file")
    wrong = [
        FieldError(pointer_to(name), "there is no such field")
        for name in dict(form.multi_items())
        if name != "file" and name not in beside
    ]
    if not files:
        wrong.append(FieldError("/file", "is missing"))
    elif len(files) > 1:
        wrong.append(FieldError("/file", "must be one file; upload each on its own"))
    elif isinstance(files[0], str):
        wrong.append(FieldError("/file", "must be a file with a name"))
    elif not wrong:
        return files[0]
    raise Invalid(wrong)


async def take(file: UploadFile, org: str, backend: Backend) -> Uploaded:
    """Keep a document for an organisation, by its content.

    Raises Invalid for a name that can't be one, TooLarge, UnsupportedMediaType.
    """
    filename = _clean(file.filename or "")
    if not file.size:
        raise Invalid([FieldError("/file", "is empty")])
    if file.size > MAX_DOCUMENT_BYTES:
        raise TooLarge(f"{file.size} bytes; a document has at most {MAX_DOCUMENT_BYTES}")
    await _scan(file.file, filename, backend)
    try:
        kept = await asyncio.to_thread(backend.documents.keep, file.file)
    except UnknownMediaType:
        raise UnsupportedMediaType(
            f"{filename} is none of the kinds that are taken: {_KINDS}"
        ) from None
    await _record(kept, filename, org, backend)
    return Uploaded(
        digest=kept.digest, filename=filename, media_type=kept.media_type, size=kept.size
    )


@router.get(
    "/api/claims/{claim_id}/documents/{digest}",
    summary="Download a document",
    operation_id="download_document",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The content, never to be shown in place.",
            "content": {kind: {} for kind in SUFFIXES},
            "headers": {"Content-Disposition": header("`attachment`, and the document's name.")},
        },
        **problems(401, 403, 404, 422, 503),
    },
)
async def download(
    caller: Caller, backend: Served, claim_id: ClaimId, digest: DocumentDigest
) -> Response:
    """A document of a claim, for whom the claim is readable; not for operators."""
    document = await readable_document(backend, claim_id, digest, caller)
    try:
        content = await asyncio.to_thread(backend.documents.open, digest)
    except FileNotFoundError as error:
        _log.error("document_missing", digest=digest, claim_id=str(claim_id))
        raise Unavailable("the document's content can't be read at the moment") from error
    filename = quote(safe_name(document["filename"], document["media_type"]), safe="")
    return StreamingResponse(
        _chunks(content),
        media_type=document["media_type"],
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{filename}",
            "Content-Length": str(document["size"]),
            "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        },
    )


async def readable_document(
    backend: Backend, claim_id: UUID, digest: str, reader: Actor
) -> Mapping[str, Any]:
    """A document of a claim, as the board has it, that this reader may read.

    Raises NotFound as `readable_row` does, and NotAllowed for operators.
    """
    async with backend.pool.connection() as connection:
        row = await readable_row(connection, claim_id, reader)
    if not may_read_documents(reader, org=row.org, status=row.status):
        raise NotAllowed("operators don't read documents", rule="R25")
    document = next((each for each in row.documents if each["digest"] == digest), None)
    if document is None:
        raise NotFound("the claim has no such document")
    return document


async def _scan(content: BinaryIO, filename: str, backend: Backend) -> None:
    """Let the scanner look at an upload, where one is set.

    Raises UnsupportedMediaType for what it finds, and Unavailable when it can't be asked: nothing
    is kept that it has not seen.
    """
    address = backend.settings.clamd
    if not address:
        return
    try:
        finding = await scan(address, content)
    except ScanFailed as error:
        _log.error("scan_failed", error=str(error))
        raise Unavailable("the virus scanner can't be asked at the moment") from error
    if finding is not None:
        _log.warning("upload_infected", filename=filename, finding=finding)
        raise UnsupportedMediaType(f"{filename} is not taken: the virus scanner found {finding}")
    content.seek(0)


async def _record(kept: Kept, filename: str, org: str, backend: Backend) -> None:
    """Remember whose it is, now that its content is durable."""
    uploaded_at = await backend.now()
    async with backend.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO cpor.documents (digest, org, filename, media_type, size, uploaded_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [kept.digest, org, filename, kept.media_type, kept.size, uploaded_at],
        )


def _clean(filename: str) -> str:
    """The last part of a path, as one line. Raises Invalid for a name that can't be one."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", name).strip()
    if wrong := _wrong_with(name):
        raise Invalid([FieldError("/file", wrong)])
    return name


def _wrong_with(name: str) -> str:
    if not name:
        return "must be a file with a name"
    if not name.strip("."):
        return "must have a name that is more than dots"
    if not name.isprintable():
        return "must have a name of printable characters"
    if len(name) > MAX_FILENAME:
        return f"must have a name of at most {MAX_FILENAME} characters; this one has {len(name)}"
    return ""


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    with content:
        while chunk := content.read(_CHUNK):
            yield chunk
