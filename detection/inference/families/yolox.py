"""YOLOX: one output (cells, 5 + classes): box, objectness and class probabilities, the last two after their sigmoid.

Source: demo_postprocess in yolox/utils/demo_utils.py and postprocess in yolox/utils/boxes.py of
Megvii-BaseDetection/YOLOX.
"""

from dataclasses import dataclass
from functools import cache

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.base import (
    Family,
    cells_of,
    only_output,
    require_outputs,
    require_probabilities,
    require_share,
    require_strides,
)
from detection.inference.families.declaration import Declaration
from detection.inference.families.declared import decode_as
from detection.inference.network import Network
from detection.inference.types import Detections

_BOX, _CLASSES = 4, 5


@dataclass(frozen=True, slots=True)
class YoloxDecoding:
    """A card's `[decoding]`.

    strides: pixels between cells, level by level; decoded: whether the export's boxes are in pixels already.
    iou_threshold: a box that a more probable one of its class overlaps by more is suppressed.
    """

    strides: tuple[int, ...] = (8, 16, 32)
    decoded: bool = False
    iou_threshold: float = 0.45

    def __post_init__(self) -> None:
        require_strides(self.strides)
        require_share("iou_threshold", self.iou_threshold)
        if self.decoded is not True and self.decoded is not False:
            raise ValueError("decoded has to be true or false")


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode the output (cells, 5 + classes); each cell has one box, of its most probable class."""
    return decode_as(_declared(outputs, network), outputs, network, min_probability)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when cells or columns disagree with card and input, or values are not probabilities."""
    only_output(outputs, network)
    count = len(cells_of(network.size_wh, network.decoding.strides)[1])
    require_outputs(outputs, network, {next(iter(outputs)): (count, _CLASSES + len(network.classes))})
    cells = only_output(outputs, network)
    require_probabilities(cells[:, _BOX:], network)
    # Centres in pixels spread over the whole input; offsets from a cell are a few at most.
    looks_decoded = bool(cells[:, :2].max() > network.edge / 2)
    if looks_decoded is not network.decoding.decoded:
        raise CheckpointError(
            f"{network.name} answers with {'pixels' if looks_decoded else 'offsets from cells'} for boxes. Set "
            f"`decoded = {str(looks_decoded).lower()}` under [decoding] in its model card."
        )


def _declared(outputs: Outputs, network: Network) -> Declaration:
    only_output(outputs, network)
    return _of_decoding(network.decoding, next(iter(outputs)))


@cache
def _of_decoding(decoding: YoloxDecoding, output: str) -> Declaration:
    """Return what the decoding says in the words of the family `declared`."""
    return Declaration(
        f"{output}[0:4]",
        f"{output}[{_CLASSES}:]",
        objectness=f"{output}[{_BOX}]",
        box="cxcywh",
        unit="pixel" if decoding.decoded else "stride",
        strides=() if decoding.decoded else decoding.strides,
        nms=decoding.iou_threshold,
    )


FAMILY = Family(decode, check, YoloxDecoding, _declared)
