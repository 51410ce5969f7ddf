"""WebSocket protocol with a time limit for messages, whose bytes count in the memory budget.

uvicorn bounds one message (`ws_max_size`) and pings the client, but a message that comes a byte a
minute, or that never ends, would hold its bytes for as long as its sender likes.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from detection.asgi.connections import Connections
from detection.asgi.memory_budget import RELEASE, MemoryBudget
from detection.asgi.slow_readers import Reader
from detection.errors import CloseCode, MemoryBudgetError, RequestError, UploadTimeoutError, close_code_of

# Overhead of a piece of a message beside its bytes; one may be empty.
_PIECE_BYTES = 64


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, with a time limit from the first byte of a message to its last, and a share of the budget.

    A message counts from its first byte until the application releases it (`RELEASE` in its scope), or ends. The timer
    pauses while the server itself does not read.
    """

    deadline_s: ClassVar[float] = 60.0
    budget: ClassVar[MemoryBudget] = MemoryBudget()

    @classmethod
    def bounded(cls, deadline_s: float, budget: MemoryBudget) -> type["BoundedWebSocketProtocol"]:
        """Return the protocol class with that time limit, in seconds, and that budget."""
        return type("BoundedWebSocketProtocol", (cls,), {"deadline_s": deadline_s, "budget": budget})

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._share = self.budget.share()
        self._handed_bytes = 0
        self._message_timer: asyncio.TimerHandle | None = None
        self._table: Connections | None = None
        self._caller = ""
        self._reader: Reader | None = None

    def adopt(self, table: Connections, caller: str) -> None:
        """Take the place in the table, and the caller, of the HTTP connection that this was."""
        self._table, self._caller = table, caller
        self._share = self.budget.share(caller)

    def connection_made(self, transport: Any) -> None:
        """Start."""
        super().connection_made(transport)
        self._reader = Reader(self.transport, self.deadline_s)

    @property
    def is_idle(self) -> bool:
        """A WebSocket is in use as long as it is open."""
        return False

    def check_deadline(self, now: float) -> None:
        """Cut off who does not read."""
        if self._reader is not None:
            self._reader.check_deadline(now)

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def resume_writing(self) -> None:
        """The other side has read most of what was written."""
        if self._reader is not None:
            self._reader.resumed()
        super().resume_writing()

    def handle_connect(self, event: Any) -> None:
        """Put the function that releases messages into the scope."""
        super().handle_connect(event)
        if not self.close_sent:
            scope: Any = self.scope
            scope[RELEASE] = self._release

    def data_received(self, data: bytes) -> None:
        """Receive bytes of a message, of several, or of none."""
        super().data_received(data)
        self._measure()

    def send_receive_event_to_app(self) -> None:
        """Pass on a complete message. uvicorn would log invalid UTF-8 as an error of its own, with a traceback."""
        if self.close_sent:
            self.frames = []
        elif self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self._close(CloseCode.INVALID_DATA, "The text is not UTF-8. Send photos as binary messages.")
        else:
            self._handed_bytes += sum(map(len, self.frames))
            super().send_receive_event_to_app()

    async def receive(self) -> Any:
        """Return the next message, after which more is read."""
        event = await super().receive()
        self._measure()
        return event

    async def run_asgi(self) -> None:
        """Run the application; its remaining share is released at its end."""
        try:
            await super().run_asgi()
        finally:
            self._stop_waiting()
            self._share.hold(0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer, and leave the table."""
        self._stop_waiting()
        if self._table is not None:
            self._table.close(self)
            self._table.end(self._caller)
            self._table = None
        super().connection_lost(exc)

    def _release(self, size_bytes: int) -> None:
        self._handed_bytes -= size_bytes
        self._share.hold(self._share.held_bytes - size_bytes)

    def _measure(self) -> None:
        """Count the received bytes, and start the timer for an unfinished message."""
        if self.close_sent or self.disconnected:
            self._stop_waiting()
            return
        unfinished_bytes = self._unfinished_bytes()
        try:
            self._share.hold(unfinished_bytes + self._handed_bytes)
        except MemoryBudgetError as error:
            self._fail(error)
            return
        if not unfinished_bytes or self.read_paused:
            self._stop_waiting()
        elif self._message_timer is None:
            self._message_timer = self.loop.call_later(self.deadline_s, self._fail, UploadTimeoutError(self.deadline_s))

    def _unfinished_bytes(self) -> int:
        """Return the size of the unfinished message: its partial frame, and its frames so far."""
        frames_bytes = (self.conn.current_size or 0) + _PIECE_BYTES * len(self.frames)
        return len(self.conn.reader.buffer) + frames_bytes

    def _fail(self, error: RequestError) -> None:
        self._close(close_code_of(error), str(error))

    def _close(self, code: CloseCode, sentence: str) -> None:
        """Close with a code and a message; an unanswered handshake has neither."""
        self._stop_waiting()
        if self.conn.state is not OPEN:
            self.transport.close()
            return
        self.conn.fail(code, sentence)
        self.handle_parser_exception()

    def _stop_waiting(self) -> None:
        if self._message_timer is not None:
            self._message_timer.cancel()
            self._message_timer = None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
