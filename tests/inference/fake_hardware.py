"""Fakes of how ONNX Runtime and OpenVINO meet their hardware: a machine whose GPUs and NPU compute on its CPU.

None of these was at hand.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from detection.inference.engines.openvino_package import shared_core
from detection.inference.types import ImageArray


class FakeCore:
    """OpenVINO with two GPUs and an NPU; what is compiled for them runs on the CPU."""

    available_devices: tuple[str, ...] = ("CPU", "GPU.0", "GPU.1", "NPU")
    capabilities: Mapping[str, list[str]] = {"CPU": ["FP32"], "GPU": ["FP32", "FP16", "INT8"], "NPU": ["FP16"]}

    def __init__(self) -> None:
        self.compiled: list[tuple[str, dict[str, Any]]] = []

    def read_model(self, path: Path) -> Any:
        return shared_core().read_model(path)

    def get_property(self, device: str, _name: str) -> list[str]:
        return self.capabilities[device.partition(".")[0]]

    def compile_model(self, model: Any, device: str, options: dict[str, Any]) -> Any:
        self.compiled.append((device, options))
        return shared_core().compile_model(model, "CPU", {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})


class FakeSession(ort.InferenceSession):  # type: ignore[misc]
    """ONNX Runtime's session on the CPU that takes the providers of a GPU and keeps what it was told."""

    created: list["FakeSession"] = []
    refuses = ""
    falls_back = False
    wrong_from_run = 10**9

    def __init__(self, model: Any, options: Any, providers: list[Any]) -> None:
        if any(self.refuses in given for _, given in providers if self.refuses):
            raise RuntimeError("this session cannot use the graph capture feature")
        super().__init__(model, options, providers=["CPUExecutionProvider"])
        self.asked = providers
        self.recordings: list[str] = []
        self.created.append(self)

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"] if self.falls_back else [name for name, _ in self.asked]

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        self.recordings.append(options.get_run_config_entry("gpu_graph_id"))
        super().run_with_iobinding(binding, options)
        if len(self.recordings) >= self.wrong_from_run:
            for value in binding.get_outputs():
                value.update_inplace(np.zeros(value.shape(), np.float32))


class FakeOrtValue:
    """ONNX Runtime's values, where the memory of a GPU is that of the machine."""

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: Any, dtype: Any, memory: str = "", _number: int = 0, *, memory_info: str = ""
    ) -> Any:
        assert memory == "cuda" or memory_info == "page-locked"
        return ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype))


class FakeBinding:
    """ONNX Runtime's binding, which lets it put outputs into the memory of the machine."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def bind_output(self, name: str, memory: str, _number: int) -> None:
        assert memory == "cuda"
        self._real.bind_output(name, "cpu", 0)

    def copy_outputs_to_cpu(self) -> list[Any]:
        return [array.copy() for array in self._real.copy_outputs_to_cpu()]


def pictures(count: int, edge: int = 96) -> ImageArray:
    return np.random.default_rng(count).integers(0, 256, (count, edge, edge, 3), dtype=np.uint8)
