"""A view of the claims list as a file: every row of it, for a spreadsheet."""

import asyncio
import csv
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unicodedata import normalize
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from xlsxwriter import Workbook

from projections.board import ClaimRow
from projections.query import MAX_LIMIT, ClaimQuery, list_claims
from services.language import word
from services.language.translation import N_
from services.web.page.listing import read_query
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor

MOST: Final = 50_000
"""Rows of one file; what a view has beyond them is left out."""
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CHUNK: Final = 64 * 1024
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may take for a formula."""

Cell = str | int
Column = tuple[str, Callable[[ClaimRow, Visit], Cell]]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/claims.csv")
async def export_csv(visit: Visitor) -> Response:
    """The view as CSV in UTF-8, sent while it is read."""
    pages = await _begun(visit)
    return _file(visit, _csv(visit, pages), "csv", "text/csv; charset=utf-8")


@router.get("/claims.xlsx")
async def export_xlsx(visit: Visitor) -> Response:
    """The view as a workbook of one sheet."""
    pages = await _begun(visit)
    return _file(visit, _xlsx(visit, pages), "xlsx", _XLSX)


def plain(cell: Cell) -> Cell:
    """A cell that no spreadsheet takes for a formula: where it might, behind an apostrophe.

    Some take signs of full width for what they look like.
    """
    if isinstance(cell, str) and normalize("NFKC", cell[:1]).startswith(_FORMULA):
        return f"'{cell}"
    return cell


async def _begun(visit: Visit) -> AsyncIterator[Sequence[ClaimRow]]:
    """The pages of the view, the first of which is read: what is wrong with it, is wrong here."""
    query = read_query(visit.request.query_params.multi_items(), visit.taste.time_zone)
    pages = _pages(visit, query.model_copy(update={"after": None, "limit": MAX_LIMIT}))
    first = await anext(pages)

    async def all_pages() -> AsyncGenerator[Sequence[ClaimRow]]:
        async with aclosing(pages):
            yield first
            async for page in pages:
                yield page

    return all_pages()


async def _pages(visit: Visit, query: ClaimQuery) -> AsyncGenerator[Sequence[ClaimRow]]:
    """The rows, a page at a time, each claim once: one may move on while the list is read."""
    seen: set[UUID] = set()
    while True:
        async with visit.backend.pool.connection() as connection:
            page = await list_claims(connection, query, reader=visit.actor, now=visit.now)
        fresh = [row for row in page.rows if row.claim_id not in seen][: MOST - len(seen)]
        seen.update(row.claim_id for row in fresh)
        yield fresh
        if page.next is None or len(seen) >= MOST:
            return
        query = query.model_copy(update={"after": page.next})


async def _csv(visit: Visit, pages: AsyncIterator[Sequence[ClaimRow]]) -> AsyncGenerator[bytes]:
    """Lines of CSV, a page at a time, with the mark by which spreadsheets know UTF-8."""
    columns = _columns(visit)
    buffer = StringIO("\ufeff")
    buffer.seek(0, 2)
    writer = csv.writer(buffer)
    writer.writerow([visit.say(title) for title, _ in columns])
    async for rows in pages:
        for cells in _cells(visit, columns, rows):
            writer.writerow([plain(cell) for cell in cells])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


async def _xlsx(visit: Visit, pages: AsyncIterator[Sequence[ClaimRow]]) -> AsyncGenerator[bytes]:
    """A workbook, written on disk row by row, and sent once it is whole."""
    columns = _columns(visit)
    async with visit.backend.workbooks:
        with TemporaryDirectory(prefix="cpor-export-") as folder:
            path = Path(folder) / "claims.xlsx"
            book: Any = Workbook(path, {"constant_memory": True, "tmpdir": folder})
            sheet = book.add_worksheet(visit.say("Claims"))
            sheet.freeze_panes(1, 0)
            bold = book.add_format({"bold": True})
            for place, (title, _) in enumerate(columns):
                sheet.write_string(0, place, visit.say(title), bold)
            line = 1

            def write(rows: Sequence[ClaimRow]) -> None:
                nonlocal line
                for cells in _cells(visit, columns, rows):
                    for place, cell in enumerate(cells):
                        if isinstance(cell, str):
                            sheet.write_string(line, place, cell)
                        else:
                            sheet.write_number(line, place, cell)
                    line += 1

            async for rows in pages:
                await asyncio.to_thread(write, rows)
            await asyncio.to_thread(book.close)
            with path.open("rb") as file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK):
                    yield chunk


def _file(visit: Visit, content: AsyncGenerator[bytes], suffix: str, media_type: str) -> Response:
    name = f"claims-{visit.now.astimezone(UTC):%Y-%m-%d}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, headers=headers, media_type=media_type)


def _cells(
    visit: Visit, columns: Sequence[Column], rows: Sequence[ClaimRow]
) -> Iterator[list[Cell]]:
    for row in rows:
        yield [cell(row, visit) for _, cell in columns]


def _columns(visit: Visit) -> Sequence[Column]:
    """What the visitor reads of a claim; partners know whose claims they are."""
    is_own = visit.actor.is_partner
    return [each for each in _COLUMNS if not (is_own and each[0] == _ORGANISATION)]


def _product(code: str, visit: Visit) -> str:
    product = visit.backend.catalogue.find(code)
    return str(getattr(product.name, visit.taste.language)) if product else code


def _utc(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else ""


_ORGANISATION: Final = N_("Organisation")
_COLUMNS: Final[Sequence[Column]] = (
    (N_("Claim id"), lambda row, _: str(row.claim_id)),
    (N_("Name"), lambda row, _: row.name),
    (_ORGANISATION, lambda row, _: row.org),
    (N_("MPN id"), lambda row, _: row.mpn_id),
    (N_("Customer"), lambda row, _: row.customer_name),
    (N_("Domain"), lambda row, _: row.customer_domain),
    (N_("Tenant id"), lambda row, _: str(row.tenant_id)),
    (N_("Products"), lambda row, visit: "; ".join(_product(each, visit) for each in row.products)),
    (N_("Subscription ids"), lambda row, _: "; ".join(row.subscription_ids)),
    (N_("Status"), lambda row, visit: visit.say(word.STATUS[row.status].word)),
    (N_("Whose move"), lambda row, visit: visit.say(word.TURN[row.whose_turn].word)),
    (
        N_("Open clock"),
        lambda row, visit: visit.say(word.CLOCK[row.clock].word) if row.clock else "",
    ),
    (N_("Due (UTC)"), lambda row, _: _utc(row.due_at)),
    (N_("How its clock stands"), lambda row, visit: visit.say(word.SLA[row.sla(visit.now)].word)),
    (N_("Consent"), lambda row, visit: visit.say(word.CONSENT[row.consent].word)),
    (N_("Dispute"), lambda row, visit: visit.say(word.DISPUTE[row.dispute].word)),
    (N_("Assessment"), lambda row, visit: visit.say(word.ASSESSMENT[row.assessment].word)),
    (
        N_("Reasons for rejection"),
        lambda row, visit: "; ".join(
            visit.say(word.REJECTION_REASON[each].word) for each in row.rejection_reasons
        ),
    ),
    (N_("Documents"), lambda row, _: len(row.documents)),
    (N_("Created (UTC)"), lambda row, _: _utc(row.created_at)),
    (N_("Submitted (UTC)"), lambda row, _: _utc(row.submitted_at)),
    (N_("Decided (UTC)"), lambda row, _: _utc(row.decided_at)),
    (N_("Changed (UTC)"), lambda row, _: _utc(row.updated_at)),
    (N_("Version"), lambda row, _: row.version),
)
