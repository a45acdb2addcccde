"""Views of the claims list: those that everybody has, and those that somebody saved."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from psycopg import AsyncConnection

from domain.actor import Actor
from domain.refusal import FieldError, Invalid, NotFound
from domain.vocabulary import ClockName, Role, Sla, Turn
from projections.query import ClaimQuery
from services.language.translation import N_
from services.web.identifier import Number
from services.web.page.listing import MOMENT, PLAIN, address, read_query
from services.web.page.route import PageRoute
from services.web.page.time_left import end_of_today
from services.web.page.visit import Visit, Visitor

MOST: Final = 30
"""Views that one person may save."""
LONGEST_NAME: Final = 60

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class View(NamedTuple):
    """A view by its name, and the address's query that shows it."""

    name: str
    query: str
    icon: str = "bookmark"
    view_id: int | None = None
    """Of a view that its reader saved."""
    href: str = ""
    """Where it is opened, if not at its query: what it shows depends on the day."""


def built_in(visit: Visit) -> Sequence[View]:
    """The views that everybody in the visitor's role has; their names are to be translated."""
    turn = Turn.REVIEWER if visit.actor.role is Role.REVIEWER else Turn.PARTNER
    answer = View(N_("Needs my answer"), address(PLAIN, whose_turn=(turn,)), "reply")
    is_asked = visit.actor.is_partner or turn is Turn.REVIEWER
    return [
        View(N_("All"), "", "list-ul"),
        *([answer] if is_asked else []),
        View(N_("Due today"), _due_today(visit), "calendar-check", href="/views/due-today"),
        View(N_("Overdue"), address(PLAIN, sla=Sla.MISSED), "exclamation-triangle"),
        View(
            N_("In consent period"), address(PLAIN, clock=(ClockName.CONSENT,)), "hourglass-split"
        ),
        View(
            N_("Rejected, still disputable"),
            address(PLAIN, clock=(ClockName.DISPUTE_WINDOW,)),
            "flag",
        ),
    ]


async def saved(connection: AsyncConnection, owner: Actor) -> Sequence[View]:
    """The views that a person saved, by name."""
    rows = await connection.execute(_SAVED, _owner(owner))
    return [View(name, query, view_id=view_id) for name, query, view_id in await rows.fetchall()]


def normal(query: ClaimQuery) -> str:
    """What a view keeps of a query: all but the page."""
    return address(query, after=None, limit=PLAIN.limit)


@router.get("/views/due-today")
async def show_due_today(visit: Visitor) -> Response:
    """Lead to what is due today and not overdue yet."""
    return RedirectResponse(f"/claims?{_due_today(visit)}", HTTPStatus.SEE_OTHER)


@router.post("/views")
async def save(
    visit: Visitor, name: Annotated[str, Form()], query: Annotated[str, Form()] = ""
) -> Response:
    """Save a view, in place of one of that name, and show it."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid([FieldError("/name", f"must be 1 to {LONGEST_NAME} characters")])
    asked = normal(read_query(parse_qsl(query), visit.taste.time_zone))
    async with visit.backend.pool.connection() as connection, connection.transaction():
        owner = _owner(visit.actor)
        await connection.execute(_LOCK, owner)
        rows = await connection.execute(_SAVE, owner | {"name": name, "query": asked, "most": MOST})
        if await rows.fetchone() is None:
            raise Invalid(
                [FieldError("/name", f"would be one view more than the {MOST} that can be kept")]
            )
    return RedirectResponse(f"/claims?{asked}", HTTPStatus.SEE_OTHER)


@router.post("/views/{view_id}/delete")
async def delete(visit: Visitor, view_id: Number) -> Response:
    """Forget a view of the visitor's."""
    async with visit.backend.pool.connection() as connection:
        rows = await connection.execute(_DELETE, _owner(visit.actor) | {"view_id": view_id})
        if await rows.fetchone() is None:
            raise NotFound("there is no such view")
    return RedirectResponse("/claims", HTTPStatus.SEE_OTHER)


def _due_today(visit: Visit) -> str:
    ends_at = end_of_today(visit.taste, visit.backend.policy, visit.now)
    return address(PLAIN, sla=Sla.DUE_SOON, due_before=ends_at + MOMENT)


def _owner(actor: Actor) -> dict[str, object]:
    return {"role": actor.role, "org": actor.org or "", "actor_id": actor.id}


_SAVED: Final = """
SELECT name, query, view_id FROM cpor.saved_views
WHERE role = %(role)s AND org = %(org)s AND actor_id = %(actor_id)s ORDER BY name
"""
_LOCK: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(
    concat_ws(' ', 'saved views', %(role)s::text, %(org)s::text, %(actor_id)s::text), 0
))
"""
_SAVE: Final = """
INSERT INTO cpor.saved_views (role, org, actor_id, name, query)
SELECT %(role)s, %(org)s, %(actor_id)s, %(name)s, %(query)s
WHERE %(most)s > (
    SELECT count(*) FROM cpor.saved_views
    WHERE role = %(role)s AND org = %(org)s AND actor_id = %(actor_id)s AND name <> %(name)s
)
ON CONFLICT (role, org, actor_id, name) DO UPDATE SET query = excluded.query
RETURNING view_id
"""
_DELETE: Final = """
DELETE FROM cpor.saved_views
WHERE view_id = %(view_id)s AND role = %(role)s AND org = %(org)s AND actor_id = %(actor_id)s
RETURNING view_id
"""
