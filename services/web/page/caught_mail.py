"""The mails that the development mailbox has caught: for people, and as JSON for machines."""

from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default
from enum import StrEnum
from typing import Annotated, Any, Final, LiteralString, NamedTuple

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from psycopg import AsyncConnection
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.refusal import NotFound
from services.web.identifier import Number
from services.web.page.route import PageRoute
from services.web.page.visit import POLICY, AnyGuest, Guest
from services.web.schema import problems

LIMIT: Final = 500
"""Mails of one answer, at most."""
_PAGE: Final = 50
"""Mails of one page."""

_LIST: Final = """
SELECT mail_id, received_at, recipients, message FROM cpor.mailbox
WHERE mail_id < coalesce(%s, 9223372036854775807) ORDER BY mail_id DESC LIMIT %s
"""
_ONE: Final = (
    "SELECT mail_id, received_at, recipients, message FROM cpor.mailbox WHERE mail_id = %s"
)
_FRAMED: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    " style-src 'unsafe-inline'; frame-ancestors 'self'"
)
"""Of a mail's HTML within the page: its style stands in it, it runs nothing and loads nothing."""

router = APIRouter()
pages = APIRouter(route_class=PageRoute, include_in_schema=False)


class As(StrEnum):
    """How a mail may be looked at."""

    HTML = "html"
    TEXT = "text"
    SOURCE = "source"


class CaughtMail(BaseModel):
    """A mail that the mailbox has caught."""

    id: int
    to: str
    subject: str
    text: str
    html: str
    received_at: AwareDatetime


class CaughtMails(BaseModel):
    """The mails, the last one first."""

    items: list[CaughtMail]


class _Kept(NamedTuple):
    """A mail as it came."""

    mail_id: int
    received_at: datetime
    recipients: list[str]
    source: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.source, EmailMessage, policy=default)

    @property
    def mail(self) -> CaughtMail:
        parsed = self.parsed
        return CaughtMail(
            id=self.mail_id,
            to=", ".join(self.recipients),
            subject=_header(parsed, "Subject"),
            text=_part(parsed, "plain"),
            html=_part(parsed, "html"),
            received_at=self.received_at,
        )


def _in_development(guest: AnyGuest) -> Guest:
    """The guest. Raises NotFound where people sign in, and where mails go to a real server."""
    settings = guest.backend.settings
    if settings.auth != "dev" or not settings.mailbox:
        raise NotFound("there is no development mailbox here")
    return guest


Developer = Annotated[Guest, Depends(_in_development)]


class MailQuery(BaseModel):
    """Which of the mails."""

    model_config = ConfigDict(extra="forbid")

    before: Number | None = None
    """The id of a mail: those that came before it."""
    limit: Annotated[int, Field(ge=1, le=LIMIT)] = LIMIT


@router.get(
    "/dev/mail",
    summary="Mails that were caught",
    operation_id="list_mails",
    tags=["development"],
    response_model=CaughtMails,
    responses={200: {"content": {"text/html": {}}}, **problems(404, 422, 503)},
)
async def show_all(guest: Developer, query: Annotated[MailQuery, Query()]) -> Response:
    """What the embedded mailbox has caught, the last one first: in development only.

    JSON for who accepts `application/json`, else a page. `before` is the id of a mail: those that
    came before it.
    """
    if _wants_json(guest):
        mails = await _mails(guest, query.before, query.limit)
        return JSONResponse({"items": [each.mail.model_dump(mode="json") for each in mails]})
    mails = await _mails(guest, query.before, _PAGE + 1)
    return guest.page(
        "caught_mails.html",
        mails=[each.mail for each in mails[:_PAGE]],
        older=mails[_PAGE - 1].mail_id if len(mails) > _PAGE else None,
    )


@pages.get("/dev/mail/{mail_id}")
async def show(
    guest: Developer, mail_id: Number, view: Annotated[As, Query()] = As.HTML
) -> Response:
    """One mail. Raises NotFound for one that was never there, or is not any more."""
    kept = await _kept(guest, mail_id)
    return guest.page(
        "caught_mail.html",
        headers={"Content-Security-Policy": f"{POLICY}; frame-src 'self'"},
        mail=kept.mail,
        sender=_header(kept.parsed, "From"),
        source=kept.source.decode("utf-8", "replace"),
        view=view,
    )


@pages.get("/dev/mail/{mail_id}/html")
async def show_html(guest: Developer, mail_id: Number) -> Response:
    """A mail's HTML by itself, for the frame that it is shown in; its links open beside it."""
    html = (await _kept(guest, mail_id)).mail.html
    headers = {"Content-Security-Policy": _FRAMED, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(html.replace("<head>", '<head><base target="_blank">', 1), headers=headers)


router.include_router(pages)


async def _mails(guest: Guest, before: int | None, limit: int) -> list[_Kept]:
    async with guest.backend.pool.connection() as connection:
        return await _read(connection, _LIST, [before, limit])


async def _kept(guest: Guest, mail_id: int) -> _Kept:
    async with guest.backend.pool.connection() as connection:
        found = await _read(connection, _ONE, [mail_id])
    if not found:
        raise NotFound("there is no such mail")
    return found[0]


async def _read(connection: AsyncConnection, query: LiteralString, given: list[Any]) -> list[_Kept]:
    return [_Kept(*row) for row in await (await connection.execute(query, given)).fetchall()]


def _header(mail: EmailMessage, name: str) -> str:
    """A header as people read it; as it stands in the mail where that can't be told.

    The library's parser fails in many ways, some of which are defects of its own.
    """
    try:
        return str(mail[name] or "")
    except Exception:  # noqa: BLE001 - whatever it is, the mail is shown
        raw = next(each for key, each in mail.raw_items() if key.lower() == name.lower())
        return str(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _part(mail: EmailMessage, kind: str) -> str:
    """The text of that kind; as far as it can be read where the mail is not made as it says."""
    part: MIMEPart = mail
    try:
        body = mail.get_body((kind,))
        if body is None:
            return ""
        part = body
        return str(part.get_content())
    except Exception:  # noqa: BLE001 - as above; and there are charsets that nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _wants_json(guest: Guest) -> bool:
    accepted = guest.request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted
