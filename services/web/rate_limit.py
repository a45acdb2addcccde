"""How often somebody may ask: generous for people and programs, too little to drown the system.

Whoever shows a credential is counted by it, all others by their address; and an address by all
that comes from it, so that inventing credentials gains little. Counted in this process alone.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic
from types import MappingProxyType
from typing import Final, NamedTuple

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.web.caller import HEADER
from services.web.page.route import answered
from services.web.problem import RateLimited
from services.web.session import COOKIE

_UNLIMITED = ("/static/", "/livez", "/readyz", "/metrics")
"""Files, and what watches over the system: that must never be told to come later."""
_ENTRIES = ("/sign-in", "/consent/")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_KNOWN = 10_000
"""How many callers are remembered; who was not seen for longest is forgotten first."""


class Limit(NamedTuple):
    """So many a second for as long as one likes, and some more at once."""

    per_second: float
    at_once: float


class Kind(Enum):
    """What is asked for."""

    ENTRY = "entry"
    """Signing in, and the customer's page: whoever asks is not known yet."""
    UPLOAD = "upload"
    CHANGE = "change"
    READ = "read"


LIMITS: Final[Mapping[Kind, Limit]] = MappingProxyType(
    {
        Kind.ENTRY: Limit(10, 300),
        Kind.UPLOAD: Limit(10, 200),
        Kind.CHANGE: Limit(200, 2000),
        Kind.READ: Limit(200, 2000),
    }
)
"""For one caller."""
OF_ADDRESS: Final = Limit(1000, 10_000)
"""For all callers behind one address."""


class Allowance:
    """What is left for each caller of what a limit allows."""

    def __init__(self, limit: Limit, now: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._now = now
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, who: bytes) -> float:
        """Take one; 0, or the seconds after which there is one to be taken."""
        now = self._now()
        left, at = self._left.pop(who, (self._limit.at_once, now))
        left = min(left + (now - at) * self._limit.per_second, self._limit.at_once)
        wait = max((1 - left) / self._limit.per_second, 0.0)
        self._left[who] = (left if wait else left - 1), now
        if len(self._left) > _MOST_KNOWN:
            self._left.popitem(last=False)
        return wait


class RateLimiter:
    """Refuses whoever asks too often, `scale` times as generous as the limits; 0 for no limits."""

    def __init__(self, app: ASGIApp, *, scale: float) -> None:
        self._app = app
        self._of_address = Allowance(_scaled(OF_ADDRESS, scale)) if scale else None
        self._of_caller = {
            kind: Allowance(_scaled(limit, scale)) for kind, limit in LIMITS.items() if scale
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        wait = self._wait(Request(scope)) if scope["type"] == "http" else 0.0
        if wait:
            await _refusal(Request(scope), wait)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _wait(self, request: Request) -> float:
        if self._of_address is None or request.url.path.startswith(_UNLIMITED):
            return 0.0
        kind, address = _kind(request), _address(request)
        caller = address if kind is Kind.ENTRY else _credential(request) or address
        return self._of_address.take(address) or self._of_caller[kind].take(caller)


def _refusal(request: Request, wait: float) -> Response:
    """It says when to come again."""
    seconds = ceil(wait)
    refusal = RateLimited(f"too many requests; try again in {seconds} s")
    headers = {"Retry-After": str(seconds)}
    return answered(request, refusal, headers)


def _scaled(limit: Limit, scale: float) -> Limit:
    return Limit(limit.per_second * scale, max(limit.at_once * scale, 1))


def _kind(request: Request) -> Kind:
    if request.url.path.startswith(_ENTRIES):
        return Kind.ENTRY
    if request.method in _SAFE:
        return Kind.READ
    is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
    return Kind.UPLOAD if is_form else Kind.CHANGE


def _credential(request: Request) -> bytes | None:
    """What the caller shows to be known by, whether it is good or not."""
    for shown in (
        request.headers.get("authorization"),
        request.headers.get(HEADER),
        request.cookies.get(COOKIE),
    ):
        if shown:
            return blake2b(shown.encode(), digest_size=16).digest()
    return None


def _address(request: Request) -> bytes:
    """Whence it comes; of IPv6 the network, as whoever has one address there has them all."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host.encode()
    return address.packed[:8] if isinstance(address, IPv6Address) else address.packed
