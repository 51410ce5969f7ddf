"""Cache of the API's tokens: one look into the database serves many requests."""

import time
from collections.abc import Callable
from typing import NamedTuple

from channels.db import database_sync_to_async

from detection.models import token_of

# A deleted token, or one of a disabled user, is refused after this many seconds at the latest: by other processes, and
# where it was not revoked on its user's page.
REMEMBERED_S = 2.0
_MOST = 10_000


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

    def forget(self, user_id: int) -> None:
        """Forget the tokens of a user, one of which was revoked; from any thread."""
        for key, (_, holder) in list(self._known.items()):
            if holder.user_id == user_id:
                self._known.pop(key, None)


def _look_up(key: str) -> Holder | None:
    token = token_of(key)
    return None if token is None else Holder(token.user_id, token.user.is_staff)


tokens = Tokens()
