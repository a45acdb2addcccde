"""For whoever operates the system: is it alive, is it ready, how does it do."""

from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from nats.errors import Error as NatsError
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from services.health import State
from services.streams import CLAIMS_CONSUMER, COMMANDS, EVENTS
from services.web.backend import Backend, Served
from services.web.problem import Unavailable
from services.web.readiness import PROJECTOR_CONSUMER, Readiness, survey
from services.web.stream_size import stream_sizes

router = APIRouter(tags=["operations"])


class Alive(BaseModel):
    """The process answers."""

    state: State


@router.get("/livez", summary="Whether the web process lives", operation_id="read_liveness")
async def live() -> Alive:
    """Answers as long as it does; asks nobody else."""
    return Alive(state=State.RUNNING)


@router.get(
    "/readyz",
    summary="Whether everything runs",
    operation_id="read_readiness",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not everything runs."}},
)
async def ready(backend: Served) -> Response:
    """Every server, service, stream, consumer and projection, each with its state."""
    readiness = await survey(backend)
    return JSONResponse(readiness.model_dump(mode="json"), 200 if readiness.ready else 503)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    operation_id="read_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(backend: Served) -> Response:
    """Requests, outcomes of commands, lags and sizes; what can't be asked now is left out."""
    await _measure(backend)
    return Response(backend.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


async def _measure(backend: Backend) -> None:
    metrics = backend.metrics
    for gauge in (metrics.up, metrics.lag, metrics.messages, metrics.bytes, metrics.pending):
        gauge.clear()
    readiness = await survey(backend)
    for name, component in readiness.components.items():
        metrics.up.labels(name).set(component.state is State.RUNNING)
        if component.lag is None:
            continue
        if name == PROJECTOR_CONSUMER:
            metrics.pending.labels(EVENTS, "projector").set(component.lag)
        else:
            metrics.lag.labels(name).set(component.lag)
    with suppress(Unavailable, NatsError, TimeoutError):
        await _measure_streams(backend)


async def _measure_streams(backend: Backend) -> None:
    metrics, sizes = backend.metrics, await stream_sizes(backend)
    for stream, size in sizes.streams.items():
        metrics.messages.labels(stream).set(size.messages)
        metrics.bytes.labels(stream).set(size.bytes)
    metrics.pending.labels(COMMANDS, CLAIMS_CONSUMER).set(sizes.pending_commands)
