"""Operations: how every part is, the simulated clock, rebuilds, and messages that were given up."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlencode

from babel.numbers import format_decimal
from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response
from nats.errors import Error as NatsError

from domain.access import require_operator
from domain.refusal import FieldError, Invalid, NotFound, Refusal
from projections import position
from projections.registry import PROJECTIONS
from services import dead_letter
from services.dead_letter import DeadLetter, DeadLetterError, NoSuchLetterError
from services.health import State
from services.language.translation import N_
from services.language.word import Look
from services.notifier import oversight
from services.rebuild import Phase, being_rebuilt
from services.web import problem
from services.web.backend import Backend
from services.web.clock import Movement, move_by, simulated_clock
from services.web.identifier import Number
from services.web.page.file import size
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor
from services.web.problem import Unavailable
from services.web.readiness import Component, survey
from services.web.rebuilding import Rebuild
from services.web.reference import VERSION
from services.web.stream_size import StreamSizes, stream_sizes

STATE: Final[Mapping[State, Look]] = MappingProxyType(
    {
        State.RUNNING: Look(N_("Running"), "good", "check-circle"),
        State.STANDBY: Look(N_("Standing by"), "info", "hourglass-split"),
        State.STARTING: Look(N_("Starting"), "busy", "arrow-repeat"),
        State.FAILING: Look(N_("Failing"), "bad", "exclamation-triangle"),
        State.ABSENT: Look(N_("Away"), "bad", "x-octagon"),
    }
)
PHASE: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.FOLDING: N_("Folding the events"),
        Phase.INDEXING: N_("Making the indexes"),
        Phase.CATCHING_UP: N_("Catching up"),
        Phase.DONE: N_("Done"),
    }
)
NEWEST: Final = 5
"""Dead letters on the first page."""
A_PAGE: Final = 50
"""Dead letters on a page of their own."""
AT_ONCE: Final = 500
"""Dead letters that are sent again by one request, at most."""
LONGEST_PAYLOAD: Final = 20_000
"""Characters of a payload that are shown."""

_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {"hours": "PT%dH", "days": "P%dD", "weeks": "P%dW"}
)
_LONGEST_STEP: Final = 10_000


class Rebuilding(NamedTuple):
    """What is known of a projection's rebuilds."""

    latest: Rebuild | None
    """Started here last; it may have ended."""
    elsewhere: bool
    """Somebody rebuilds it now who is not this process."""

    @property
    def runs(self) -> bool:
        """Whether it is being rebuilt, wherever that was started."""
        return self.elsewhere or (self.latest is not None and self.latest.runs)


async def _operator(visit: Visitor) -> Visit:
    require_operator(visit.actor)
    return visit


Operator = Annotated[Visit, Depends(_operator)]

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/operations")


@router.get("")
async def show(
    visit: Operator,
    sent: Annotated[int | None, Query(ge=0)] = None,
    stayed: Annotated[int, Query(ge=0)] = 0,
    passed: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """How everything is; what the visitor has just done is told above it."""
    return await _page(visit, sent=sent, stayed=stayed, passed=passed)


@router.get("/now")
async def refresh(visit: Operator) -> Response:
    """The part of the page that changes by itself."""
    return visit.page("operations_now.html", **await _state(visit))


@router.post("/rebuild")
async def rebuild(visit: Operator, projection: Annotated[str, Form()]) -> Response:
    """Begin to rebuild a projection; what is being rebuilt already goes on."""
    if projection not in PROJECTIONS:
        raise Invalid([FieldError("/projection", f"must be one of {', '.join(PROJECTIONS)}")])
    backend = visit.backend
    try:
        backend.rebuilds.start(projection, backend.settings.database_url)
    except Refusal as refusal:
        return await _page(visit, refusal)
    return _back_to("/operations#projections")


@router.post("/clock")
async def move_clock(
    visit: Operator,
    amount: Annotated[int, Form(ge=1, le=_LONGEST_STEP)],
    unit: Annotated[str, Form()],
) -> Response:
    """Move the simulated clock forward; answers when everything that came due has happened."""
    clock = simulated_clock(visit.backend, visit.actor)
    if unit not in _UNITS:
        raise Invalid([FieldError("/unit", f"must be one of {', '.join(_UNITS)}")])
    movement = Movement.model_validate({"advance": _UNITS[unit] % amount})
    try:
        moved = await move_by(visit.backend, clock, movement)
    except Refusal as refusal:
        return await _page(visit, refusal)
    return _back_to("/operations", passed=moved.passed)


@router.get("/dead-letters")
async def list_letters(
    visit: Operator, before: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """The messages that were given up, the newest first."""
    letters = await _newest(visit.backend, before=before, limit=A_PAGE + 1)
    more = letters[A_PAGE - 1].number if len(letters) > A_PAGE else None
    return visit.page("dead_letters.html", letters=letters[:A_PAGE], more=more)


@router.get("/dead-letters/{number}")
async def show_letter(visit: Operator, number: Number) -> Response:
    """One of them with its payload."""
    try:
        letter = await dead_letter.read(visit.backend.broker.connection, number)
    except NoSuchLetterError as error:
        raise NotFound(str(error)) from error
    except DeadLetterError as error:
        raise Unavailable(str(error)) from error
    payload = _readable(letter.data)
    return visit.page(
        "dead_letter.html",
        letter=letter,
        payload=payload[:LONGEST_PAYLOAD],
        is_cut=len(payload) > LONGEST_PAYLOAD,
        size=partial(size, taste=visit.taste),
    )


@router.post("/dead-letters/{number}/requeue")
async def requeue(visit: Operator, number: Number) -> Response:
    """Send one to its subject again; one that is gone was sent before."""
    try:
        await dead_letter.requeue(visit.backend.broker.connection, number)
    except NoSuchLetterError:
        return _back_to("/operations", sent=0)
    except DeadLetterError as error:
        return await _page(visit, Unavailable(str(error)))
    return _back_to("/operations", sent=1)


@router.get("/requeue")
async def ask_to_requeue_all(visit: Operator) -> Response:
    """The second step: which ones would be sent."""
    letters = await _newest(visit.backend, limit=1)
    sizes = await _sizes(visit.backend)
    return visit.page(
        "dead_letters_requeue.html",
        newest=letters[0] if letters else None,
        count=sizes.streams["CPOR_DEAD_LETTERS"].messages if sizes else 0,
        at_once=AT_ONCE,
    )


@router.post("/requeue")
async def requeue_all(visit: Operator, up_to: Annotated[int, Form(ge=1)]) -> Response:
    """Send all that the second step was shown for."""
    nats = visit.backend.broker.connection
    try:
        done = await dead_letter.requeue_all(nats, up_to=up_to, limit=AT_ONCE)
    except DeadLetterError as error:
        return await _page(visit, Unavailable(str(error)))
    return _back_to("/operations", sent=done.sent, stayed=done.stayed)


async def _page(visit: Visit, refusal: Refusal | None = None, **done: int | None) -> Response:
    """The page, with what was refused, or what has just been done."""
    told = problem.body(refusal) if refusal else None
    context: dict[str, Any] = {"sent": None, "stayed": 0, "passed": None, **done}
    return visit.page(
        "operations.html",
        status=told["status"] if told else HTTPStatus.OK,
        problem=told,
        **context,
        **await _state(visit),
    )


async def _state(visit: Visit) -> dict[str, Any]:
    """What the part of the page shows that changes by itself."""
    backend = visit.backend
    readiness = await survey(backend)
    groups: dict[str, dict[str, Component]] = {"projection": {}, "stream": {}, "consumer": {}}
    services: dict[str, Component] = {}
    for name, component in readiness.components.items():
        kind, _, own = name.partition(" ")
        groups.get(kind, services)[own if kind in groups else name] = component
    last, positions, rebuilds = await _projections(backend)
    async with backend.pool.connection() as connection:
        mails = await oversight.standing(connection)
    try:
        letters: Sequence[DeadLetter] | None = await _newest(backend, limit=NEWEST)
    except (Unavailable, NatsError, TimeoutError):
        letters = None
    return {
        "ready": readiness.ready,
        "services": services,
        "streams": groups["stream"],
        "consumers": groups["consumer"],
        "projections": groups["projection"],
        "positions": positions,
        "last_position": last,
        "rebuilds": rebuilds,
        "sizes": await _sizes(backend),
        "letters": letters,
        "mails": mails,
        "version": VERSION,
        "policy": backend.policy.name,
        "STATE": STATE,
        "PHASE": PHASE,
        "number": partial(format_decimal, locale=visit.taste.language.value),
        "size": partial(size, taste=visit.taste),
    }


async def _projections(
    backend: Backend,
) -> tuple[int, Mapping[str, int], Mapping[str, Rebuilding]]:
    """The log's last position, each projection's own, and how their rebuilds get on."""
    async with backend.pool.connection() as connection:
        positions = await position.all_reached(connection)
        last = await position.recorded(connection)
        locked = await being_rebuilt(connection)
    rebuilds: dict[str, Rebuilding] = {}
    for name in PROJECTIONS:
        latest = backend.rebuilds.latest(name)
        runs_here = latest is not None and latest.runs
        rebuilds[name] = Rebuilding(latest, name in locked and not runs_here)
    return last, positions, rebuilds


async def _sizes(backend: Backend) -> StreamSizes | None:
    """How much the streams hold, if they can be asked."""
    try:
        return await stream_sizes(backend)
    except (Unavailable, NatsError, TimeoutError):
        return None


async def _newest(
    backend: Backend, *, before: int | None = None, limit: int
) -> Sequence[DeadLetter]:
    """The newest dead letters. Raises Unavailable."""
    try:
        return await dead_letter.newest(backend.broker.connection, before=before, limit=limit)
    except DeadLetterError as error:
        raise Unavailable(str(error)) from error


def _readable(data: bytes) -> str:
    """A payload as people read it: JSON is indented, anything else stands as it came."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return dead_letter.visible(data)
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return dead_letter.visible(text.encode(errors="backslashreplace"))


def _back_to(path: str, **done: int) -> Response:
    """Lead back to a page, which tells what was done."""
    address = f"{path}?{urlencode(done)}" if done else path
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
