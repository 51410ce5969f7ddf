"""Engine on MXNet itself, retired in 2023: for existing installations, and as the reference of the other engines."""

import json
import threading
from typing import Any

import mxnet as mx
import numpy as np

from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.engines.devices import CPU, number_of, title_of
from detection.inference.errors import EngineError
from detection.inference.network import Network
from detection.inference.types import ImageArray

_DETECTION_OPERATORS = {"_contrib_MultiBoxDetection", "MultiBoxDetection"}
_MAX_BATCH_ON_GPU = 32


class MxNetEngine:
    """The checkpoint in MXNet, cut before its MultiBoxDetection; runs one call at a time, as MXNet's executors
    require.
    """

    name = "mxnet"
    prefetch = 0
    precision = "f32"

    def __init__(self, network: Network, device: str) -> None:
        gpu = device != CPU
        self._context = mx.gpu(number_of(device)) if gpu else mx.cpu()
        self.device = title_of(device)
        self.max_batch = _MAX_BATCH_ON_GPU if gpu else 1
        self.lanes = 1 if gpu else 0
        symbol, self._arguments, self._auxiliary = mx.model.load_checkpoint(str(network.prefix), network.epoch)
        self._symbol = _cut(symbol)
        self._input_name = _input_name(self._symbol, self._arguments)
        self._executors: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`."""
        batch_nchw = np.ascontiguousarray(batch_rgb.transpose(0, 3, 1, 2), dtype=np.float32)
        try:
            with self._lock:
                outputs = self._executor(batch_nchw.shape).forward(
                    is_train=False, **{self._input_name: mx.nd.array(batch_nchw, ctx=self._context)}
                )
                cls_prob, loc_pred = (output.asnumpy() for output in outputs)
        except mx.base.MXNetError as error:
            raise EngineError(f"MXNet failed on a photo: {error}") from error
        return {"cls_prob": cls_prob, "loc_pred": loc_pred.reshape(len(batch_rgb), -1)}

    def problem(self) -> str:
        """See `Engine.problem`: a loaded network stays usable."""
        return ""

    def close(self) -> None:
        """See `Engine.close`."""
        self._executors.clear()

    def _executor(self, shape: tuple[int, ...]) -> Any:
        """Return the executor for one input shape; MXNet plans its memory per shape."""
        if shape not in self._executors:
            executor = self._symbol.simple_bind(ctx=self._context, grad_req="null", **{self._input_name: shape})
            executor.copy_params_from(self._arguments, self._auxiliary, allow_extra_params=True)
            self._executors[shape] = executor
        return self._executors[shape]


def _cut(symbol: Any) -> Any:
    """Return the outputs that feed MultiBoxDetection: class probabilities and box regression."""
    nodes = json.loads(symbol.tojson())["nodes"]
    heads = [node for node in nodes if node["op"] in _DETECTION_OPERATORS]
    if len(heads) != 1:
        raise EngineError(f"The checkpoint has {len(heads)} MultiBoxDetection layers; MODEL_ENGINE=mxnet needs one.")
    internals = symbol.get_internals()
    names = [nodes[index]["name"] + "_output" for index, *_ in heads[0]["inputs"][:2]]
    return mx.sym.Group([internals[name] for name in names])


def _input_name(symbol: Any, arguments: dict[str, Any]) -> str:
    free = [name for name in symbol.list_arguments() if name not in arguments]
    if len(free) != 1:
        raise EngineError(f"The checkpoint has the inputs {', '.join(free) or 'none'}; one, the photo, is needed.")
    return str(free[0])


def offered_precisions(_options: EngineOptions) -> tuple[str, ...]:
    """See `registry.offered_precisions`."""
    return ("f32",)


def create(network: Network, options: EngineOptions) -> MxNetEngine:
    """Load the checkpoint into MXNet. Raises EngineError."""
    if network.family != "mxnet_ssd":
        raise EngineError(
            f"MODEL_ENGINE=mxnet runs checkpoints of MXNet, and {network.name} is none. Set MODEL_PREFIX to one, "
            "models/mobilenet_ssd_voc say, or MODEL_ENGINE=auto."
        )
    if options.precision not in {"auto", "f32"}:
        raise EngineError(f"MODEL_PRECISION={options.precision} is not offered by MXNet. Use f32.")
    if options.device != CPU and mx.context.num_gpus() <= number_of(options.device):
        raise EngineError(
            f"MXNet does not see the device {options.device}. Install the wheel for its CUDA version "
            "(requirements-mxnet.txt has the table), or set MODEL_DEVICE=cpu."
        )
    try:
        return MxNetEngine(network, options.device)
    except mx.base.MXNetError as error:
        raise EngineError(f"MXNet cannot load the checkpoint {network.prefix}: {error}") from error
