"""YuNet, a detector of faces: for each stride outputs `cls`, `obj`, `bbox` and `kps`, the last of which is not read.

Source: FaceDetectorYNImpl::postProcess in modules/objdetect/src/face_detect.cpp of opencv/opencv.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.families.base import (
    Family,
    cells_of,
    require_outputs,
    require_probabilities,
    require_share,
    require_strides,
)
from detection.inference.families.declaration import Declaration
from detection.inference.families.declared import decode_as
from detection.inference.network import Network
from detection.inference.types import Detections


@dataclass(frozen=True, slots=True)
class YuNetDecoding:
    """A card's `[decoding]`.

    strides: pixels between cells, which end the names of the outputs (`cls_8`). iou_threshold: a box that a more
    probable one overlaps by more is suppressed.
    """

    strides: tuple[int, ...] = (8, 16, 32)
    iou_threshold: float = 0.3

    def __post_init__(self) -> None:
        require_strides(self.strides)
        require_share("iou_threshold", self.iou_threshold)


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode classes (cells, 1), objectness (cells, 1) and boxes (cells, 4) of all strides; the probability of a face
    is the geometric mean of the first two.
    """
    clamped = {name: array if name.startswith("bbox") else np.clip(array, 0, 1) for name, array in outputs.items()}
    found = decode_as(_declared(network.decoding), clamped, network, min_probability**2)
    return Detections(found.boxes_xyxy_unit, np.sqrt(found.scores), found.class_ids)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when outputs or cells disagree with card and input, or values are not probabilities."""
    expected: dict[str, tuple[int, ...]] = {}
    for stride in network.decoding.strides:
        cells, classes = len(cells_of(network.size_wh, (stride,))[1]), len(network.classes)
        expected |= {f"cls_{stride}": (cells, classes), f"obj_{stride}": (cells, 1), f"bbox_{stride}": (cells, 4)}
    require_outputs(outputs, network, expected)
    for name in expected:
        if not name.startswith("bbox"):
            require_probabilities(outputs[name], network)


@cache
def _declared(decoding: YuNetDecoding) -> Declaration:
    """Return what the decoding says in the words of the family `declared`."""
    classes, objectness, boxes = (
        tuple(f"{part}_{stride}" for stride in decoding.strides) for part in ("cls", "obj", "bbox")
    )
    return Declaration(
        boxes,
        classes,
        objectness=objectness,
        box="cxcywh",
        unit="stride",
        strides=decoding.strides,
        nms=decoding.iou_threshold,
    )


FAMILY = Family(decode, check, YuNetDecoding)
