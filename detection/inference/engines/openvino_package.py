"""OpenVINO without its telemetry.

As it comes, importing it sends an event to Google Analytics and leaves an identifier in the home folder. A service of
other people's photos tells nobody that it runs.
"""

import sys

# OpenVINO does without its package openvino_telemetry where that is not installed; None makes Python say so.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

__all__ = ["ov"]
