"""Memory budget of bodies and messages, over all callers of the process (BODY_BUDGET_BYTES).

MAX_BODY_BYTES bounds each of them, and MAX_CONNECTIONS their number; the product of both is more than a machine has.
Only received bytes count: an announced length costs nothing, or a few callers could announce all of
the budget and send nothing. For one event loop.
"""

import sys

from detection.errors import BodyBudgetError

# The key in the scope of a WebSocket: a function that takes the size of a released message.
LET_GO = "detector.let_go"


class BodyBudget:
    """Budget of `limit_bytes` over all shares, of which `held_bytes` are in use."""

    def __init__(self, limit_bytes: int = sys.maxsize) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def check(self, more_bytes: int) -> None:
        """Raise BodyBudgetError if so many more bytes exceed the budget now."""
        if self.held_bytes + more_bytes > self._limit_bytes:
            raise BodyBudgetError

    def share(self) -> "Share":
        """Return the share of one request or socket; empty at first."""
        return Share(self)


class Share:
    """Share of one request or socket; its owner ends with `hold(0)`, on every way out."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def hold(self, total_bytes: int) -> None:
        """Hold so many bytes from now on. Raises BodyBudgetError, and keeps the old amount, if they exceed the
        budget.
        """
        more_bytes = total_bytes - self.held_bytes
        if more_bytes > 0:
            self._budget.check(more_bytes)
        self._budget.held_bytes += more_bytes
        self.held_bytes = total_bytes
