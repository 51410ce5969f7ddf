"""HTTP protocol with limits on the bytes outside of bodies, on the time of each state, and on each caller's share.

uvicorn itself has a time limit between requests only, puts headers together by copying them again for each piece that
comes, reads trailers and chunk extensions for ever, and loses the body of a request that offers an upgrade.

The states of a connection and their deadlines, which `Connections` has looked at a few times in `deadline_s`:

1. A request's header comes in: `deadline_s`, and at most `MAX_HEAD_BYTES`.
2. Its body comes in: the application reads it in time (`body_limits.py`); what is between its bytes is bounded here.
3. It is answered: by the application's own limits; whoever does not read the answer is cut off (`slow_readers.py`).
4. It was answered before its body was complete: `LINGER_S` for the rest, which is thrown away. Closing at once would
   make the other side's system throw the answer away.
5. Nothing comes: uvicorn's `timeout_keep_alive`, and `deadline_s` for bytes that begin no request.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from detection.accounts.schema import OPEN_TO_ALL
from detection.asgi.connections import Connections
from detection.asgi.memory_budget import MemoryBudget
from detection.asgi.slow_readers import Reader
from detection.asgi.websocket_protocol import BoundedWebSocketProtocol
from detection.errors import (
    ConnectionShareError,
    HeadTooLargeError,
    MalformedRequestError,
    RequestError,
    TargetTooLongError,
    describe,
    error_body,
    headers_for,
)
from detection.web.asgi_messages import send_json
from detection.web.callers import site_of
from detection.web.serializers import to_json

MAX_TARGET_BYTES = 16_384
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 200
LINGER_S = 5.0
_MOST_THROWN_AWAY_BYTES = 32_000_000
# What comes beside a header's name and value: a colon, a space, the end of the line.
_LINE_BYTES = 4
_UPGRADE_HEADERS = frozenset({b"upgrade", b"connection", b"http2-settings"})


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with these bounds; a request that passes one is answered in JSON, and the connection ends."""

    deadline_s: ClassVar[float] = 60.0
    budget: ClassVar[MemoryBudget] = MemoryBudget()
    table: ClassVar[Connections] = Connections(1000)

    _deadline: float | None = None
    _refusal: RequestError | None = None
    # Further bytes are discarded.
    _is_discarding = False
    _is_upgrading = _is_ignoring_upgrade = False
    # The header of a request is complete, its body is not.
    _is_in_body = False
    _has_progressed = False
    _unused_bytes = _head_bytes = 0
    _running: RequestResponseCycle | None = None

    @classmethod
    def bounded(cls, deadline_s: float, budget: MemoryBudget, table: Connections) -> type["BoundedHttpProtocol"]:
        """Return the protocol with that time limit, in seconds, that budget and that table of connections."""
        return type("BoundedHttpProtocol", (cls,), {"deadline_s": deadline_s, "budget": budget, "table": table})

    def connection_made(self, transport: Any) -> None:
        """Enter the table, or refuse."""
        super().connection_made(transport)
        self._raw = transport
        self.transport = _Closing(transport, self._close)  # type: ignore[assignment]  # the part that uvicorn uses
        self._reader = Reader(transport, self.deadline_s)
        self._address = str(self.client[0]) if self.client else ""
        self._share = self.budget.share(site_of(self._address))
        self._expect_within(self.deadline_s)
        if not self.table.open(self, self._address):
            self._refuse(ConnectionShareError())

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the table."""
        self.table.close(self)
        self._share.hold(0)
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Return whether no request is being answered."""
        return self._running is None or self._running.response_complete

    def check_deadline(self, now: float) -> None:
        """Close the connection where a deadline has passed."""
        self._reader.check_deadline(now)
        if self._deadline is not None and now > self._deadline:
            self._raw.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._raw.abort()

    def resume_writing(self) -> None:
        """Resume after the other side has read most of the written bytes."""
        self._reader.resumed()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, then limit those not used yet."""
        if self._is_discarding:
            self._unused_bytes += len(data)
            if self._unused_bytes > _MOST_THROWN_AWAY_BYTES:
                self._raw.abort()
            return
        self._unset_keepalive_if_required()
        self._has_progressed = False
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal or MalformedRequestError())
        else:
            self._bound(len(data))

    def _parse(self, data: bytes) -> None:
        """Feed the parser, again where it stops for an upgrade. Raises HttpParserError."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self._is_upgrading:
                    self._upgrade()
                    return
                head, data = self._head_without_upgrade(), data[upgrade.args[0] :]
                self._is_ignoring_upgrade = False
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
            else:
                return

    def _bound(self, size: int) -> None:
        """Count the bytes since a header, a piece of a body or a request was complete: the parser may hold them."""
        self._unused_bytes = 0 if self._has_progressed else self._unused_bytes + size
        try:
            if self._unused_bytes > MAX_HEAD_BYTES:
                is_target = not self._is_in_body and self.headers == []
                raise TargetTooLongError(MAX_TARGET_BYTES) if is_target else HeadTooLargeError(MAX_HEAD_BYTES)
            self._share.hold(self._unused_bytes)
        except RequestError as error:
            self._refuse(error)

    def on_message_begin(self) -> None:
        """Start the time of a request's header."""
        super().on_message_begin()
        self._head_bytes = 0
        self._expect_within(self.deadline_s)

    def on_url(self, url: bytes) -> None:
        """Put the address together. Raises TargetTooLongError."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop(TargetTooLongError(MAX_TARGET_BYTES))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; count a trailer, which is ignored. Raises HeadTooLargeError."""
        if not self._is_in_body:
            super().on_header(name, value)
            return
        self._head_bytes += len(name) + len(value) + _LINE_BYTES
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(HeadTooLargeError(MAX_HEAD_BYTES))

    def on_headers_complete(self) -> None:
        """Start the answer; an upgrade that is not taken is ignored (RFC 9110, section 7.8), and the body read."""
        self._has_progressed = True
        self._head_bytes = 0
        # What comes in pieces is bounded as it comes (`_bound`); this is for what came at once.
        lines = len(self.headers)
        if (
            lines > MAX_HEADERS
            or len(b"".join(chain.from_iterable(self.headers))) + lines * _LINE_BYTES > MAX_HEAD_BYTES
        ):
            self._stop(HeadTooLargeError(MAX_HEAD_BYTES))
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._stop(MalformedRequestError())
            self.scope["method"] = self.parser.get_method().decode("ascii")
            self._is_upgrading = self._takes_upgrade()
            self._is_ignoring_upgrade = not self._is_upgrading
            if self._is_ignoring_upgrade:
                return
        self._deadline = None
        self._is_in_body = not self._is_upgrading
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body."""
        self._has_progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Start the time of the next request."""
        self._has_progressed = True
        if self._is_ignoring_upgrade:
            return
        self._is_in_body = False
        if self._deadline is not None:
            self._expect_within(self.deadline_s)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the time of the rest of an answered request, and of bytes that begin none."""
        self._expect_within(LINGER_S if self._is_in_body and self._running is self.cycle else self.deadline_s)
        super().on_response_complete()

    def _expect_within(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def _stop(self, error: RequestError) -> None:
        """End the parser's work from within one of its callbacks."""
        self._refusal = error
        raise error

    def _should_upgrade(self) -> bool:
        return self._is_upgrading

    def _takes_upgrade(self) -> bool:
        """Return whether the request is a WebSocket's handshake, with nothing behind or before it."""
        names = {name for name, _ in self.headers}
        lengths = {value for name, value in self.headers if name == b"content-length"}
        return (
            self._get_upgrade() == b"websocket"
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and b"sec-websocket-key" in names
            and b"transfer-encoding" not in names
            and lengths <= {b"0"}
            and self.is_idle
        )

    def _head_without_upgrade(self) -> bytes:
        """Return the header of the request again, without the headers that offer an upgrade."""
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        kept = [b"%s: %s\r\n" % pair for pair in self.headers if pair[0] not in _UPGRADE_HEADERS]
        options = b",".join(value for name, value in self.headers if name == b"connection").lower().split(b",")
        if b"close" in {option.strip() for option in options}:
            kept.append(b"connection: close\r\n")
        return b"".join((line, *kept, b"\r\n"))

    def _upgrade(self) -> None:
        """Hand the connection to the WebSocket protocol, which counts as a request of its caller until it ends."""
        caller = self.table.caller(self._address, self.headers)
        if not self.table.begin(caller):
            self._refuse(ConnectionShareError())
            return
        self._deadline = None
        self.connections.discard(self)
        protocol = self.ws_protocol_class(  # type: ignore[call-arg, misc]
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        if isinstance(protocol, BoundedWebSocketProtocol):
            protocol.adopt(self.table, caller)
            self.table.replace(self, protocol)
        protocol.connection_made(self._raw)
        head = [b"GET %s HTTP/1.1\r\n" % self.url, *(b"%s: %s\r\n" % pair for pair in self.headers), b"\r\n"]
        protocol.data_received(b"".join(head))
        self._raw.set_protocol(protocol)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer a request, where its caller has a share left."""
        self._running = cycle
        caller = self.table.caller(self._address, cycle.scope["headers"])
        if self.table.begin(caller):
            super()._start_asgi_task(cycle, partial(self._answer, caller, app))
        else:
            is_probe = cycle.scope["path"] in OPEN_TO_ALL
            super()._start_asgi_task(cycle, app if is_probe else _turn_away)

    async def _answer(self, caller: str, app: Any, scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            self.table.end(caller)

    def _refuse(self, error: RequestError) -> None:
        """Answer what cannot be read any more, and end the connection; an answer that is being written comes first."""
        self._is_discarding = True
        self._unused_bytes = 0
        running = self._running
        if running is not None and not running.response_complete:
            if running is not self.cycle or not self._is_in_body:
                self.pipeline.clear()
                running.keep_alive = False
                return
            running.disconnected = True
            running.message_event.set()
            if running.response_started:
                self._raw.close()
                return
        self.logger.info("Refused a request: %s", error)
        self._raw.write(_answer_bytes(error))
        self.transport.close()

    def _close(self) -> None:
        """Close behind what is written; what still comes is thrown away for a while where a request is not complete."""
        if (self._is_in_body or self._refusal or self._is_discarding) and self._raw.can_write_eof():
            self._is_discarding = True
            self._expect_within(LINGER_S)
            self._raw.write_eof()
            self._raw.resume_reading()
        else:
            self._raw.close()


class _Closing:
    """The part of a transport that uvicorn uses, with a close of its own."""

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close
        self._is_closed = False
        self.write = transport.write
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info

    def close(self) -> None:
        """Close once."""
        if not self.is_closing():
            self._is_closed = True
            self._close()

    def is_closing(self) -> bool:
        """Return whether nothing more is written."""
        return self._is_closed or bool(self._transport.is_closing())


def _answer_bytes(error: RequestError) -> bytes:
    """Return a whole answer to a request that no application sees."""
    status, sentence = describe(error) or (400, "")
    content = to_json(error_body(sentence))
    headers = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        "x-content-type-options": "nosniff",
        "connection": "close",
        **headers_for(status, error),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[status] + lines.encode("latin-1") + b"\r\n" + content


async def _turn_away(_scope: Any, _receive: Any, send: Any) -> None:
    error = ConnectionShareError()
    status, sentence = describe(error) or (503, "")
    await send_json(send, status, error_body(sentence), {"Connection": "close"})
