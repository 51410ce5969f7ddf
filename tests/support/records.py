"""Records as the service submits them to the recorder."""

from typing import Any

from detection.history.recorder import Record
from detection.inference.photos.decode import read_info
from detection.inference.types import FoundObject, PixelBox
from tests.support import photos

CAT = FoundObject(7, "cat", 0.9, PixelBox(6, 4, 32, 16), (0.1, 0.125, 0.6, 0.625))
WEAK_DOG = FoundObject(11, "dog", 0.2, PixelBox(0, 0, 8, 8), (0.0, 0.0, 0.125, 0.25))


def record(data: bytes | None = None, **changes: Any) -> Record:
    """Return a record of a small photo in which a cat and, weakly, a dog were found."""
    photo = photos.encode(photos.two_colours()) if data is None else data
    given: dict[str, Any] = {
        "data": photo,
        "info": read_info(photo, max_pixels=10**9),
        "original_name": "cat.jpg",
        "objects": (CAT, WEAK_DOG),
        "threshold": 0.5,
        "timings_ms": {"decode": 1.5},
        "source": "api",
        "model_name": "mobilenet_ssd_voc",
        "model_sha256": "ab" * 32,
        "engine": "openvino",
        "device": "CPU",
        "precision": "f32",
    }
    return Record(**(given | changes))
