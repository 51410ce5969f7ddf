"""Measures CUDA: images a second at batches of 1, 8 and 32 in f32 and f16, and the share of the matrix-product rate."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from bench import models, part
from bench.alternate import alternate
from bench.engine_worker import time_runs
from bench.flops import multiply_add_flops
from bench.models import Model
from bench.part import Context
from bench.report import Report, Table, number
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.errors import InferenceError
from detection.inference.types import ImageArray

CUDA = "CUDAExecutionProvider"
BATCHES = (1, 8, 32)
PRECISIONS = ("f32", "f16")
_ELEMENT = {"f32": (TensorProto.FLOAT, np.float32), "f16": (TensorProto.FLOAT16, np.float16)}
_MATRIX_SIZE = 8192
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
    reason = missing_gpu()
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
    rows = []
    for precision in PRECISIONS:
        options = EngineOptions(
            engine="onnxruntime", precision=precision, gpu=True, cache_dir=context.folder / "cache" / "compiled"
        )
        try:
            engine = create_engine(network, options)
        except InferenceError as error:
            context.report.notes.append(f"{model.name}: {precision} is left out. {error}")
            continue
        contestants: dict[str, Callable[[], float]] = {
            "matrix product": matrix_product(precision, [CUDA]),
            **{str(batch): partial(images_per_second, engine, model.edge, batch) for batch in BATCHES},
        }
        found = alternate(contestants, context.options.rounds, tell=context.teller(model.name))
        engine.close()
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
    context.report.tables.append(Table(f"{model.name} on CUDA", ["", "images/s", "% of the matrix product"], rows))


def images_per_second(engine: Engine, edge: int, batch: int) -> float:
    """Return images a second from host memory to host memory, one batch after the other."""
    images: ImageArray = np.random.default_rng(0).integers(0, 256, (batch, edge, edge, 3), dtype=np.uint8)
    engine.infer(images)
    return batch / median(time_runs(lambda: engine.infer(images), _RUNS))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", nargs="+", choices=models.NAMES, default=list(models.NAMES))


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("gpu", __doc__ or "", measure, rounds=5, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
