"""The outermost ASGI layer: gives each request its id, and tells metrics and traces how it was answered."""

import time
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.conf import settings
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from detection.observability import metrics, request_id, tracing
from detection.web.asgi_messages import header

_KEY = "detector.seen"
_STATIC, _UNKNOWN = "static", "unknown"
# The status of who left before the answer, as proxies write it.
_LEFT = 499


class _Seen:
    """What is known of a request so far; every layer below has the same one in its scope."""

    __slots__ = ("route", "status")

    def __init__(self, route: str) -> None:
        self.route = route
        self.status = _LEFT


def name_route(scope: Any, route: str) -> None:
    """Say which address answers: its name, for paths are without number."""
    seen = scope.get(_KEY)
    if seen is not None:
        seen.route = route


class Watch:
    """Takes the id of `X-Request-ID`, or makes one, and sends it back; counts and times each answer by its route."""

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._static = "/" + settings.STATIC_URL.lstrip("/")

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = request_id.sane_or_new(header(scope, request_id.HEADER))
        with request_id.bound(given), tracing.request(scope, given) as span:
            if scope["type"] == "http":
                await self._count(scope, receive, send, given.encode("ascii"), span)
            else:
                await self._app(scope, receive, send)

    async def _count(
        self, scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable, given: bytes, span: Any
    ) -> None:
        seen = _Seen(_STATIC if scope["path"].startswith(self._static) else _UNKNOWN)
        started = time.perf_counter()

        async def send_seen(event: Any) -> None:
            if event["type"] == "http.response.start":
                seen.status = event["status"]
                event["headers"] = [*event["headers"], (request_id.HEADER, given)]
            await send(event)

        try:
            known: Any = {**scope, _KEY: seen}
            await self._app(known, receive, send_seen)
        finally:
            metrics.series(metrics.REQUESTS, seen.route, str(seen.status)).inc()
            metrics.series(metrics.REQUEST_SECONDS, seen.route).observe(time.perf_counter() - started)
            tracing.answered(span, scope["method"], seen.route, seen.status)


class RouteMiddleware(MiddlewareMixin):
    """Tells `Watch` which of Django's addresses answers."""

    def process_view(self, request: HttpRequest, _view: Any, _arguments: Any, _keywords: Any) -> None:
        """The route is known here, and not before."""
        match = request.resolver_match
        name_route(getattr(request, "scope", {}), (match.view_name if match else "") or _UNKNOWN)
