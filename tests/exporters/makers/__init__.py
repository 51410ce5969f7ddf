"""Makers of exports, a module a project."""

import os

# Nothing is fetched: weights are random.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("YOLO_OFFLINE", "true")

from tests.exporters.makers import (  # noqa: F401
    other_exports,
    torchvision_exports,
    transformers_exports,
    ultralytics_exports,
)
from tests.exporters.makers.base import MAKERS, Export

__all__ = ["MAKERS", "Export"]
