"""How the system is: each server, service, stream, consumer and projection with its state."""

from asyncio import gather, timeout
from collections.abc import Mapping
from typing import Final

import psycopg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel

from projections import position
from projections.registry import PROJECTIONS
from services.durability import OnDisk, durability
from services.health import State, ask_health
from services.roster import SERVICES
from services.streams import CLAIMS_CONSUMER, COMMANDS, DEAD_LETTERS, EVENTS, OUTCOMES, verify
from services.web.backend import Backend
from services.web.problem import Unavailable

_PATIENCE = 2.0
"""Seconds that a server has to answer."""
_OWN_NAME = "web"
_PROJECTOR = "projector"
PROJECTOR_CONSUMER: Final = f"consumer {_PROJECTOR} of stream {EVENTS}"
"""What the projector makes for itself: on the server its name has an end of its own each time."""
_STREAMS_AND_CONSUMERS = (
    *(f"stream {stream}" for stream in (COMMANDS, EVENTS, OUTCOMES, DEAD_LETTERS)),
    f"consumer {CLAIMS_CONSUMER} of stream {COMMANDS}",
    PROJECTOR_CONSUMER,
)


class Component(BaseModel):
    """A part of the system."""

    state: State
    detail: str = ""
    lag: int | None = None
    """How many events a projection, or its consumer, has yet to see."""


class Readiness(BaseModel):
    """Whether everything runs, and how each part is."""

    ready: bool
    components: dict[str, Component]


async def survey(backend: Backend) -> Readiness:
    """Ask everything at once."""
    parts = await gather(_services(backend), _streams(backend), _postgresql(backend))
    components = {name: component for part in parts for name, component in part.items()}
    return Readiness(
        ready=all(each.state is State.RUNNING for each in components.values()),
        components=components,
    )


async def _services(backend: Backend) -> Mapping[str, Component]:
    """NATS, and what each service says of itself over it."""
    others = [name for name in SERVICES if name != _OWN_NAME]
    link = backend.broker.link
    answers = {
        name: Component(state=State(health["state"]), detail=health["detail"])
        for name, health in (await ask_health(link, others, _PATIENCE)).items()
    }
    return {"nats": await _nats(backend), _OWN_NAME: Component(state=State.RUNNING), **answers}


async def _nats(backend: Backend) -> Component:
    """Connected, and not known to acknowledge what a power cut would take."""
    settings, link = backend.settings, backend.broker.link
    if not link.is_connected:
        return Component(state=State.ABSENT)
    if settings.nats_sync == "interval":
        return Component(state=State.RUNNING)
    try:
        async with timeout(_PATIENCE):
            found = await durability(settings, link.js)
    except (NatsError, TimeoutError):
        return Component(state=State.RUNNING)
    if found.on_disk is OnDisk.NO:
        detail = f"sync_interval is {found.words}; CPOR_NATS_SYNC asks for always"
        return Component(state=State.FAILING, detail=detail)
    return Component(state=State.RUNNING)


async def _streams(backend: Backend) -> Mapping[str, Component]:
    """Each stream and consumer: there, and as it must be."""
    components = {name: Component(state=State.RUNNING) for name in _STREAMS_AND_CONSUMERS}
    try:
        async with timeout(_PATIENCE):
            js = backend.broker.connection.js
            findings = await verify(js)
            components[PROJECTOR_CONSUMER] = await _projector_consumer(js)
    except (Unavailable, NatsError, TimeoutError) as error:
        detail = f"can't be asked: {str(error) or 'no answer in time'}"
        return dict.fromkeys(components, Component(state=State.ABSENT, detail=detail))
    for finding in findings:
        components[finding.where] = Component(state=State.FAILING, detail=finding.problem)
    return components


async def _projector_consumer(js: JetStreamContext) -> Component:
    """The one that was made last: one whose projector died stays for a minute."""
    try:
        consumers = await js.consumers_info(EVENTS)
    except NotFoundError:
        consumers = []
    made = [each for each in consumers if each.name.startswith(f"{_PROJECTOR}-")]
    if not made:
        return Component(state=State.FAILING, detail="is missing")
    return _up_to(max(made, key=lambda each: each.created).num_pending or 0)


async def _postgresql(backend: Backend) -> Mapping[str, Component]:
    """PostgreSQL, and each projection that it holds."""
    name = "postgresql"
    try:
        async with backend.pool.connection(_PATIENCE) as connection:
            lags = await position.lags(connection)
    except (PoolTimeout, psycopg.Error) as error:
        detail = f"can't be used: {str(error) or type(error).__name__}"
        return {name: Component(state=State.ABSENT, detail=detail)}
    return {
        name: Component(state=State.RUNNING),
        **{f"projection {each}": _projection(lags.get(each)) for each in PROJECTIONS},
    }


def _projection(lag: int | None) -> Component:
    if lag is None:
        return Component(state=State.STARTING, detail="has not begun")
    return _up_to(lag)


def _up_to(lag: int) -> Component:
    return Component(state=State.RUNNING, lag=lag, detail=f"{lag} events behind" if lag else "")
