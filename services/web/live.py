"""`GET /live`: what becomes visible on the board, told to open pages (server-sent events).

Events are `claim` (`data`: its id) and `refresh`, when there is too much to be told one by one.
Their `id` is the board's position: who comes back with it, or with `since`, hears what came
meanwhile.
"""

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Annotated, Final

import psycopg
import structlog
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from psycopg_pool import PoolTimeout

from domain.actor import Actor
from services.web import session
from services.web.audience import Live
from services.web.backend import Backend, Served
from services.web.problem import Unauthenticated

ALIVE: Final = 15.0
"""Seconds between signs of life, and between two looks at whether the session still lasts."""

_log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)


@router.get("/live")
async def follow(
    request: Request,
    backend: Served,
    since: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> Response:
    """What changes on the board, as long as the session lasts.

    Raises Unauthenticated, TooManyPages and Unavailable.
    """
    person = await session.find(backend, request)
    if person is None:
        raise Unauthenticated("only for pages of people who are signed in")
    live: Live = request.app.state.live
    live.require_room(person.actor)
    position = last_event_id if last_event_id is not None else since
    return StreamingResponse(
        _stream(live, backend, request, person.actor, position),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


async def _stream(
    live: Live, backend: Backend, request: Request, reader: Actor, since: int | None
) -> AsyncGenerator[str]:
    """The events of one page; ends with its session, and with the process."""
    with live.page(reader, since or 0) as page:
        yield "retry: 2000\n\n"
        try:
            if since is not None:
                await live.catch_up(page, since)
            checked_at = monotonic()
            while not live.has_ended:
                yield await page.take(max(0.0, checked_at + ALIVE - monotonic()))
                if monotonic() >= checked_at + ALIVE:
                    person = await session.find(backend, request)
                    if person is None or person.actor != reader:
                        return
                    checked_at = monotonic()
        except (
            psycopg.Error,
            PoolTimeout,
        ) as error:  # the page comes back, and hears what it missed
            _log.warning("live_page_ended", error=str(error) or type(error).__name__)
