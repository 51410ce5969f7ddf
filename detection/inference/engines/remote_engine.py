"""Engine that runs the network on a model server: Triton, OpenVINO Model Server, KServe or any other server of the Open
Inference Protocol (KServe's version 2). Photos are decoded and boxes are made here; only the network runs there.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from detection.inference.engines.base import EngineOptions, Outputs, RemoteOptions
from detection.inference.engines.fixed_batch import run_padded
from detection.inference.engines.remote_client import NotTakenError, RemoteClient, open_client
from detection.inference.errors import EngineError, EngineUnavailableError
from detection.inference.network import Network
from detection.inference.periodic import PeriodicThread
from detection.inference.types import ImageArray
from detection.program import PROGRAM

logger = logging.getLogger(__name__)

# Delays before each retry of a request that the server has not begun. REMOTE_URL's timeout covers all tries together.
_BACKOFF_S = (0.1, 0.4)
_MOST_CHECK_S = 2.0
_DEVICE_LETTERS = 64
_DATATYPES: dict[int, str] = {
    onnx.TensorProto.UINT8: "UINT8",
    onnx.TensorProto.FLOAT: "FP32",
    onnx.TensorProto.FLOAT16: "FP16",
    onnx.TensorProto.INT32: "INT32",
    onnx.TensorProto.INT64: "INT64",
}
_DTYPES = {"FP32": np.float32, "FP16": np.float16, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a network: its name, the protocol's type, and its axes; -1 is free."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.datatype} {list(self.shape)}"


class RemoteEngine:
    """Engine that calls a model server, with several requests in flight; a thread checks that the server is ready."""

    name = "remote"
    prefetch = 0
    # The server chooses its own precision.
    precision = "remote"

    def __init__(self, client: RemoteClient, options: RemoteOptions, outputs: Sequence[Tensor], batch: int) -> None:
        self.device = options.url.partition("://")[2][:_DEVICE_LETTERS]
        self._fixed_batch = batch
        self.max_batch = batch or options.batch
        self.lanes = options.connections
        self._client = client
        self._outputs = outputs
        self._timeout_s = options.timeout_s
        self._problem = ""
        self._checker = PeriodicThread("check of the model server", self._check_server, options.check_s)
        self._checker.start()

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`. Raises EngineUnavailableError on a timeout."""
        if self._fixed_batch > 1:
            return run_padded(batch_rgb, self._fixed_batch, self._ask)
        return self._ask(batch_rgb)

    def _ask(self, batch_rgb: ImageArray) -> Outputs:
        deadline = time.monotonic() + self._timeout_s
        for pause_s in (*_BACKOFF_S, None):
            left_s = deadline - time.monotonic()
            try:
                return self._checked(self._client.infer(batch_rgb, left_s), len(batch_rgb))
            except NotTakenError as error:
                if pause_s is None or left_s <= pause_s or self._checker.pause(pause_s):
                    raise EngineUnavailableError("The model server does not answer now. Try again later.") from error
        raise AssertionError("unreachable")

    def problem(self) -> str:
        """See `Engine.problem`."""
        return self._problem

    def close(self) -> None:
        """See `Engine.close`."""
        self._checker.stop()
        self._client.close()

    def _checked(self, answer: Mapping[str, Any], photos: int) -> Outputs:
        """Return the server's outputs, checked to have the types and shapes that the decoding takes."""
        outputs = {}
        for expected in self._outputs:
            array = answer.get(expected.name)
            shape = (photos, *expected.shape[1:])
            dtype = np.dtype(_DTYPES.get(expected.datatype, np.float32))
            if array is None or array.dtype != dtype or not _fits(array.shape, shape):
                got = "nothing" if array is None else f"{array.dtype} {list(array.shape)}"
                raise EngineError(
                    f"The model server answered {got} for the output {expected.name}, which is {dtype} {list(shape)}. "
                    f"Let it serve what `{PROGRAM} export_model` writes."
                )
            if not np.isfinite(array).all():
                raise EngineError(f"The model server answered numbers that are not finite for {expected.name}.")
            outputs[expected.name] = array
        return outputs

    def _check_server(self) -> None:
        ready = self._client.is_ready(min(_MOST_CHECK_S, self._timeout_s))
        problem = "" if ready else f"The model server at {self.device} is not ready. Look at it, and at REMOTE_URL."
        if problem != self._problem:
            logger.warning("%s", problem or f"The model server at {self.device} is ready again.")
        self._problem = problem


def create(network: Network, options: EngineOptions) -> RemoteEngine:
    """Connect, and check that the model there has the inputs and outputs of `network`. Raises EngineError."""
    if options.precision not in {"f32", "auto"}:
        raise EngineError("With MODEL_ENGINE=remote the model server chooses the precision: unset MODEL_PRECISION.")
    if not options.remote.url:
        raise EngineError("MODEL_ENGINE=remote needs REMOTE_URL: http://HOST:PORT or grpc://HOST:PORT of the server.")
    inputs, outputs = _signature(network)
    model = options.remote.model or network.name
    client = open_client(options.remote, model, inputs[0].name, [each.name for each in outputs])
    try:
        theirs = client.metadata(options.remote.timeout_s)
        batch = _check(theirs, inputs, outputs, client.model)
        client.settle(np.zeros((batch or 1, *inputs[0].shape[1:]), np.uint8), options.remote.timeout_s)
    except NotTakenError as error:
        client.close()
        raise EngineError(
            f"No model server answers at {options.remote.url}. Start it, or set REMOTE_URL. ({error})"
        ) from error
    except EngineError:
        client.close()
        raise
    return RemoteEngine(client, options.remote, outputs, batch)


def offered_precisions(_options: EngineOptions) -> tuple[str, ...]:
    """See `registry.offered_precisions`: the server chooses the precision."""
    return ("f32",)


def _signature(network: Network) -> tuple[list[Tensor], list[Tensor]]:
    try:
        graph = onnx.load(network.onnx_path, load_external_data=False).graph
    except Exception as error:  # protobuf's errors have no common base that onnx exposes
        raise EngineError(f"The network {network.name} cannot be read: {error}") from error
    weights = {each.name for each in graph.initializer}
    return [_tensor(each) for each in graph.input if each.name not in weights], [_tensor(each) for each in graph.output]


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    tensor = value.type.tensor_type
    axes = tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in tensor.shape.dim)
    return Tensor(value.name, _DATATYPES.get(tensor.elem_type, "?"), axes)


def _check(metadata: Mapping[str, Any], inputs: Sequence[Tensor], outputs: Sequence[Tensor], model: str) -> int:
    """Return how many photos a request to the model there has; 0 where any number. Raises EngineError when it is
    another network.
    """
    theirs = {part: _tensors(metadata, part) for part in ("inputs", "outputs")}
    for part, ours in (("inputs", inputs), ("outputs", outputs)):
        for tensor in ours:
            found = theirs[part].get(tensor.name)
            if found is None or found.datatype != tensor.datatype or not _fits(found.shape, tensor.shape):
                known = ", ".join(map(str, theirs[part].values())) or "none"
                raise EngineError(
                    f"The model {model} there does not fit: {tensor} is missing among its {part} ({known}). Let it "
                    f"serve what `{PROGRAM} export_model` writes, or name another one by "
                    "model= in REMOTE_URL, or by MODEL_PREFIX here."
                )
    free = {tensor.shape[0] for part in theirs.values() for tensor in part.values() if tensor.shape}
    if free == {-1}:
        return 0
    return next((tensor.shape[0] for tensor in theirs["inputs"].values() if tensor.shape and tensor.shape[0] > 1), 1)


def _tensors(metadata: Mapping[str, Any], part: str) -> dict[str, Tensor]:
    try:
        return {
            str(row["name"]): Tensor(str(row["name"]), str(row["datatype"]), tuple(int(axis) for axis in row["shape"]))
            for row in metadata.get(part, ())
        }
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"The model server describes its {part} in a way that cannot be understood.") from error


def _fits(shape: Sequence[int], expected: Sequence[int]) -> bool:
    """Return whether two shapes are equal, but for axes that one of them leaves free."""
    return len(shape) == len(expected) and all(-1 in {a, b} or a == b for a, b in zip(shape, expected, strict=True))
