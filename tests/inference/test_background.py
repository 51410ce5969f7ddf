"""What costs much runs on threads of a lower priority, in the context of who needs it."""

import os
import sys
import threading
from contextvars import ContextVar

import pytest

from detection.inference.background import in_background

CALLER: ContextVar[str] = ContextVar("caller", default="")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_background_has_a_lower_priority_than_this_thread() -> None:
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert in_background(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) == min(19, own + 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


def test_background_knows_the_context_and_passes_errors_on() -> None:
    CALLER.set("somebody")
    assert in_background(CALLER.get) == "somebody"
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 // 0)
