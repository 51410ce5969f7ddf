"""Deadline for what a server has written and the other side does not read."""

import asyncio

# Somebody who reads fewer than that is not on a slow line, but holds what waits for them.
LEAST_BYTES_PER_S = 1000
# Between the marks at which a transport pauses and resumes writing, at the least.
_PER_RESUMPTION = 32_768


class Reader:
    """The other side of a connection, by what waits for it in the transport's buffer.

    Its `look` is called a few times in each `patience_s`; it costs nothing while a response is written.
    """

    def __init__(self, transport: asyncio.Transport, patience_s: float) -> None:
        self._transport = transport
        self._patience_s = patience_s
        self._since: float | None = None
        self._unsent = 0
        self._resumptions = 0

    def resumed(self) -> None:
        """Count that most of the buffer was read: `resume_writing` of the protocol."""
        self._resumptions += 1

    def look(self, now: float) -> None:
        """Abort the connection where too little has been read since the window of `patience_s` began."""
        unsent = self._transport.get_write_buffer_size()
        if unsent == 0:
            self._since = None
            return
        if self._since is None:
            self._begin(now, unsent)
        elif now - self._since >= self._patience_s:
            read = self._unsent - unsent + self._resumptions * _PER_RESUMPTION
            if read < LEAST_BYTES_PER_S * self._patience_s:
                self._transport.abort()
            self._begin(now, unsent)

    def _begin(self, now: float, unsent: int) -> None:
        self._since, self._unsent, self._resumptions = now, unsent, 0
