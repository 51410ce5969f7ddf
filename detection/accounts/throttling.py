"""Rate limits of callers, shared by HTTP and WebSockets (THROTTLE).

The generic cell rate algorithm: one number per caller, no list of requests. A caller may send a whole period's requests
at once, and then goes on at the rate. Each process counts for itself.
"""

import threading
import time
from collections.abc import Callable, Hashable

from detection.accounts.access import Caller
from detection.conf import Rate
from detection.conf.current import config
from detection.errors import ThrottledError
from detection.web.callers import site_of

LOGINS = Rate(20, 60.0)
LOGINS_OF_ACCOUNT = Rate(20, 600.0)
_MOST = 10_000


class Limiter:
    """Rate limiter; keeps the time until which each caller's requests are paid off. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: Hashable, rate: Rate) -> float:
        """Take one request of a caller: return 0, or the seconds until one would be taken (this one is not)."""
        each_s = rate.period_s / rate.count
        with self._lock:
            now = self._clock()
            paid_at = max(self._paid_at.get(key, now), now) + each_s
            wait = paid_at - now - rate.period_s
            # A rounding error must not refuse the last request of a full period.
            if wait > each_s * 1e-6:
                return wait
            if len(self._paid_at) >= _MOST:
                self._forget(now)
            self._paid_at[key] = paid_at
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget callers whose requests are paid off; if that frees too little, all: memory takes precedence."""
        self._paid_at = {key: paid_at for key, paid_at in self._paid_at.items() if paid_at > now}
        if len(self._paid_at) >= _MOST:
            self._paid_at.clear()


_limiter = Limiter()


def take(caller: Caller, address: str) -> None:
    """Count a request of a user, or of an address if the user is unknown. Raises ThrottledError above the limit."""
    rate = config().throttle.address if caller.user_id is None else config().throttle.user
    if rate is None:
        return
    _take(("address", site_of(address)) if caller.user_id is None else ("user", caller.user_id), rate)


def take_login(address: str, name: str) -> None:
    """Count an attempt to log in, by address and by account, against guessing of passwords. Raises ThrottledError.

    A guesser has many addresses: all of an IPv6 network count as one, and the account is limited on its own.
    """
    _take(("login", site_of(address)), LOGINS)
    _take(("login at", name.casefold()), LOGINS_OF_ACCOUNT)


def _take(who: tuple[str, Hashable], rate: Rate) -> None:
    wait_s = _limiter.wait_s((*who, rate), rate)
    if wait_s > 0:
        raise ThrottledError(rate, wait_s)
