"""ASGI middleware that limits body size, upload time and total memory, and rejects compressed and cross-site bodies.

Django copies a whole body into a temporary file before any view or parser sees it, so the limit has to be here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from io import BytesIO
from typing import Any

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)
from django.core.handlers.asgi import ASGIRequest

from detection.asgi import cors
from detection.asgi.memory_budget import MemoryBudget, Share
from detection.errors import (
    BadTokenError,
    BodyTooLargeError,
    ContentEncodingError,
    ForeignSiteError,
    LoginNeededError,
    MemoryBudgetError,
    RequestError,
    UploadTimeoutError,
    describe,
    headers_for,
)
from detection.web import callers
from detection.web.asgi_messages import Shape, address_of, header, plain_error, read_body, send_json
from detection.web.callers import site_of
from detection.web.negotiation import REFUSED, wants_page
from detection.web.origin import SAFE_METHODS, Sender, sender_of

Identify = Callable[[Any], Awaitable[Any]]
# Limit for callers who have not logged in where that is required (ACCESS=login): the login form, for example.
MAX_UNKNOWN_BODY_BYTES = 65_536
PIECE_BYTES = 262_144
# Of base64 to the bytes that it stands for, and room for the JSON around it.
_BASE64_GROWTH = 4 / 3
_JSON_AROUND_BYTES = 65_536


class _RefusedError(Exception):
    """Raised within `receive` to leave the application."""

    def __init__(self, reason: RequestError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class BodyLimit:
    """ASGI middleware that refuses requests by their body: 413 to a declared length above the limit without reading,
    and to a chunked body when it gets there; 408 and a closed connection to a body that takes longer than `timeout_s`;
    415 to a Content-Encoding; 403 to a request that a page of another site makes a browser send (Fetch Metadata); 503
    to a body for which `budget` has no room, by its declared length if there is one, or else where the room ends. A
    body counts until its request is answered. Bodies of addresses below `base64_prefixes` may be larger by what base64
    adds to a photo, whose own size is checked when it is decoded.

    Programs get JSON. For browsers the application makes a page: it gets the request without its body, and with the
    reason under REFUSED in its scope.
    """

    def __init__(
        self,
        app: ASGI3Application,
        max_body_bytes: int,
        timeout_s: float = 60.0,
        budget: MemoryBudget | None = None,
        *,
        trusted_origins: Collection[str] = (),
        identify: Identify | None = None,
        base64_prefixes: Collection[str] = (),
        shape: Shape = plain_error,
    ) -> None:
        self._app = app
        self._base64_prefixes = tuple(base64_prefixes)
        self._shape = shape
        self._trusted_origins = frozenset(trusted_origins)
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s
        self._budget = budget or MemoryBudget()
        self._identify = identify

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Limit an HTTP request; pass all else on, with the key of its caller."""
        key = site_of(address_of(scope)) if scope["type"] != "lifespan" else ""
        if scope["type"] != "http":
            with callers.bound(key):
                await self._app(scope, receive, send)
            return
        known: Any = None
        if self._identify is not None and (_is_chunked(scope) or _declared(scope)):
            known = await self._identify(scope)
        with callers.bound(key if known is None else callers.key_of_user(known.user_id)):
            await self._limited(scope, receive, send, is_known=known is not None or self._identify is None)

    async def _limited(self, scope: Any, receive: Any, send: Any, *, is_known: bool) -> None:
        share = self._budget.share(callers.current())
        reason = self._reason_to_refuse(scope, share, is_known)
        if reason is not None:
            await self._refuse(scope, send, reason)
            return
        too_large = self._too_large if is_known else LoginNeededError
        most_bytes = self._most_bytes(scope) if is_known else min(self._max_body_bytes, MAX_UNKNOWN_BODY_BYTES)
        counting = _Counting(receive, send, (most_bytes, too_large), self._timeout_s, share)
        try:
            await self._app(scope, counting.receive, counting.send)
        except _RefusedError as error:
            if not counting.answering:
                await self._refuse(scope, send, error.reason)
        finally:
            share.hold(0)

    def _reason_to_refuse(self, scope: Any, share: Share, is_known: bool) -> RequestError | None:
        declared = _declared(scope)
        if declared > self._most_bytes(scope):
            return self._too_large()
        if (header(scope, b"content-encoding") or "identity").strip().lower() != "identity":
            return ContentEncodingError()
        if scope["method"] not in SAFE_METHODS and self._sender(scope) is Sender.OTHER_SITE:
            return ForeignSiteError()
        if declared > MAX_UNKNOWN_BODY_BYTES and not is_known:
            return BadTokenError() if header(scope, b"authorization") else LoginNeededError()
        try:
            share.check(declared)
        except MemoryBudgetError as error:
            return error
        return None

    def _too_large(self) -> RequestError:
        return BodyTooLargeError(self._max_body_bytes)

    def _most_bytes(self, scope: Any) -> int:
        if scope["path"].startswith(self._base64_prefixes):
            return int(self._max_body_bytes * _BASE64_GROWTH) + _JSON_AROUND_BYTES
        return self._max_body_bytes

    def _sender(self, scope: Any) -> Sender:
        if scope.get(cors.ALLOWED):
            return Sender.OWN
        return sender_of(header(scope, b"origin"), self._trusted_origins, header(scope, b"sec-fetch-site"))

    async def _refuse(self, scope: Any, send: ASGISendCallable, reason: RequestError) -> None:
        # The rest of the body is not read.
        if wants_page(ASGIRequest(scope, BytesIO())):
            refused: Any = {**scope, REFUSED: reason}
            await self._app(refused, _after(b"", _block_until_sent), _closing(send))
        else:
            status, sentence = describe(reason) or (400, "")
            headers = {**headers_for(status, reason), "Connection": "close"}
            status, body = self._shape(scope["path"], status, sentence)
            await send_json(send, status, body, headers)


def _declared(scope: Any) -> int:
    """Return the Content-Length; the HTTP parser has refused what is not a number."""
    return int(header(scope, b"content-length") or 0)


def _is_chunked(scope: Any) -> bool:
    return header(scope, b"transfer-encoding") is not None


async def _block_until_sent() -> ASGIReceiveEvent:
    """Block until the answer has been sent: the rest of a refused body is not read."""
    waiting: asyncio.Future[ASGIReceiveEvent] = asyncio.get_running_loop().create_future()
    return await waiting


def _closing(send: ASGISendCallable) -> ASGISendCallable:
    """Return a `send` for the last response of a connection."""

    async def send_last(event: Any) -> None:
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event["headers"], (b"connection", b"close")]}
        await send(event)

    return send_last


class _Counting:
    """Counter of the bytes and the duration of a body, which also records whether the response has begun."""

    def __init__(
        self,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        limit: tuple[int, Callable[[], RequestError]],
        timeout_s: float,
        share: Share,
    ) -> None:
        self._receive = receive
        self._send = send
        self._limit, self._too_large = limit
        self._left = self._limit
        self._timeout_s = timeout_s
        self._share = share
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self._complete = False
        self.answering = False

    async def receive(self) -> ASGIReceiveEvent:
        # After the body only a disconnect can come, at any time.
        event = await (self._receive() if self._complete else self._receive_in_time())
        if event["type"] == "http.request":
            self._left -= len(event["body"])
            self._complete = not event["more_body"]
            if self._left < 0:
                raise _RefusedError(self._too_large())
            self._hold(self._limit - self._left)
        return event

    def _hold(self, total_bytes: int) -> None:
        try:
            self._share.hold(total_bytes)
        except MemoryBudgetError as error:
            raise _RefusedError(error) from error

    async def _receive_in_time(self) -> ASGIReceiveEvent:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise _RefusedError(UploadTimeoutError(self._timeout_s)) from error

    async def send(self, event: ASGISendEvent) -> None:
        self.answering = True
        # ASGI lets an application leave out what is empty, as Django does at the end of a stream.
        if event["type"] == "http.response.body" and len(event.get("body", b"")) > PIECE_BYTES:
            await self._send_in_pieces(event)
        else:
            await self._send(event)

    async def _send_in_pieces(self, event: Any) -> None:
        """Send a large part of a response in pieces, at the reader's pace, so that buffers hold only a piece."""
        body, end = event["body"], len(event["body"])
        for start in range(0, end, PIECE_BYTES):
            more = event.get("more_body", False) or start + PIECE_BYTES < end
            piece = body[start : start + PIECE_BYTES]
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})


class KnownLength:
    """ASGI middleware that gives a chunked body its Content-Length: without one, Django takes every form for an empty
    one.

    Must be inside of `BodyLimit`, so that the bytes gathered here are limited.
    """

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or header(scope, b"transfer-encoding") is None:
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return
        headers = [pair for pair in scope["headers"] if pair[0] not in _FRAMING]
        headers.append((b"content-length", str(len(body)).encode()))
        known: Any = {**scope, "headers": headers}
        await self._app(known, _after(body, receive), send)


_FRAMING = frozenset({b"transfer-encoding", b"content-length"})


def _after(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """Return a `receive` with the whole body before the remaining events."""
    waiting: list[ASGIReceiveEvent] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_after() -> ASGIReceiveEvent:
        return waiting.pop() if waiting else await receive()

    return receive_after
