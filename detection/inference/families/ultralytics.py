"""YOLO as Ultralytics exports it: boxes in pixels of the input, all sigmoids taken.

Three heads, by what one photo's output is: v8 (also v9, 11, 12) has (4 + classes, cells), v5 (also v7) has
(cells, 5 + classes) with an objectness before the classes, end-to-end (v10, 26) has (objects, 6) without duplicates.
Source: non_max_suppression in ultralytics/utils/nms.py of ultralytics/ultralytics and in utils/general.py of
ultralytics/yolov5.
"""

from dataclasses import dataclass
from functools import cache

from detection.inference.engines.base import Outputs
from detection.inference.families.base import (
    MAX_CANDIDATES,
    Family,
    only_output,
    require_labels,
    require_outputs,
    require_probabilities,
    require_share,
)
from detection.inference.families.declaration import Declaration
from detection.inference.families.declared import decode_as
from detection.inference.network import Network
from detection.inference.types import Detections

_HEADS = ("v8", "v5", "end_to_end")
_BOX = 4
_SCORE, _CLASS, _COLUMNS = 4, 5, 6


@dataclass(frozen=True, slots=True)
class UltralyticsDecoding:
    """A card's `[decoding]`.

    head: "v8", "v5" or "end_to_end". iou_threshold: a box that a more probable one of its class overlaps by more is
    suppressed; an end-to-end network has none of those.
    """

    head: str = "v8"
    iou_threshold: float = 0.7

    def __post_init__(self) -> None:
        if self.head not in _HEADS:
            raise ValueError(f"head has to be one of {', '.join(_HEADS)}")
        require_share("iou_threshold", self.iou_threshold)


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode the output of the head, see above; each cell has one box, of its most probable class."""
    return decode_as(_declared(outputs, network), outputs, network, min_probability)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when the output is not that of the head with as many classes, or not of probabilities."""
    head, classes = network.decoding.head, len(network.classes)
    output = only_output(outputs, network)
    rows, columns = output.shape if output.ndim == 2 else (0, 0)  # noqa: PLR2004 a matrix
    shapes = {"v8": (_BOX + classes, columns), "v5": (rows, _BOX + 1 + classes), "end_to_end": (rows, _COLUMNS)}
    require_outputs(outputs, network, {next(iter(outputs)): shapes[head]})
    if head == "end_to_end":
        require_probabilities(output[:, _SCORE], network)
        require_labels(output[:, _CLASS], network, classes)
    else:
        require_probabilities(output[_BOX:] if head == "v8" else output[:, _BOX:], network)


def _declared(outputs: Outputs, network: Network) -> Declaration:
    only_output(outputs, network)
    return _of_head(network.decoding, next(iter(outputs)))


@cache
def _of_head(decoding: UltralyticsDecoding, output: str) -> Declaration:
    """Return what the head says in the words of the family `declared`."""
    if decoding.head == "end_to_end":
        # Padding has a score of 0.
        return Declaration(f"{output}[0:4]", f"{output}[{_SCORE}]", labels=f"{output}[{_CLASS}]", top=MAX_CANDIDATES)
    is_v5 = decoding.head == "v5"
    return Declaration(
        f"{output}[0:4]",
        f"{output}[{_BOX + is_v5}:]",
        objectness=f"{output}[{_BOX}]" if is_v5 else "",
        box="cxcywh",
        turned=not is_v5,
        nms=decoding.iou_threshold,
    )


FAMILY = Family(decode, check, UltralyticsDecoding, _declared)
