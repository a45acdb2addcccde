"""The list of claims: whose move it is, what is due, and what happened last (R28)."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from psycopg import AsyncConnection

from domain.refusal import Invalid
from projections.board import ClaimRow
from projections.board_table import ClaimBoard
from projections.position import reached
from projections.query import ClaimQuery, list_claims, summarize
from services.web import problem
from services.web.page.last_event import WORDS, LastEvent, happened, last_events
from services.web.page.listing import DUE_BY, PLAIN, address, due_by, read_query
from services.web.page.route import PageRoute
from services.web.page.saved_view import built_in, normal, saved
from services.web.page.time_left import TimeLeft, day_of, times_left
from services.web.page.visit import Visit, Visitor

MOST_ROWS: Final = 50
"""Rows that an open page asks for at once."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Line(NamedTuple):
    """A claim as a line of the list."""

    id: str
    row: ClaimRow
    products: str
    due: TimeLeft | None
    due_on: Markup
    """The day, if there is one."""
    happened: str
    """The last event, in the visitor's language, if they may know any."""
    ago: Markup
    key: str
    """Where it stands in the list's order: keys are compared as texts."""


@router.get("/claims")
async def show(visit: Visitor) -> Response:
    """The claims that the visitor may see and asks for, a page at a time."""
    given = visit.request.query_params.multi_items()
    try:
        query = read_query(given, visit.taste.time_zone)
    except Invalid as refusal:
        return await _wrong(visit, given, refusal)
    asked = address(query)
    if not _is_partial(visit) and asked != visit.request.url.query:
        return RedirectResponse(_at(asked), HTTPStatus.SEE_OTHER)
    async with visit.backend.pool.connection() as connection:
        position = await reached(connection, ClaimBoard.name)  # first: rows may be newer, not older
        page = await list_claims(connection, query, reader=visit.actor, now=visit.now)
        listed = await lines(connection, visit, query, page.rows)
        around = await _around(connection, visit, query)
    return visit.page(
        "claims.html",
        headers={"HX-Push-Url": "false" if _is_shown(visit, asked) else _at(asked)},
        problem=None,
        fields=_fields(query, visit.taste.time_zone),
        lines=listed,
        position=position,
        next=_at(address(query, after=page.next)) if page.next else None,
        **around,
    )


@router.get("/claim-rows")
async def show_rows(
    visit: Visitor,
    claim: Annotated[list[UUID], Query(max_length=MOST_ROWS)],
    view: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Those of the claims that are in a view, as lines of it: for a page that is open."""
    query = read_query(parse_qsl(view), visit.taste.time_zone)
    query = query.model_copy(update={"after": None, "limit": MOST_ROWS})
    async with visit.backend.pool.connection() as connection:
        page = await list_claims(connection, query, reader=visit.actor, now=visit.now, among=claim)
        changed = await lines(connection, visit, query, page.rows)
    return visit.page("claims.html", block="rows", lines=changed)


async def lines(
    connection: AsyncConnection, visit: Visit, query: ClaimQuery, rows: Sequence[ClaimRow]
) -> list[Line]:
    """Rows of the board as lines of a list in this order."""
    last = await last_events(connection, rows, reader=visit.actor)
    left = await times_left(connection, rows, visit.now)
    return [_line(visit, query, row, left[row.claim_id], last.get(row.claim_id)) for row in rows]


async def _wrong(visit: Visit, given: Sequence[tuple[str, str]], refusal: Invalid) -> Response:
    """The form as it was filled in, and what is wrong with it."""
    fields = _fields(PLAIN, visit.taste.time_zone)
    for name, value in given:
        if isinstance(fields.get(name), list):
            fields[name].append(value)
        elif name in fields:
            fields[name] = value
    told = problem.body(refusal)
    status = HTTPStatus.OK if _is_partial(visit) else told["status"]
    async with visit.backend.pool.connection() as connection:
        around = await _around(connection, visit, PLAIN)
    return visit.page(
        "claims.html",
        status=status,
        problem=told,
        fields=fields,
        lines=[],
        position=0,
        next=None,
        **around,
    )


async def _around(connection: AsyncConnection, visit: Visit, query: ClaimQuery) -> dict[str, Any]:
    """What stands around the lines."""
    views = [*built_in(visit), *await saved(connection, visit.actor)]
    kept = normal(query)
    return {
        "query": query,
        "asked": address(query),
        "kept": kept,
        "views": views,
        "current": next((view for view in views if view.query == kept), None),
        "summary": await summarize(connection, reader=visit.actor, now=visit.now),
        "products": visit.backend.catalogue.products,
        "at": partial(_changed, query.model_copy(update={"after": None})),
        "only": partial(_changed, PLAIN, sort=query.sort),
    }


def _line(
    visit: Visit, query: ClaimQuery, row: ClaimRow, due: TimeLeft | None, last: LastEvent | None
) -> Line:
    return Line(
        str(row.claim_id),
        row,
        ", ".join(map(visit.product_name, row.products)),
        due,
        day_of(due.at, visit.taste) if due else Markup(),
        visit.say(WORDS[last.name]) if last else "",
        happened(last.at, visit.now, visit.taste) if last else Markup(),
        _key(query, row),
    )


def _is_partial(visit: Visit) -> bool:
    """Whether a page that is open asks, to show a part of the answer."""
    return visit.request.headers.get("HX-Request") == "true"


def _is_shown(visit: Visit, query: str) -> bool:
    """Whether the page that asks has this address already: then it is no new place to go back from.

    Who types and presses Enter asks twice.
    """
    current = urlsplit(visit.request.headers.get("HX-Current-URL", ""))
    return (current.path, current.query) == ("/claims", query)


def _at(query: str) -> str:
    return f"/claims?{query}" if query else "/claims"


def _changed(query: ClaimQuery, **changes: Hashable) -> str:
    return _at(address(query, **changes))


def _fields(query: ClaimQuery, zone: ZoneInfo) -> dict[str, Any]:
    """What the form's fields hold."""
    held = query.model_dump(mode="json", exclude={"after", "limit", "due_before"})
    return {name: "" if value is None else value for name, value in held.items()} | {
        DUE_BY: due_by(query, zone)
    }


def _key(query: ClaimQuery, row: ClaimRow) -> str:
    at: datetime | None = getattr(row, query.sort.lstrip("-"))
    if at is None:
        return f"~ {row.claim_id}"
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z {row.claim_id}"
