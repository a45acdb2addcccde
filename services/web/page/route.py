"""Routes of pages: what goes wrong in them is told by a page, too."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import nats.errors
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from domain.refusal import Invalid, Refusal
from services.web import problem
from services.web.page.attempt import written
from services.web.page.form import kept
from services.web.page.taste import taste_of
from services.web.page.visit import Guest, SignInNeeded, as_guest
from services.web.problem import Unauthenticated

_UNREACHABLE = (
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    nats.errors.Error,
)

_log = structlog.get_logger(__name__)


class PageRoute(APIRoute):
    """A route whose refusals are pages, and that leads to the sign-in who is not signed in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with what it raises turned into pages."""
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeeded:
                return await _to_sign_in(request)
            except Refusal as refusal:
                return refused(request, refusal)
            except RequestValidationError as error:
                return refused(request, Invalid(list(problem.field_errors(error))))
            except _UNREACHABLE as error:
                _log.warning("server_unavailable", error=str(error) or type(error).__name__)
                return refused(request, problem.Unavailable("a server of ours can't be reached"))

        return handle_as_page


async def _to_sign_in(request: Request) -> Response:
    """Back to this page afterwards, if it can be looked at again; who wrote something sees it."""
    if request.headers.get("HX-Request") == "true":
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        return Response(status_code=204, headers={"HX-Redirect": _sign_in(page.path, page.query)})
    if request.method == "GET":
        return RedirectResponse(_sign_in(request.url.path, request.url.query), 303)
    if words := await _written(request):
        nobody: Unauthenticated = request.app.state.identification.nobody()
        return _guest(request).page(
            "session_ended.html",
            status=401,
            headers={"WWW-Authenticate": nobody.challenge},
            words=words,
        )
    return RedirectResponse("/sign-in", 303)


async def _written(request: Request) -> list[str]:
    """What was written in a form; files are not looked through for it."""
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type != "application/x-www-form-urlencoded":
        return []
    return written(kept(await request.form()))


def _sign_in(path: str, query: str) -> str:
    """The address of the sign-in that leads to this page."""
    to = f"{path}?{query}" if query else path
    return f"/sign-in?{urlencode({'to': to})}" if to else "/sign-in"


def register(app: FastAPI) -> None:
    """Let what the framework refuses by itself be told by a page to who reads pages."""

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        if _wants_page(request):
            with suppress(*_UNREACHABLE):  # the page says as much without the visitor's places
                await as_guest(request, request.app.state.backend)
        return answered(request, problem.refusal_of(request, error), error.headers)


def answered(
    request: Request, refusal: Refusal, headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal as a page for who reads pages, as a problem for programs."""
    if _wants_page(request):
        return refused(request, refusal, headers)
    return problem.respond(refusal, headers)


def _wants_page(request: Request) -> bool:
    is_reader = "text/html" in request.headers.get("accept", "")
    return is_reader and not request.url.path.startswith("/api/")


def refused(
    request: Request, refusal: Refusal, headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal as a page."""
    told = problem.body(refusal)
    return _guest(request).page(
        "problem.html", status=told["status"], headers=headers, problem=told, code=refusal.code
    )


def _guest(request: Request) -> Guest:
    """Whoever it is: with the visitor's places where it is known who they are, not looked for."""
    backend = request.app.state.backend
    person = getattr(request.state, "person", None)
    taste = taste_of(request, backend.settings)
    return Guest(request, backend, person, taste, backend.clock.now())
