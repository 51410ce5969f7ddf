"""Threads for what costs much and can wait: the system gives them what others leave of the cores."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from detection.inference.hardware import usable_cores
from detection.inference.queues.fair_queue import most_large

R = TypeVar("R")
# A tenth of what a thread of the usual priority gets, where both want all of a core (Linux, sched(7)).
_NICENESS = 10


def _lower_priority() -> None:
    """Lower the priority of this thread alone, which Linux can; it is never raised again, which needs rights."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)


# Callers have turns before they come here: those who decode, and those who draw.
_pool = ThreadPoolExecutor(2 * most_large(usable_cores()), "background", initializer=_lower_priority)


def in_background(function: Callable[[], R]) -> R:
    """Run a function on such a thread, in the context of this one, which is blocked; raises what it raises."""
    return _pool.submit(copy_context().run, function).result()
