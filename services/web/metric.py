"""What the web counts for Prometheus; no label ever names a claim."""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The web's own registry: several applications in one process don't mix their numbers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "cpor_http_requests",
            "HTTP requests by route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "cpor_http_request_seconds",
            "Time from a request's head to the end of its response.",
            ["route"],
            registry=self._registry,
        )
        self.outcomes = Counter(
            "cpor_command_outcomes",
            "Outcomes of commands sent over HTTP: accepted, or the code of the problem.",
            ["command", "outcome"],
            registry=self._registry,
        )
        self.lag = Gauge(
            "cpor_projection_lag_events",
            "Events that a projection has yet to see.",
            ["projection"],
            registry=self._registry,
        )
        self.messages = Gauge(
            "cpor_stream_messages",
            "Messages in a JetStream stream.",
            ["stream"],
            registry=self._registry,
        )
        self.bytes = Gauge(
            "cpor_stream_bytes", "Size of a JetStream stream.", ["stream"], registry=self._registry
        )
        self.pending = Gauge(
            "cpor_consumer_pending_messages",
            "Messages that a consumer has yet to be given.",
            ["stream", "consumer"],
            registry=self._registry,
        )
        self.up = Gauge(
            "cpor_component_up",
            "1 while a server, service, consumer or projection is running.",
            ["component"],
            registry=self._registry,
        )

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)


class Measured:
    """Counts requests by the route that served them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 500

        async def send_measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_measured)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.seconds.labels(route).observe(perf_counter() - began)
