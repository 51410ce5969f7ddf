"""Measures CUDA: images a second at batches of 1, 8 and 32, the share of the matrix-product rate, start-up, memory, and
the difference from the CPU's numbers, in f32 and f16. With --device tensorrt it measures TensorRT; with --device cpu
the CPU, to try the script.
"""

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import psutil
from onnx import TensorProto, helper

from bench import models, part
from bench.alternate import alternate
from bench.engine_worker import time_runs
from bench.flops import multiply_add_flops
from bench.models import Model
from bench.part import Context
from bench.report import Report, Table, number
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.base import Engine, EngineOptions, Outputs
from detection.inference.engines.devices import CUDA
from detection.inference.engines.registry import create_engine
from detection.inference.errors import InferenceError
from detection.inference.network import Network
from detection.inference.types import ImageArray

CPU = "CPUExecutionProvider"
BATCHES = (1, 8, 32)
PRECISIONS = ("f32", "f16")
_ELEMENT = {"f32": (TensorProto.FLOAT, np.float32), "f16": (TensorProto.FLOAT16, np.float16)}
_MATRIX_SIZE, _CPU_MATRIX_SIZE = 8192, 512
# The product is repeated inside of one call, so that the call itself costs nothing beside it.
_PRODUCTS = 8
_RUNS = 5


def missing_gpu() -> str | None:
    """Return why nothing can be measured here; None where there is a GPU."""
    if CUDA not in ort.get_available_providers():
        return (
            "No GPU is measured: ONNX Runtime has no CUDA here. Install requirements-gpu.txt on a machine with a GPU."
        )
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    try:
        rate = matrix_product("f32", [CUDA], size=64)
    except RuntimeError as error:
        return f"No GPU is measured: {error}"
    rate()
    return None


def matrix_product(precision: str, providers: list[str], *, size: int = _MATRIX_SIZE) -> Callable[[], float]:
    """Return a function that multiplies square matrices on the device once and returns its operations a second.

    Raises RuntimeError when the device that `providers` begins with is not used.
    """
    element, dtype = _ELEMENT[precision]
    names = ["left", *(f"product{index}" for index in range(_PRODUCTS))]
    nodes = [helper.make_node("MatMul", [before, "right"], [after]) for before, after in pairwise(names)]
    shape = [size, size]
    # Rows that sum to one half: repeated products neither overflow nor vanish soon.
    right = np.full(shape, 0.5 / size, dtype=dtype)
    graph = helper.make_graph(
        nodes,
        "matrix-product",
        [helper.make_tensor_value_info("left", element, shape)],
        [helper.make_tensor_value_info(names[-1], element, shape)],
        [onnx.numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=providers)
    if session.get_providers()[0] != providers[0]:
        raise RuntimeError(f"ONNX Runtime does not use {providers[0]}; look at the driver and at requirements-gpu.txt.")
    binding = _bound(session, names[-1], np.ones(shape, dtype=dtype), "cuda" if providers[0] == CUDA else "cpu")

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def rate() -> float:
        run()
        return 2.0 * size**3 * _PRODUCTS / median(time_runs(run, _RUNS))

    return rate


def _bound(session: Any, output: str, left: Any, device: str) -> Any:
    """Bind input and output to the device."""
    binding = session.io_binding()
    binding.bind_ortvalue_input("left", ort.OrtValue.ortvalue_from_numpy(left, device, 0))
    binding.bind_output(output, device)
    return binding


def measure(context: Context) -> None:
    """Measure every model that is on this machine; add a note where there is no GPU."""
    reason = missing_gpu() if context.options.device != "cpu" else None
    if reason is not None:
        context.report.notes.append(reason)
        return
    for name in context.options.models:
        try:
            model = models.model(name, context.folder)
        except models.ModelMissingError as error:
            context.report.notes.append(str(error))
            continue
        _measure_model(context, model)


def _measure_model(context: Context, model: Model) -> None:
    network = prepare_network(model.prefix, 0, model.edge, context.folder / "cache")
    flops = multiply_add_flops(network.onnx_path)
    device = context.options.device
    expected = _answer(_engine(network, "f32", "cpu", context), model.edge)
    rows = []
    for precision in PRECISIONS if device != "cpu" else ("f32",):
        before, started = _used_bytes(device), time.perf_counter()
        try:
            engine = _engine(network, precision, device, context)
        except InferenceError as error:
            context.report.notes.append(f"{model.name}: {precision} is left out. {error}")
            continue
        difference = _difference(_answer(engine, model.edge), expected)
        startup_s = time.perf_counter() - started
        rows += _measure_batches(context, model, engine, flops)
        used_mb = (_used_bytes(device) - before) / 1e6
        engine.close()
        context.report.results[f"{model.name}, {precision}"] = {
            "startup_seconds": startup_s,
            "memory_mb": used_mb,
            "largest_difference_from_cpu": difference,
        }
        rows.append([f"{precision}, start-up and first photo", f"{startup_s:.1f} s", ""])
        rows.append([f"{precision}, memory", f"{used_mb:.0f} MB", ""])
        rows.append([f"{precision}, largest difference from the CPU", f"{difference:.2g}", ""])
    headings = ["", "images/s", "% of the matrix product"]
    context.report.tables.append(Table(f"{model.name} on {device}", headings, rows))


def _measure_batches(context: Context, model: Model, engine: Engine, flops: float) -> list[list[str]]:
    """Measure each batch in turns with the matrix product; return the rows of the table."""
    precision, rows = engine.precision, []
    provider = CUDA if context.options.device != "cpu" else CPU
    contestants: dict[str, Callable[[], float]] = {
        "matrix product": matrix_product(precision, [provider], size=_size(context)),
        **{str(batch): partial(images_per_second, engine, model.edge, batch) for batch in BATCHES},
    }
    found = alternate(contestants, context.options.rounds, tell=context.teller(model.name))
    card = median(found["matrix product"])
    for batch in BATCHES:
        images = median(found[str(batch)])
        share = images * flops / card
        rows.append([f"{precision}, batch {batch}", number(images), number(share * 100)])
        context.report.results[f"{model.name}, {precision}, batch {batch}"] = {
            "images_per_second": images,
            "share_of_matrix_product": share,
            "matrix_flops_per_second": card,
        }
    return rows


def _size(context: Context) -> int:
    """Return the side of the matrices; a CPU would take minutes for those of a GPU."""
    return _MATRIX_SIZE if context.options.device != "cpu" else _CPU_MATRIX_SIZE


def _engine(network: Network, precision: str, device: str, context: Context) -> Engine:
    options = EngineOptions(
        engine="onnxruntime",
        precision=precision,
        device=device,
        cache_dir=context.folder / "cache" / "compiled",
    )
    return create_engine(network, options)


def _answer(engine: Engine, edge: int) -> Outputs:
    images: ImageArray = np.random.default_rng(1).integers(0, 256, (1, edge, edge, 3), dtype=np.uint8)
    return engine.infer(images)


def _difference(found: Outputs, expected: Outputs) -> float:
    """Return the largest absolute difference of any number."""
    return max(float(np.abs(found[name].astype(np.float64) - expected[name]).max()) for name in expected)


def _used_bytes(device: str) -> int:
    """Return the memory in use: all of the GPU's, else this process's."""
    tool = shutil.which("nvidia-smi")
    if device != "cpu" and tool is not None:
        query = [tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        told = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
        return int(told[0]) << 20 if told and told[0].isdecimal() else 0
    return int(psutil.Process().memory_info().rss)


def images_per_second(engine: Engine, edge: int, batch: int) -> float:
    """Return images a second from host memory to host memory, one batch after the other."""
    images: ImageArray = np.random.default_rng(0).integers(0, 256, (batch, edge, edge, 3), dtype=np.uint8)
    engine.infer(images)
    return batch / median(time_runs(lambda: engine.infer(images), _RUNS))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=["cuda", "tensorrt", "cpu"], default="cuda")
    parser.add_argument("--models", nargs="+", choices=models.NAMES, default=list(models.NAMES))


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("gpu", __doc__ or "", measure, rounds=5, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
