"""What every request passes before anything looks at it, and what every response carries."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.refusal import NotAllowed, Refusal, TooLarge
from services.web.page.route import answered
from services.web.problem import Failed, WrongHost

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""On every response that does not set them itself."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_log = structlog.get_logger(__name__)


class Guard:
    """Refuses foreign hosts, cross-site requests and large bodies; lets no error out unanswered.

    `hosts` are the names under which the system may be called, empty for any. `max_body_bytes`
    holds for every path but those that match a pattern of `max_body_bytes_at`: who reads a body
    there learns that it is too large, and can say so in the way of the place.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        max_body_bytes: int,
        max_body_bytes_at: Mapping[re.Pattern[str], int],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._max_body_bytes = max_body_bytes
        self._max_body_bytes_at = max_body_bytes_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        own_limit = self._own_limit(scope["path"])
        limit = self._max_body_bytes if own_limit is None else own_limit
        announced = _announced(headers)
        refusal = self._refusal(scope, headers)
        if refusal is None and own_limit is None and announced > limit:
            refusal = _too_large(limit)
        if refusal is not None:
            await answered(Request(scope), refusal)(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, _limited(receive, limit, announced), send_guarded)
        except Exception:
            _log.exception("request_failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            failure = Failed("the request could not be served; the fault is logged")
            await answered(Request(scope), failure)(scope, receive, send_guarded)

    def _own_limit(self, path: str) -> int | None:
        limits = self._max_body_bytes_at.items()
        return next((limit for place, limit in limits if place.fullmatch(path)), None)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host = _host(headers)
        if self._hosts and host not in self._hosts:
            return WrongHost(f"this is not {host or 'a host without a name'}")
        if scope["method"] not in _SAFE and _is_cross_site(headers):
            return NotAllowed("the request comes from another site's page")
        return None


def _host(headers: Headers) -> str | None:
    """The name, without port, under which we were called."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def _is_cross_site(headers: Headers) -> bool:
    """Whether a browser sent this on behalf of another site; who is no browser says nothing."""
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _announced(headers: Headers) -> int:
    """How many bytes the body is said to have."""
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _limited(receive: Receive, limit: int, announced: int) -> Receive:
    """Receive until there is more of the body than the limit allows, or not even begin."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        if announced > limit:
            raise _too_large(limit)
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return receive_limited


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body has more than {limit} bytes")
