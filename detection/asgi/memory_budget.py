"""How many bytes of bodies and messages the process holds, those of all callers together (BODY_BUDGET_BYTES).

MAX_BODY_BYTES bounds each of them, and MAX_CONNECTIONS their number; the product of both is more than a machine has.
Bytes count from when they are here: one that is only announced costs nothing, or a few callers could announce all of
the budget and send nothing. For one event loop.
"""

import sys

from detection.errors import BodyBudgetError

# The key in the scope of a WebSocket: a function that takes the size of a message that is not needed any more.
LET_GO = "detector.let_go"


class BodyBudget:
    """At most `limit_bytes` in all shares; `held_bytes` of them now."""

    def __init__(self, limit_bytes: int = sys.maxsize) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def check(self, more_bytes: int) -> None:
        """Raises BodyBudgetError where so many more bytes are too many now."""
        if self.held_bytes + more_bytes > self._limit_bytes:
            raise BodyBudgetError

    def share(self) -> "Share":
        """Of one request or socket; it holds nothing yet."""
        return Share(self)


class Share:
    """What one request or socket holds; whoever has it ends with `hold(0)`, on every way out."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def hold(self, total_bytes: int) -> None:
        """Hold so many bytes from now on. Raises BodyBudgetError, and holds what it held, where they are too many."""
        more_bytes = total_bytes - self.held_bytes
        if more_bytes > 0:
            self._budget.check(more_bytes)
        self._budget.held_bytes += more_bytes
        self.held_bytes = total_bytes
