"""`POST /dev/clock`: moving the simulated clock, in development."""

import asyncio
import re
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Request
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from domain.access import require_operator
from domain.actor import Actor
from domain.command import Instant
from domain.refusal import FieldError, Invalid, NotFound, Refusal
from services import clock_mover
from services.backoff import Backoff
from services.clock import SimulatedClock
from services.clock_mover import BackwardsError, ClockMover
from services.health import State
from services.web.backend import Backend, Served
from services.web.body import read_as
from services.web.caller import Caller
from services.web.problem import Unavailable
from services.web.readiness import survey
from services.web.schema import problems

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""How far the clock can be moved: calendars know no holidays far ahead."""
GIVE_UP_AFTER = 10.0
"""Seconds for which a part that a move waits for may be away; its supervisor starts it again."""
_GLANCE = 0.5
"""Seconds between two looks at whether all parts run."""

_DURATION = re.compile(r"P(?=.)(\d+W|(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)")

router = APIRouter(tags=["development"])


class Backwards(Refusal):
    """Time does not run backwards."""

    code = "not_possible"


def _is_duration(text: object) -> object:
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError("must be an ISO 8601 duration of weeks, or of days and time: P1DT2H")
    return text


Duration = Annotated[
    timedelta,
    BeforeValidator(_is_duration),
    WithJsonSchema({"type": "string", "format": "duration", "examples": ["P5D", "PT6H"]}),
]


class Movement(BaseModel):
    """By how much, or to which instant, the clock is moved: one of the two."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"advance": "P5D"}]})

    advance: Annotated[
        Duration | None, Field(description="ISO 8601, without years and months.")
    ] = None
    set: Annotated[
        Instant | None, Field(description="An instant with its offset, before the year 2100.")
    ] = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Movement":
        if (self.advance is None) == (self.set is None) or len(self.model_fields_set) > 1:
            raise ValueError("needs either advance or set")
        return self


class Moved(BaseModel):
    """Where the clock stands, and how many deadlines passed on the way."""

    now: AwareDatetime
    passed: int


@router.post(
    "/dev/clock",
    summary="Move the simulated clock",
    operation_id="move_clock",
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Movement"}}},
        }
    },
)
async def move(request: Request, caller: Caller, backend: Served) -> Moved:
    """Move it, stopping at every due instant on the way.

    For operators, with `CPOR_CLOCK=simulated`. Answers when everything that came due is recorded
    and on the board. Backwards only while no event exists. When a part that it waits for stops on
    the way, the move is broken off: the clock ticks on from where it stood.
    """
    clock = simulated_clock(backend, caller)
    return await move_by(backend, clock, await read_as(Movement, request))


def simulated_clock(backend: Backend, actor: Actor) -> SimulatedClock:
    """The clock that this actor may move.

    Raises NotAllowed for who is no operator, NotFound where the clock is the machine's.
    """
    require_operator(actor)
    if not isinstance(backend.clock, SimulatedClock):
        raise NotFound("the clock is the machine's: only with CPOR_CLOCK=simulated it can be moved")
    return backend.clock


async def move_by(backend: Backend, clock: SimulatedClock, movement: Movement) -> Moved:
    """Move the clock; when everything that came due is recorded and on the board: where it is.

    Raises Invalid for a movement that leads too far, Backwards, and Unavailable.
    """
    if await _target(movement, backend) >= LATEST:
        field = "advance" if movement.set is None else "set"
        raise Invalid([FieldError(f"/{field}", f"must not lead to the year {LATEST:%Y}")])
    await _require_ready(backend)
    mover = ClockMover(backend.settings.database_url, clock, backend.broker.connection)
    try:
        moved = await _while_ready(
            backend,
            mover.set(movement.set)
            if movement.set is not None
            else mover.advance(movement.advance or timedelta(0)),
        )
    except BackwardsError as error:
        raise Backwards(str(error)) from None
    return Moved(now=moved.now, passed=moved.passed)


async def keep_ticking(backend: Backend) -> None:
    """See to it that a simulated clock does not stand still for ever because its mover died.

    Tries until PostgreSQL is there, at the start and whenever a move failed; never ends. A clock
    that is being moved is left alone.
    """
    if not isinstance(backend.clock, SimulatedClock):
        return
    mover = ClockMover(backend.settings.database_url, backend.clock, backend.broker.link)
    backoff = Backoff(0.2, 5.0)
    while True:
        backend.move_failed.clear()
        try:
            await mover.recover()
        except psycopg.Error:
            await asyncio.sleep(backoff.next())
        else:
            backoff.reset()
            await backend.move_failed.wait()


async def _while_ready(
    backend: Backend, move: Coroutine[Any, Any, clock_mover.Moved]
) -> clock_mover.Moved:
    """Move, as long as everything runs that a move waits for. Raises Unavailable."""
    moving = asyncio.create_task(move, name="move")
    watching = asyncio.create_task(_until_stopped(backend), name="watch of the move")
    try:
        await asyncio.wait([moving, watching], return_when=asyncio.FIRST_COMPLETED)
    finally:
        moving.cancel()
        watching.cancel()
        await asyncio.wait([moving, watching])
        if moving.cancelled() or moving.exception():
            backend.move_failed.set()
    if moving.cancelled():
        raise Unavailable(f"the move was broken off, for want of {', '.join(watching.result())}")
    return moving.result()


async def _until_stopped(backend: Backend) -> Sequence[str]:
    """Wait until something stays away without which the move never ends: what does not run."""
    since: dict[str, float] = {}
    while True:
        await asyncio.sleep(_GLANCE)
        now = monotonic()
        since = {name: since.get(name, now) for name in await _missing(backend)}
        if any(now - began >= GIVE_UP_AFTER for began in since.values()):
            return list(since)


async def _require_ready(backend: Backend) -> None:
    """Raise Unavailable where something is missing without which the move would never end."""
    if missing := await _missing(backend):
        raise Unavailable(f"not everything runs that the clock moves: {', '.join(missing)}")


async def _missing(backend: Backend) -> Sequence[str]:
    components = (await survey(backend)).components.items()
    return [name for name, component in components if component.state is not State.RUNNING]


async def _target(movement: Movement, backend: Backend) -> datetime:
    if movement.set is not None:
        return movement.set
    try:
        return await backend.now() + (movement.advance or timedelta(0))
    except OverflowError:
        return LATEST
