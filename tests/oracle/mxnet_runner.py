"""Runs checkpoints and symbols in MXNet itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from numpy.typing import NDArray

from detection.inference.types import FloatArray, ImageArray


@dataclass(frozen=True, slots=True)
class MxnetOutputs:
    """What MXNet makes of a batch of photos.

    cls_prob: (N, C, A); loc_pred: (N, 4 * A); anchors: (A, 4); detections: (N, A, 6), rows of class, probability,
    xmin, ymin, xmax, ymax, where a class of -1 is no detection. All float32.
    """

    cls_prob: FloatArray
    loc_pred: FloatArray
    anchors: FloatArray
    detections: FloatArray

    def found(self, photo: int) -> FloatArray:
        """The final detections of one photo, (K, 6), in MXNet's order."""
        rows: FloatArray = self.detections[photo]
        found: FloatArray = rows[rows[:, 0] >= 0]
        return found


def run_checkpoint(prefix: Path, epoch: int, batch_rgb: ImageArray) -> MxnetOutputs:
    """Run an SSD checkpoint on (N, S, S, 3) uint8 photos."""
    symbol, arguments, auxiliaries = mx.model.load_checkpoint(str(prefix), epoch)
    inputs = symbol.get_children()
    outputs = mx.sym.Group([inputs[0], inputs[1], inputs[2], symbol])
    data = np.ascontiguousarray(batch_rgb.transpose(0, 3, 1, 2), dtype=np.float32)
    cls_prob, loc_pred, anchors, detections = run_symbol(outputs, {**arguments, "data": mx.nd.array(data)}, auxiliaries)
    return MxnetOutputs(cls_prob, loc_pred.reshape(len(batch_rgb), -1), anchors[0], detections)


def run_symbol(symbol: Any, arguments: Mapping[str, Any], auxiliaries: Mapping[str, Any]) -> list[NDArray[Any]]:
    """The outputs of a symbol; arguments that it does not use are left out."""
    names = set(symbol.list_arguments())
    used = {name: value for name, value in arguments.items() if name in names}
    executor = symbol.bind(mx.cpu(), used, aux_states=dict(auxiliaries), grad_req="null")
    return [output.asnumpy() for output in executor.forward(is_train=False)]
