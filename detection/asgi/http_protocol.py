"""HTTP protocol with a time limit for request headers, which cuts off idle and slow clients.

uvicorn itself has a time limit between requests only, so a few bytes a minute would hold a connection open for good.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a time limit from the first byte of a request to the end of its header."""

    patience_s: ClassVar[float] = 60.0
    _header_timer: asyncio.TimerHandle | None = None

    @classmethod
    def for_at_most(cls, patience_s: float) -> type["PatientProtocol"]:
        """Return the protocol class with that time limit, in seconds."""
        return type("PatientProtocol", (cls,), {"patience_s": patience_s})

    def connection_made(self, transport: Any) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._wait_for_header()

    def on_message_begin(self) -> None:
        """Restart the timer for the next request of a kept connection."""
        super().on_message_begin()
        self._wait_for_header()

    def on_headers_complete(self) -> None:
        """Cancel the timer; the body has a limit of its own (`detection/asgi/body_limits.py`)."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_header(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.patience_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
