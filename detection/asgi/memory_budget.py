"""Number of bytes of requests that the process holds, of all callers together (BODY_BUDGET_BYTES).

MAX_BODY_BYTES bounds each body, and MAX_CONNECTIONS their number; the product of both is more than a machine has.
Bytes count from when they are here: one that is only announced costs nothing, or a few callers could announce all of
the budget and send nothing.

A caller's bodies together may take up to twice the bytes that are still free (the dynamic threshold of Choudhury and
Hahne, IEEE/ACM Transactions on Networking 6, 1998): one caller two thirds of the budget, two callers two fifths each.
So some of it is free whatever they do. The only body of a caller needs no such room. For one event loop.
"""

import sys
from collections import Counter

from detection.errors import MemoryBudgetError

# Key in the scope of a WebSocket: a function that takes the size of a message that is not needed any more.
RELEASE = "detector.release"
# How many times the free bytes a caller may hold.
FREE_TIMES = 2


class MemoryBudget:
    """Budget of `limit_bytes` over all shares, of which `held_bytes` are in use."""

    def __init__(self, limit_bytes: int = sys.maxsize) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0
        self._held_of: Counter[str] = Counter()

    def share(self, caller: str = "") -> "Share":
        """Return the share of one request or socket; it holds nothing yet."""
        return Share(self, caller)

    def check(self, caller: str, own_bytes: int, more_bytes: int) -> None:
        """Raise MemoryBudgetError where a share of `own_bytes` must not grow by so many now."""
        free = self._limit_bytes - self.held_bytes - more_bytes
        of_caller = self._held_of.get(caller, 0)
        if free < 0 or (of_caller > own_bytes and of_caller + more_bytes > FREE_TIMES * free):
            raise MemoryBudgetError

    def add(self, caller: str, more_bytes: int) -> None:
        """Count so many bytes more, or fewer, of a caller."""
        self.held_bytes += more_bytes
        self._held_of[caller] += more_bytes
        if not self._held_of[caller]:
            del self._held_of[caller]


class Share:
    """Bytes that one request or socket holds; its owner ends with `hold(0)`, on every way out."""

    def __init__(self, budget: MemoryBudget, caller: str) -> None:
        self._budget = budget
        self._caller = caller
        self.held_bytes = 0

    def check(self, more_bytes: int) -> None:
        """Raise MemoryBudgetError where so many more bytes are too many now."""
        self._budget.check(self._caller, self.held_bytes, more_bytes)

    def hold(self, total_bytes: int) -> None:
        """Hold so many bytes from now on. Raises MemoryBudgetError, and holds what it held, where they are too many."""
        more_bytes = total_bytes - self.held_bytes
        if more_bytes > 0:
            self.check(more_bytes)
        if more_bytes:
            self._budget.add(self._caller, more_bytes)
            self.held_bytes = total_bytes
