"""The customer's page: who claims what, and how to decline, by a link and without an account.

Looking changes nothing (R27). Declining takes two steps: the page's form leads to a second page,
and only that one's form declines. So nobody declines by opening or sending what the first page
holds, as programs do that examine links in mails; who has the link may take both steps anyway, so
that the second one needs no secret of its own.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from domain.access import CUSTOMERS_ID
from domain.actor import Actor
from domain.command import DeclineConsent
from domain.refusal import NotAllowed, NotFound, TooLate
from domain.vocabulary import Role
from services.web.command import deliver
from services.web.identifier import ClaimId
from services.web.page import consent_case
from services.web.page.consent_case import Answer, Case
from services.web.page.link import QUIET, Reader
from services.web.page.route import PageRoute
from services.web.page.visit import Guest, Visitor
from services.web.problem import OutcomeUnknown, Unavailable

CUSTOMER: Final = Actor(role=Role.CUSTOMER, id="consent-link")
"""Who declines: whoever has the link."""
CONFIRM: Final = "confirm"
BACK: Final = "back"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.api_route("/consent/{token:path}", methods=["GET", "HEAD"])
async def show(reader: Reader, token: str) -> Response:
    """What the link is about, or what was recorded."""
    return _page(reader, await _find(reader, token))


@router.post("/consent/{token:path}")
async def decline(
    reader: Reader,
    token: str,
    reason: Annotated[str, Form()] = "",
    step: Annotated[str, Form()] = "",
) -> Response:
    """Ask once more; decline when that was confirmed (R8). Whoever goes back keeps the reason."""
    case = await _find(reader, token)
    if case is None or case.answer is not Answer.OPEN:
        return _page(reader, case, is_late=case is not None and case.answer is Answer.SILENT)
    reason = reason.replace("\r\n", "\n")
    if not _is_takeable(reason):
        return _page(reader, case, reason=reason, is_wrong=True)
    if step == BACK:
        return _page(reader, case, reason=reason)
    if step != CONFIRM:
        return _quiet(reader, "consent_confirm.html", case=case, reason=reason, is_unsure=False)
    try:
        problem = await _decline(reader, case, reason)
    except (Unavailable, OutcomeUnknown):
        return _quiet(
            reader,
            "consent_confirm.html",
            HTTPStatus.SERVICE_UNAVAILABLE,
            case=case,
            reason=reason,
            is_unsure=True,
        )
    if problem is None:
        language = urlencode({"language": reader.taste.language})
        return RedirectResponse(f"/consent/{token}?{language}", HTTPStatus.SEE_OTHER)
    is_late = problem["type"].endswith(f"/{TooLate.code}")
    if is_late:
        case = replace(case, answer=Answer.SILENT, answered_at=case.due_at)
    else:
        case = await _find(reader, token)
    return _page(reader, case, is_late=is_late)


@router.get("/consent-link/{claim_id}")
async def open_as_customer(visit: Visitor, claim_id: ClaimId) -> Response:
    """Lead an operator to the customer's page, in the mode `dev` only: nobody else has the link."""
    if visit.actor.role is not Role.OPERATOR or visit.backend.settings.auth != "dev":
        raise NotAllowed("only the customer has this link", rule="R25")
    async with visit.backend.pool.connection() as connection:
        token = await consent_case.token_for(connection, claim_id)
    if token is None:
        raise NotFound("there is no approval that a customer was told about")
    return RedirectResponse(f"/consent/{token}", HTTPStatus.SEE_OTHER)


async def _find(reader: Guest, token: str) -> Case | None:
    async with reader.backend.pool.connection() as connection:
        return await consent_case.find(connection, token, reader.now)


async def _decline(reader: Guest, case: Case, reason: str) -> dict[str, Any] | None:
    """Send the command; None once it is recorded, else the problem that it met.

    However often it is sent, for one approval it is one command.
    """
    outcome = await deliver(
        reader.backend,
        claim_id=case.link.claim_id,
        command=DeclineConsent.NAME,
        command_id=f"{CUSTOMERS_ID}{case.link.version}",
        data={"reason": reason} if reason else {},
        actor=CUSTOMER,
    )
    problem: dict[str, Any] | None = outcome.get("problem")
    return problem


def _is_takeable(reason: str) -> bool:
    try:
        DeclineConsent(reason=reason)
    except ValidationError:
        return False
    return True


def _page(
    reader: Guest,
    case: Case | None,
    *,
    is_late: bool = False,
    is_wrong: bool = False,
    reason: str = "",
) -> Response:
    """The page for how things stand; the same one for every link that is about nothing."""
    if case is None:
        return _quiet(reader, "consent_dead.html", HTTPStatus.NOT_FOUND)
    if case.answer is Answer.OPEN:
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK
        return _quiet(reader, "consent.html", status, case=case, reason=reason, is_wrong=is_wrong)
    status = HTTPStatus.CONFLICT if is_late else HTTPStatus.OK
    return _quiet(reader, "consent_record.html", status, case=case, is_late=is_late)


def _quiet(
    reader: Guest,
    template: str,
    status: int = HTTPStatus.OK,
    **context: Any,  # noqa: ANN401 - what a template shows
) -> Response:
    """A page that search engines leave out."""
    return reader.page(template, status=status, headers=QUIET, **context)
