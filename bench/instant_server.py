"""Runs `manage.py serve` with a model that answers at once, to measure the cost of everything around the model.

The server, its middleware, the detector with its queue and threads, and the JSON are the product's own; decoding,
resizing and the network are left out.
"""

import os
from pathlib import Path
from unittest.mock import patch

import django
import numpy as np
from PIL import Image

from detection.inference.detector import Detector, DetectorOptions
from detection.inference.engines.base import Outputs
from detection.inference.families.base import Family
from detection.inference.families.registry import FAMILIES
from detection.inference.network import Network
from detection.inference.photos.decode import DecodedPhoto, PhotoInfo
from detection.inference.types import Detections, ImageArray

EDGE = 16
FAMILY = "instant"
_CLASSES = ("cat", "dog", "person")
_PHOTO = DecodedPhoto(PhotoInfo("JPEG", (500, 375), 1, 1), Image.new("RGB", (EDGE, EDGE)))
_FOUND = Detections(
    np.array([[0.1, 0.1, 0.5, 0.5], [0.3, 0.3, 0.9, 0.8], [0.2, 0.5, 0.6, 0.9]], dtype=np.float32),
    np.array([0.9959417, 0.87, 0.61], dtype=np.float32),
    np.array([0, 1, 2], dtype=np.int64),
)


class InstantEngine:
    """Engine that returns nothing, at once."""

    name = "instant"
    device = "CPU"
    precision = "f32"
    max_batch = 1
    lanes = 0
    prefetch = 0

    def infer(self, _batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `detection.inference.engines.base.Engine.infer`."""
        del photos_in_flight
        return {}

    def problem(self) -> str:
        """See `Engine.problem`."""
        return ""

    def close(self) -> None:
        """Do nothing."""


def instant_detector(options: DetectorOptions) -> Detector:
    """Replace `load_detector`: return a detector with three objects in every photo, whatever its bytes are."""
    FAMILIES[FAMILY] = Family(lambda _outputs, _network, _min_probability: _FOUND, lambda _outputs, _network: None)
    network = Network(
        name="instant",
        family=FAMILY,
        onnx_path=Path(),
        decoding=None,
        classes=_CLASSES,
        size_wh=(EDGE, EDGE),
        sha256="0" * 64,
        prefix=options.source.location,
    )
    return Detector(network, InstantEngine(), max_pixels=options.max_pixels, queue_size=options.queue_size)


def main() -> None:
    """Serve until a signal."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
    django.setup()
    from django.core.management import call_command

    with (
        patch("detection.inference.detector.decode_photo", lambda *_arguments, **_options: _PHOTO),
        patch("detection.serving.service.load_detector", instant_detector),
    ):
        call_command("serve")


if __name__ == "__main__":
    main()
