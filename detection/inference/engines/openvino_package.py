"""Imports OpenVINO without its telemetry.

By default, importing it sends an event to Google Analytics and writes an identifier to the home folder. A service
for other people's photos must not report its use.
"""

import sys
from functools import cache
from typing import Any

# OpenVINO works without its package openvino_telemetry; None makes the import raise ImportError.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

__all__ = ["ov", "shared_core"]


@cache
def shared_core() -> Any:
    """Return OpenVINO's core, a single one for the life of the process.

    Its CPU plugin gives the thread that starts it an alternate signal stack and unmaps that memory when it is destroyed
    (src/plugins/intel_cpu/src/sigstack_manager.cpp). When several cores come and go, or one is destroyed on another
    thread, the stack stays registered after it is unmapped, and the next signal kills the process silently.
    """
    return ov.Core()
