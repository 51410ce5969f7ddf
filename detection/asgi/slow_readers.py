"""Deadline for what a server has written and the other side does not read."""

import asyncio

# A reader below this rate is not on a slow line, but holds the buffered response on purpose.
LEAST_BYTES_PER_S = 1000
# Between the marks at which a transport pauses and resumes writing, at the least.
_PER_RESUMPTION = 32_768


class Reader:
    """Reader of a connection, observed through the unread bytes of the transport's buffer.

    Its `check_deadline` is called a few times in each `deadline_s`; it costs nothing while a response is written.
    """

    def __init__(self, transport: asyncio.Transport, deadline_s: float) -> None:
        self._transport = transport
        self._deadline_s = deadline_s
        self._since: float | None = None
        self._unsent = 0
        self._resumptions = 0

    def resumed(self) -> None:
        """Count that most of the buffer was read: `resume_writing` of the protocol."""
        self._resumptions += 1

    def check_deadline(self, now: float) -> None:
        """Abort the connection where too little has been read since the window of `deadline_s` began."""
        unsent = self._transport.get_write_buffer_size()
        if unsent == 0:
            self._since = None
            return
        if self._since is None:
            self._begin(now, unsent)
        elif now - self._since >= self._deadline_s:
            read = self._unsent - unsent + self._resumptions * _PER_RESUMPTION
            if read < LEAST_BYTES_PER_S * self._deadline_s:
                self._transport.abort()
            self._begin(now, unsent)

    def _begin(self, now: float, unsent: int) -> None:
        self._since, self._unsent, self._resumptions = now, unsent, 0
