"""Table of the connections, by caller: limits each caller, and closes idle ones for new ones (MAX_CONNECTIONS).

A connection that is open costs little, and a request that is answered costs much, so they are bounded in two ways:

- When all places are taken, the connection that has been idle longest is closed, of the address that has most of them.
- Requests of one caller that are answered at the same time, WebSockets among them, may be up to twice as many as there
  are places free (see `memory_budget.py`); more are answered with 503. Probes of the server's health always are.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from detection.asgi.memory_budget import FREE_TIMES
from detection.web.callers import site_of

_FORWARDED_FOR = b"x-forwarded-for"
# Above MAX_CONNECTIONS, for probes, while all others are busy.
_LEAST_RESERVE, _RESERVE_SHARE = 8, 8
_LONGEST_PAUSE_S = 1.0


class Connection(Protocol):
    """Interface of a connection to the table, implemented by the HTTP and WebSocket protocols."""

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is lost when it is closed: no request is whole, or all are answered."""

    def check_deadline(self, now: float) -> None:
        """Close it where a deadline has passed."""

    def abort(self) -> None:
        """Close it at once; what is not sent yet is lost."""


class Connections:
    """Table of all connections. For one event loop.

    limit: MAX_CONNECTIONS. proxies: addresses and networks whose X-Forwarded-For is believed. deadline_s: the deadline
    of each state of a connection, which is looked at a few times in that time.
    """

    def __init__(self, limit: int, proxies: Iterable[str] = (), deadline_s: float = 60.0) -> None:
        self._limit = limit
        self._most = limit + max(_LEAST_RESERVE, limit // _RESERVE_SHARE)
        self._proxies = ProxyHeadersMiddleware(_no_app, list(proxies)).trusted_hosts
        self._pause_s = min(_LONGEST_PAUSE_S, deadline_s / 4)
        self._open: dict[Connection, str] = {}
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._active: Counter[str] = Counter()
        self._active_total = 0
        self._next_check: asyncio.TimerHandle | None = None

    def open(self, connection: Connection, address: str) -> bool:
        """Enter a connection, for which another one may be closed; False where there is no place at all."""
        if len(self._open) >= self._limit and not self._close_an_idle_one() and len(self._open) >= self._most:
            return False
        self._open[connection] = address
        self._by_address.setdefault(address, {})[connection] = None
        if self._next_check is None:
            self._schedule_check()
        return True

    def close(self, connection: Connection) -> None:
        """Take a connection out; a second call does nothing."""
        address = self._open.pop(connection, None)
        if address is None:
            return
        of_address = self._by_address[address]
        del of_address[connection]
        if not of_address:
            del self._by_address[address]

    def replace(self, connection: Connection, successor: Connection) -> None:
        """Put a WebSocket in the place of the HTTP connection that it was."""
        address = self._open[connection]
        self.close(connection)
        self._open[successor] = address
        self._by_address.setdefault(address, {})[successor] = None

    def caller(self, address: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the sender of a request: the address of the connection, or the one forwarded by a configured proxy."""
        if address in self._proxies:
            forwarded = b", ".join(value for name, value in headers if name == _FORWARDED_FOR)
            if forwarded:
                address = self._proxies.get_trusted_client_address(forwarded.decode("latin-1"))[0] or address
        return site_of(address)

    def begin(self, caller: str) -> bool:
        """Count a request or WebSocket of a caller; False where it has as many as it may."""
        free = self._limit - self._active_total
        own = self._active.get(caller, 0)
        if free <= 0 or (own and own >= FREE_TIMES * free):
            return False
        self._active[caller] = own + 1
        self._active_total += 1
        return True

    def end(self, caller: str) -> None:
        """Count it no longer."""
        self._active_total -= 1
        if self._active[caller] == 1:
            del self._active[caller]
        else:
            self._active[caller] -= 1

    def _close_an_idle_one(self) -> bool:
        """Close the oldest idle connection of the address that has most; proxies' come last."""
        heaviest_first = sorted(self._by_address, key=lambda one: (one in self._proxies, -len(self._by_address[one])))
        for address in heaviest_first:
            for connection in self._by_address[address]:
                if connection.is_idle:
                    self.close(connection)
                    connection.abort()
                    return True
        return False

    def _schedule_check(self) -> None:
        self._next_check = asyncio.get_running_loop().call_later(self._pause_s, self._check)

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.check_deadline(now)
        self._next_check = None
        if self._open:
            self._schedule_check()


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    """Answer nothing: only the middleware's list of proxies is used."""
