"""Cache of the API's tokens: one look into the database serves many requests."""

import time
from collections.abc import Callable
from typing import NamedTuple

from channels.db import database_sync_to_async
from rest_framework.authtoken.models import Token

# A deleted token, or one of a disabled user, is refused after this many seconds at the latest.
REMEMBERED_S = 2.0
_MOST = 10_000
_KEY_LENGTH = 40


class Holder(NamedTuple):
    """The user of a token."""

    user_id: int
    is_staff: bool


class Tokens:
    """Cache of the last used tokens and their holders. For one event loop; clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Holder]] = {}

    async def holder(self, key: str) -> Holder | None:
        """Return the holder of a token; None for an invalid one, which is looked up each time."""
        known = self._known.get(key)
        now = self._clock()
        if known is not None and known[0] > now:
            return known[1]
        self._known.pop(key, None)
        found = await database_sync_to_async(_look_up)(key)
        if found is not None:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = (now + REMEMBERED_S, found)
        return found


def _look_up(key: str) -> Holder | None:
    # Malformed tokens are not looked up; PostgreSQL refuses a NUL with an error.
    if len(key) != _KEY_LENGTH or not key.isalnum():
        return None
    row = Token.objects.filter(key=key, user__is_active=True).values_list("user_id", "user__is_staff").first()
    return None if row is None else Holder(*row)


tokens = Tokens()
