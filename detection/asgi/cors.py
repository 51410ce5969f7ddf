"""ASGI middleware for scripts on pages of other sites (CORS_ORIGINS): the CORS protocol of the Fetch standard.

Outermost, so that refusals have its headers too; without them a script cannot read why. Cookies never count: such
scripts send a token where ACCESS=login.
"""

from collections.abc import Collection
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from detection.web.asgi_messages import header

# Key in the scope: the operator lets this origin call the API (`asgi/body_limits.py` refuses others).
ALLOWED = "detector.cors"
ANY_ORIGIN = "*"
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_EXPOSED = b"X-Detection-Id, X-Model, X-Photo-Incomplete, X-Request-ID, Server-Timing, Retry-After, Content-Disposition"
# How long a browser need not ask again; Chromium caps it at two hours.
_MAX_AGE_S = b"7200"


class Cors:
    """ASGI middleware that answers preflights and marks responses for `origins`, `*` for all, at addresses of programs.

    prefixes: what addresses of programs begin with; pages and the admin stay closed to other sites.
    """

    def __init__(self, app: ASGI3Application, origins: Collection[str], prefixes: Collection[str]) -> None:
        self._app = app
        self._any = ANY_ORIGIN in origins
        self._origins = frozenset(origin.lower() for origin in origins)
        self._prefixes = tuple(prefixes)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        is_allowed = origin is not None and (self._any or origin.lower() in self._origins)
        own = self._headers(origin if is_allowed else None)
        if is_allowed and scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            await _answer_preflight(scope, send, own)
            return

        async def send_marked(event: Any) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event["headers"], *own]}
            await send(event)

        known: Any = {**scope, ALLOWED: True} if is_allowed else scope
        await self._app(known, receive, send_marked)

    def _headers(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        """Return the headers of a response to an allowed origin; None for another caller.

        A cache must not give one origin the response of another, so that responses to programs say Vary too.
        """
        vary = [] if self._any else [(b"vary", b"Origin")]
        if origin is None:
            return vary
        shown = ANY_ORIGIN if self._any else origin
        return [
            *vary,
            (b"access-control-allow-origin", shown.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
        ]


async def _answer_preflight(scope: Any, send: ASGISendCallable, own: list[tuple[bytes, bytes]]) -> None:
    asked = header(scope, b"access-control-request-headers") or ""
    headers = [
        *own,
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", asked.encode("latin-1")),
        (b"access-control-max-age", _MAX_AGE_S),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
