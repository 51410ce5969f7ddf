"""Imports OpenVINO without its telemetry.

By default, importing it sends an event to Google Analytics and writes an identifier to the home folder. A service
for other people's photos must not report its use.
"""

import sys

# OpenVINO works without its package openvino_telemetry; None makes the import raise ImportError.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

__all__ = ["ov"]
