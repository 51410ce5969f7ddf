"""Steps of every rival: this service's own, so that only the serving differs."""

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import steps
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.openvino_package import ov
from detection.inference.network import Network

_PROBABILITY_MORE = 0.5


def arguments() -> argparse.Namespace:
    """Parse a rival's arguments: the port, the checkpoint, and its own variant."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    parser.add_argument("--edge", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    return parser.parse_args()


class Steps:
    """Steps of a detection: decode, resize, run, decode boxes. Thread-safe: each thread has an infer request of its
    own.
    """

    def __init__(self, prefix: Path, edge: int, cache: Path, properties: dict[str, Any]) -> None:
        self._network: Network = prepare_network(prefix, 0, edge, cache)
        core = ov.Core()
        model = core.read_model(self._network.onnx_path)
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": ov.Type.f32, **properties})
        self._names: Sequence[str] = [output.get_any_name() for output in self._compiled.outputs]
        self._of_thread = threading.local()
        # Before there are threads: when two at once are the first to pass an array to OpenVINO's bindings, they may
        # deadlock.
        width, height = self._network.size_wh
        self._request().infer([np.zeros((1, height, width, 3), np.uint8)], share_inputs=True)

    def __call__(self, data: bytes) -> dict[str, Any]:
        """Return the response's body for the bytes of a photo."""
        prepared = steps.prepare(data, self._network)
        request = self._request()
        request.infer([prepared.batch_rgb], share_inputs=True)
        outputs = {name: request.get_output_tensor(index).data for index, name in enumerate(self._names)}
        found = steps.finish(outputs, prepared, self._network)
        return {
            "prediction": [
                {
                    "objectClass": one.class_name,
                    "probability": one.probability,
                    "x": one.box.x,
                    "y": one.box.y,
                    "width": one.box.width,
                    "height": one.box.height,
                }
                for one in found
                if one.probability > _PROBABILITY_MORE
            ]
        }

    def _request(self) -> Any:
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._compiled.create_infer_request()
        return self._of_thread.request
