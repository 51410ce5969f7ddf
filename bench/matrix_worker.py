"""Measures the rate of a plain float32 matrix product on all cores, a lower bound for a network's arithmetic.

Two libraries multiply, NumPy's BLAS and OpenVINO, for each is far from the CPU's limit on some CPUs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench import worker
from bench.engine_worker import timed
from detection.inference.engines.openvino_package import ov
from detection.inference.hardware import usable_cores
from detection.inference.types import FloatArray

SIZE = 2048
PRODUCT_FLOPS = 2.0 * SIZE**3


def products(size: int = SIZE) -> dict[str, Callable[[], object]]:
    """Return a function for each library that multiplies two seeded random matrices of `size` x `size`."""
    random = np.random.default_rng(0)
    left: FloatArray = random.standard_normal((size, size), dtype=np.float32)
    right: FloatArray = random.standard_normal((size, size), dtype=np.float32)
    result = left @ right
    request = _openvino_request(left, right)

    def run_openvino() -> None:
        request.start_async()
        request.wait()

    return {"numpy": lambda: np.matmul(left, right, out=result), "openvino": run_openvino}


def _openvino_request(left: FloatArray, right: FloatArray) -> Any:
    """Return an infer request that holds both matrices."""
    first, second = (ov.opset13.parameter(list(matrix.shape), ov.Type.f32) for matrix in (left, right))
    model = ov.Model([ov.opset13.matmul(first, second, False, False)], [first, second], "matrix-product")
    hints = {"INFERENCE_PRECISION_HINT": ov.Type.f32, "INFERENCE_NUM_THREADS": usable_cores()}
    request = ov.Core().compile_model(model, "CPU", hints).create_infer_request()
    request.infer([left, right])
    return request


def main() -> None:
    """Answer {"library": "numpy", "runs": 5} with the seconds of each product, `PRODUCT_FLOPS` operations."""

    def ready() -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        libraries = products()

        def answer(question: Mapping[str, Any]) -> Mapping[str, Any]:
            return timed(libraries[question["library"]], question["runs"])

        return answer

    worker.serve(ready)


if __name__ == "__main__":
    main()
