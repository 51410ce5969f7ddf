"""Runs any number of photos on networks that were exported for a fixed number of them, above one."""

from collections.abc import Callable

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.errors import EngineError
from detection.inference.types import ImageArray


def run_padded(batch_rgb: ImageArray, size: int, run: Callable[[ImageArray], Outputs]) -> Outputs:
    """Run photos in groups of `size`, the last one filled up with its last photo, and return their outputs, N first.

    Raises EngineError where an output has no axis for the batch.
    """
    parts = [_run_group(batch_rgb[first : first + size], size, run) for first in range(0, len(batch_rgb), size)]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _run_group(group_rgb: ImageArray, size: int, run: Callable[[ImageArray], Outputs]) -> Outputs:
    missing = size - len(group_rgb)
    filled = np.concatenate([group_rgb, np.repeat(group_rgb[-1:], missing, axis=0)]) if missing else group_rgb
    outputs = run(filled)
    for name, array in outputs.items():
        if array.shape[:1] != (size,):
            raise EngineError(
                f"The network takes {size} photos at a time, and its output {name} of {array.shape} does not keep them "
                "apart. Export it for one photo at a time."
            )
    return {name: array[: len(group_rgb)] for name, array in outputs.items()}
