"""The page of a claim's history: how it came to stand as it does, and how it stood before."""

import json
from enum import StrEnum
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from domain.refusal import NotFound
from projections.history import history
from services.claim_record import contacts_of, events_of
from services.web.claim import readable_row
from services.web.identifier import ClaimId
from services.web.page.fact import actor_name
from services.web.page.route import PageRoute
from services.web.page.story import as_it_was, facts_at, lives, story
from services.web.page.visit import Visitor
from services.web.view import History

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class As(StrEnum):
    """How a history may be looked at."""

    STORY = "story"
    EVENTS = "events"
    JSON = "json"


@router.get("/claims/{claim_id}/history")
async def show(
    visit: Visitor,
    claim_id: ClaimId,
    view: Annotated[As, Query()] = As.STORY,
    version: Annotated[int | None, Query(ge=1)] = None,
    download: Annotated[bool, Query()] = False,  # noqa: FBT002 - a parameter of an address
) -> Response:
    """Every change, comment and action that the visitor may see, and the claim at a version.

    Raises NotFound for a claim that may not be known of, and for a version that it has not come to.
    """
    async with visit.backend.pool.connection() as connection:
        await readable_row(connection, claim_id, visit.actor)
        events = await events_of(connection, claim_id)
        rows = list(lives(events))
        contacts = await contacts_of(connection, rows)
    as_answered = History.of(history(events, reader=visit.actor)).model_dump_json(indent=2)
    if download:
        return _attachment(as_answered, f"claim-{claim_id}-history.json")
    chosen = version or len(rows)
    if chosen > len(rows):
        raise NotFound(f"the claim has come to version {len(rows)} only")
    now = facts_at(visit, rows[-1], contacts)
    return visit.page(
        "history.html",
        claim=rows[-1],
        then=rows[chosen - 1],
        facts=as_it_was(facts_at(visit, rows[chosen - 1], contacts), now),
        steps=story(visit, events, rows, contacts),
        view=view,
        as_answered=as_answered,
        called=partial(actor_name, visit),
        readable=partial(json.dumps, indent=2, ensure_ascii=False),
    )


def _attachment(content: str, filename: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(content, media_type="application/json", headers=headers)
