"""Which user a token of the API belongs to, remembered for a moment: one look into the database for many requests."""

import time
from collections.abc import Callable
from typing import NamedTuple

from channels.db import database_sync_to_async
from rest_framework.authtoken.models import Token

# A token that was deleted, or whose user was locked out, is refused after this many seconds at the latest.
REMEMBERED_S = 2.0
_MOST = 10_000
_KEY_LENGTH = 40


class Holder(NamedTuple):
    """The user of a token."""

    user_id: int
    is_staff: bool


class Tokens:
    """The holders of the tokens that were used last. For one event loop; clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Holder]] = {}

    async def holder(self, key: str) -> Holder | None:
        """Who holds a token; None for one that is not valid, which is looked up each time."""
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
    # What is no token of ours is not asked for; PostgreSQL refuses a NUL with an error.
    if len(key) != _KEY_LENGTH or not key.isalnum():
        return None
    row = Token.objects.filter(key=key, user__is_active=True).values_list("user_id", "user__is_staff").first()
    return None if row is None else Holder(*row)


tokens = Tokens()
