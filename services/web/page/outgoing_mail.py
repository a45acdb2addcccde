"""Mails that wait or were parked, for operators."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from services.language import word
from services.notifier import oversight
from services.web.identifier import Number
from services.web.page.operations import Operator
from services.web.page.route import PageRoute

_PAGE: Final = 50

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/operations/mails")


@router.get("")
async def show(
    visit: Operator,
    before: Number | None = None,
    again: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """How many wait, and those that the mail server has refused for good, the last one first."""
    async with visit.backend.pool.connection() as connection:
        standing = await oversight.standing(connection)
        parked = await oversight.notices(connection, "parked", before=before, limit=_PAGE + 1)
    return visit.page(
        "outgoing_mails.html",
        standing=standing,
        parked=parked[:_PAGE],
        older=parked[_PAGE - 1].notice_id if len(parked) > _PAGE else None,
        again=again,
        NOTICE=word.NOTICE,
    )


@router.post("/again")
async def send_all_again(visit: Operator) -> Response:
    """Let all that are parked be sent again."""
    return await _again(visit, None)


@router.post("/{notice_id}/again")
async def send_again(visit: Operator, notice_id: Number) -> Response:
    """Let one be sent again; one that is not parked any more stays as it is."""
    return await _again(visit, notice_id)


async def _again(visit: Operator, notice_id: int | None) -> Response:
    async with visit.backend.pool.connection() as connection:
        again = await oversight.send_again(connection, notice_id)
    return RedirectResponse(f"/operations/mails?again={again}", HTTPStatus.SEE_OTHER)
