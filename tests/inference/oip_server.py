"""Model servers that speak the Open Inference Protocol on this machine, HTTP and gRPC, and fail in the ways of servers.

They serve one tiny network (`tiny_network`), by ONNX Runtime. They share no code with the client under test but the
definitions of gRPC's messages.
"""

import json
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper
from tritonclient.grpc import service_pb2, service_pb2_grpc

from detection.inference.network import Network
from detection.inference.types import ImageArray
from tests.inference.engines import EDGE, small_network
from tests.support.loopback import serving

NAME = "tiny"
# The protocol's names of NumPy's types, and of ONNX Runtime's.
_TYPES = {
    "float32": "FP32",
    "float": "FP32",
    "float64": "FP64",
    "int32": "INT32",
    "int64": "INT64",
}


def tiny_network(folder: Path, batch: int | str = "N", *, labels: int | None = None) -> Network:
    """`small_network` with a graph: one object whose probability is the photo's mean brightness.

    labels: ONNX type of a further output, the mean brightness of 0 to 255 as a whole number.
    """
    nodes = [
        helper.make_node("Cast", ["image_rgb"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "most"], ["flat"]),
        helper.make_node("Reshape", ["flat", "column"], ["light"]),
        helper.make_node("Sub", ["one", "light"], ["background"]),
        helper.make_node("Mul", ["light", "zero"], ["dark"]),
        helper.make_node("Concat", ["background", "dark", "light"], ["cls_prob"], axis=1),
        helper.make_node("Reshape", ["dark", "row"], ["none"]),
        helper.make_node("Concat", ["none"] * 4, ["loc_pred"], axis=1),
    ]
    outputs = [
        helper.make_tensor_value_info("cls_prob", TensorProto.FLOAT, [batch, 3, 1]),
        helper.make_tensor_value_info("loc_pred", TensorProto.FLOAT, [batch, 4]),
    ]
    if labels is not None:
        nodes.append(helper.make_node("Cast", ["mean"], ["labels"], to=labels))
        outputs.append(helper.make_tensor_value_info("labels", labels, [batch]))
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("most", 255), ("one", 1), ("zero", 0))]
    constants += [
        helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape)
        for name, shape in (("column", [-1, 1, 1]), ("row", [-1, 1]))
    ]
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("image_rgb", TensorProto.UINT8, [batch, EDGE, EDGE, 3])],
        outputs,
        constants,
    )
    path = folder / f"{NAME}-{batch}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return replace(small_network(), name=NAME, onnx_path=path)


@dataclass
class Plan:
    """What a server answers. Each of `failures` answers one inference in the place of the network:

    an HTTP status; "garbage"; "shape", "type", "nan", "missing" for wrong tensors; "hang", "dribble" until the end.
    """

    network: Network
    url: str = ""
    ready: bool = True
    binary: bool = True
    failures: list[int | str] = field(default_factory=list)
    always: int | str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.go_on.set()
        session = ort.InferenceSession(self.network.onnx_path, providers=["CPUExecutionProvider"])
        self._session = session
        axes = [-1 if isinstance(axis, str) else axis for axis in session.get_inputs()[0].shape]
        self.metadata = {
            "name": NAME,
            "versions": ["1"],
            "platform": "onnx",
            "inputs": [{"name": "image_rgb", "datatype": "UINT8", "shape": axes}],
            "outputs": [
                {"name": each.name, "datatype": _TYPES[each.type[7:-1]], "shape": [axes[0], *each.shape[1:]]}
                for each in session.get_outputs()
            ],
        }

    def failure(self) -> int | str | None:
        with self.lock:
            return self.failures.pop(0) if self.failures else self.always

    def run(self, batch_rgb: ImageArray, failure: int | str | None) -> dict[str, Any]:
        with self.asked:
            self.batches.append(len(batch_rgb))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.asked.notify_all()
        assert self.go_on.wait(60)
        names = [each.name for each in self._session.get_outputs()]
        found = dict(zip(names, self._session.run(names, {"image_rgb": batch_rgb}), strict=True))
        cls_prob = found["cls_prob"]
        with self.lock:
            self.at_once -= 1
        spoiled = {
            "shape": cls_prob[:, :2],
            "type": cls_prob.astype(np.float64),
            "nan": np.full_like(cls_prob, np.nan),
        }
        if failure == "missing":
            del found["cls_prob"]
            return found
        return found | {"cls_prob": spoiled.get(str(failure), cls_prob)}

    def wait_for_requests(self, count: int) -> None:
        """Until so many inferences have come in."""
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.batches) >= count, 60)


@contextmanager
def http_server(plan: Plan, port: int = 0) -> Iterator[Plan]:
    """Serve over HTTP until the block ends."""
    handler = type("Handler", (_Handler,), {"plan": plan})
    with serving(handler, port=port, end=plan.end.set, waits_for_requests=False) as plan.url:
        yield plan


class _Handler(BaseHTTPRequestHandler):
    plan: Plan

    def do_GET(self) -> None:
        if self.path.endswith("/ready"):
            self.answer(200 if self.plan.ready else 503, b"{}")
        elif self.path in {f"/v2/models/{NAME}", f"/v2/models/{NAME}/versions/1"}:
            self.answer(200, json.dumps(self.plan.metadata).encode())
        else:
            self.answer(404, b'{"error": "no such model"}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        failure = self.plan.failure()
        if isinstance(failure, int):
            self.answer(failure, b'{"error": "told to fail"}')
        elif failure == "garbage":
            self.answer(200, b"\xff<html>")
        elif failure == "hang":
            self.plan.end.wait()
        elif failure == "dribble":
            self.dribble()
        else:
            self.infer(body, failure)

    def infer(self, body: bytes, failure: int | str | None) -> None:
        length = self.headers.get("Inference-Header-Content-Length")
        if length is not None and not self.plan.binary:
            self.answer(400, b'{"error": "no JSON"}')
            return
        header = json.loads(body if length is None else body[: int(length)])
        (photos,) = header["inputs"]
        assert isinstance(header["id"], str)
        pixels = photos["data"] if length is None else np.frombuffer(body[int(length) :], np.uint8)
        outputs = self.plan.run(np.array(pixels, np.uint8).reshape(photos["shape"]), failure)
        binary = all(each["parameters"]["binary_data"] for each in header["outputs"])
        rows: list[dict[str, Any]] = [
            {"name": name, "datatype": _TYPES[str(array.dtype)], "shape": list(array.shape)}
            for name, array in outputs.items()
        ]
        for row, array in zip(rows, outputs.values(), strict=True):
            row.update({"parameters": {"binary_data_size": array.nbytes}} if binary else {"data": array.tolist()})
        head = json.dumps({"model_name": NAME, "outputs": rows}).encode()
        tail = b"".join(array.tobytes() for array in outputs.values()) if binary else b""
        self.answer(200, head + tail, {"Inference-Header-Content-Length": str(len(head))} if binary else {})

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def dribble(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.plan.end.wait(0.01):
            self.wfile.write(b" ")

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True


@contextmanager
def grpc_server(plan: Plan, port: int = 0) -> Iterator[Plan]:
    """Serve over gRPC until the block ends."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Servicer(plan), server)
    plan.url = f"grpc://127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    try:
        yield plan
    finally:
        plan.end.set()
        server.stop(None).wait()


_CODES = {503: grpc.StatusCode.UNAVAILABLE, 500: grpc.StatusCode.INTERNAL}


class _Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def ModelReady(self, _request: Any, _context: Any) -> Any:  # noqa: N802 the protocol's name
        return service_pb2.ModelReadyResponse(ready=self._plan.ready)

    def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name != NAME:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        answer = service_pb2.ModelMetadataResponse(name=NAME)
        for part in ("inputs", "outputs"):
            for row in self._plan.metadata[part]:
                getattr(answer, part).add(**row)
        return answer

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        failure = self._plan.failure()
        if isinstance(failure, int):
            context.abort(_CODES[failure], "told to fail")
        if failure in {"hang", "dribble"}:
            self._plan.end.wait()
        pixels = np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(list(request.inputs[0].shape))
        answer = service_pb2.ModelInferResponse(model_name=NAME)
        for name, array in self._plan.run(pixels, failure).items():
            answer.outputs.add(name=name, datatype=_TYPES[str(array.dtype)], shape=list(array.shape))
            # What "garbage" means here: fewer bytes than the shape needs.
            answer.raw_output_contents.append(array.tobytes()[: -3 if failure == "garbage" else None])
        return answer
