"""Single-shot detectors of MXNet: outputs `cls_prob` and `loc_pred`, anchors from MultiBoxPrior."""

from dataclasses import dataclass

from detection.inference.boxes import decode_boxes
from detection.inference.decoding import MultiBoxDecoding
from detection.inference.engines.base import Outputs
from detection.inference.families.base import Family, require_outputs
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SsdDecoding:
    """Parameters from the checkpoint.

    anchors: (A, 4) float32, xmin, ymin, xmax, ymax in fractions of the photo; multibox: of its MultiBoxDetection.
    """

    anchors: FloatArray
    multibox: MultiBoxDecoding


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode `cls_prob` (C, A), class 0 the background, and `loc_pred` (4A,) to objects; see `boxes.decode_boxes`."""
    decoding: SsdDecoding = network.decoding
    return decode_boxes(
        outputs["cls_prob"],
        outputs["loc_pred"],
        decoding.anchors,
        decoding.multibox,
        min_probability=min_probability,
    )


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when the outputs do not fit anchors and classes."""
    count = len(network.decoding.anchors)
    require_outputs(outputs, network, {"cls_prob": (len(network.classes) + 1, count), "loc_pred": (4 * count,)})


FAMILY = Family(decode, check)
