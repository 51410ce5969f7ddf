"""Outermost ASGI layer: assigns each request its id, and reports its answer to metrics and traces."""

import time
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.conf import settings
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from detection.observability import metrics, request_id, tracing
from detection.web.asgi_messages import header

_KEY = "detector.state"
_STATIC, _UNKNOWN = "static", "unknown"
# The status of a request whose caller disconnected before the answer, as proxies log it.
_LEFT = 499


class _RequestState:
    """State of a request so far; every layer below shares it through the scope."""

    __slots__ = ("route", "status")

    def __init__(self, route: str) -> None:
        self.route = route
        self.status = _LEFT


def name_route(scope: Any, route: str) -> None:
    """Record the name of the route, which unlike paths are few."""
    state = scope.get(_KEY)
    if state is not None:
        state.route = route


class RequestMetricsMiddleware:
    """ASGI middleware that takes the id of `X-Request-ID`, or makes one, and sends it back; counts and times answers by
    route.
    """

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._static = settings.STATIC_URL.removeprefix(settings.DETECTOR.site_path)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = request_id.valid_or_new(header(scope, request_id.HEADER))
        with request_id.bound(given), tracing.request(scope, given) as span:
            if scope["type"] == "http":
                await self._count(scope, receive, send, given.encode("ascii"), span)
            else:
                await self._app(scope, receive, send)

    async def _count(
        self, scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable, given: bytes, span: Any
    ) -> None:
        state = _RequestState(_STATIC if scope["path"].startswith(self._static) else _UNKNOWN)
        started = time.perf_counter()

        async def send_observed(event: Any) -> None:
            if event["type"] == "http.response.start":
                state.status = event["status"]
                event["headers"] = [*event["headers"], (request_id.HEADER, given)]
            await send(event)

        try:
            known: Any = {**scope, _KEY: state}
            await self._app(known, receive, send_observed)
        finally:
            metrics.series(metrics.REQUESTS, state.route, str(state.status)).inc()
            metrics.series(metrics.REQUEST_SECONDS, state.route).observe(time.perf_counter() - started)
            tracing.answered(span, scope["method"], state.route, state.status)


class RouteMiddleware(MiddlewareMixin):
    """Django middleware that reports the resolved route to the outer ASGI middleware."""

    def process_view(self, request: HttpRequest, _view: Any, _arguments: Any, _keywords: Any) -> None:
        """Record the route, which is resolved now."""
        match = request.resolver_match
        name_route(getattr(request, "scope", {}), (match.view_name if match else "") or _UNKNOWN)
