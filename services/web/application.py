"""The web application: its parts put together."""

import re
from asyncio import create_task, wait
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastapi import FastAPI

from services.cloudevent import MAX_COMMAND_BYTES
from services.settings import Settings, is_loopback
from services.web import (
    caller,
    claim,
    clock,
    command,
    document,
    documentation,
    live,
    operation,
    preview,
    problem,
    reference,
)
from services.web.audience import Live
from services.web.backend import open_backend
from services.web.guard import Guard
from services.web.metric import Measured, Metrics
from services.web.oidc import open_provider
from services.web.page import attach, dispute, icon, oidc_sign_in, route, sign_in
from services.web.page.site import PAGES
from services.web.rate_limit import RateLimiter


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when its life begins, not now."""
    metrics = Metrics()

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncGenerator[None]:
        async with (
            open_backend(settings, metrics) as backend,
            open_provider(settings) as provider,
        ):
            app.state.backend, app.state.provider = backend, provider
            app.state.live = Live(backend)
            kept = [
                create_task(clock.keep_ticking(backend), name="clock"),
                create_task(app.state.live.keep(), name="live"),
            ]
            try:
                yield
            finally:
                app.state.live.end()
                for task in kept:
                    task.cancel()
                await wait(kept)
                await backend.rebuilds.stop()

    app = documentation.DocumentedApp(
        lifespan=living,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    is_dev = settings.auth == "dev"
    app.state.identification = caller.DEV if is_dev else caller.OIDC
    problem.register(app)
    route.register(app)
    for part in (command, claim, document, preview, live, reference, operation, clock, problem):
        app.include_router(part.router)
    for page in (icon, sign_in if is_dev else oidc_sign_in, *PAGES):
        app.include_router(page.router)
    documentation.register(app)
    app.add_middleware(RateLimiter, scale=settings.rate_limit)
    app.add_middleware(
        Guard,
        hosts=_hosts(settings),
        max_body_bytes=MAX_COMMAND_BYTES,
        max_body_bytes_at=dict.fromkeys(
            (re.compile(re.escape(document.UPLOAD_PATH)), attach.PLACES, dispute.PLACES),
            document.MAX_UPLOAD_BYTES,
        ),
    )
    app.add_middleware(Measured, metrics=metrics)
    return app


def _hosts(settings: Settings) -> frozenset[str]:
    """The names that callers use; on loopback no others, lest foreign pages call by theirs."""
    if not is_loopback(settings.http_host):
        return frozenset()
    public = urlsplit(settings.public_url).hostname or settings.http_host
    return frozenset({"localhost", "127.0.0.1", "::1", settings.http_host, public})
