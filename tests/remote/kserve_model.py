"""KServe's own model server with a model that `manage.py export_model --for triton` wrote.

It runs in an environment of its own:

    python kserve_model.py --repository FOLDER --model NAME --http_port 8080 --grpc_port 8081

It imports nothing of this project.
"""

import argparse
import functools
from pathlib import Path
from typing import Any

import grpc.aio
import kserve
import numpy as np
import onnxruntime as ort
import uvicorn
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

_TYPES = {"tensor(uint8)": "UINT8", "tensor(float)": "FP32"}


class OnnxModel(Model):
    """One network in ONNX Runtime."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name)
        self._session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.ready = True

    async def get_input_types(self) -> list[dict[str, Any]]:
        """Names, types and shapes, for the metadata."""
        return [_described(each) for each in self._session.get_inputs()]

    async def get_output_types(self) -> list[dict[str, Any]]:
        """Names, types and shapes, for the metadata."""
        return [_described(each) for each in self._session.get_outputs()]

    def predict(self, payload: InferRequest, *_more: Any, **_options: Any) -> InferResponse:
        """Run the network on the first tensor."""
        names = [each.name for each in self._session.get_outputs()]
        photos = payload.inputs[0]
        outputs = []
        for name, array in zip(names, self._session.run(names, {photos.name: photos.as_numpy()}), strict=True):
            output = InferOutput(name, list(array.shape), "FP32")
            output.set_data_from_numpy(np.ascontiguousarray(array))
            outputs.append(output)
        return InferResponse(
            payload.id,
            self.name,
            outputs,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


def _described(value: Any) -> dict[str, Any]:
    shape = [axis if isinstance(axis, int) else -1 for axis in value.shape]
    return {"name": value.name, "datatype": _TYPES[value.type], "shape": shape}


def listen_on_this_machine_only() -> None:
    """KServe listens on all addresses and has no setting for another one."""
    configure = uvicorn.Config.__init__
    add_port = grpc.aio._server.Server.add_insecure_port

    @functools.wraps(configure)
    def configure_loopback(config: Any, *arguments: Any, **options: Any) -> None:
        configure(config, *arguments, **{**options, "host": "127.0.0.1"})

    def add_loopback_port(server: Any, address: str) -> int:
        return add_port(server, f"127.0.0.1:{address.rpartition(':')[2]}")

    uvicorn.Config.__init__ = configure_loopback
    grpc.aio._server.Server.add_insecure_port = add_loopback_port


def main() -> None:
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--model", required=True)
    arguments, _ = parser.parse_known_args()
    listen_on_this_machine_only()
    path = arguments.repository / arguments.model / "1" / "model.onnx"
    ModelServer().start([OnnxModel(arguments.model, path)])


if __name__ == "__main__":
    main()
