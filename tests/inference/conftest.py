"""Machines with other hardware than this one."""

from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest

from detection.inference.engines import bound_session, devices, openvino_engine
from tests.inference.fake_hardware import FakeBinding, FakeCore, FakeOrtValue, FakeSession


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> FakeCore:
    fake = FakeCore()
    monkeypatch.setattr(openvino_engine, "shared_core", lambda: fake)
    monkeypatch.setattr("detection.inference.engines.openvino_package.shared_core", lambda: fake)
    return fake


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> type[FakeSession]:
    """Two NVIDIA GPUs and an ONNX Runtime that was built for them."""

    class Session(FakeSession):
        created: list[FakeSession] = []

        def io_binding(self) -> Any:
            return FakeBinding(super().io_binding())

        def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
            super().run_with_iobinding(binding._real, options)

    fake = {name: getattr(ort, name) for name in ("RunOptions", "SessionOptions", "OrtDeviceMemoryType")} | {
        "InferenceSession": Session,
        "OrtValue": FakeOrtValue,
        "get_available_providers": lambda: [devices.TENSORRT, devices.CUDA, "CPUExecutionProvider"],
        "get_ep_devices": lambda: [
            SimpleNamespace(ep_name="CPUExecutionProvider"),
            SimpleNamespace(ep_name=devices.CUDA, memory_info=lambda _: "page-locked"),
        ],
    }
    monkeypatch.setattr("detection.inference.engines.onnxruntime_engine.ort", SimpleNamespace(**fake))
    monkeypatch.setattr(bound_session, "ort", SimpleNamespace(**fake))
    monkeypatch.setattr(devices, "cuda_gpus", lambda: 2)
    return Session
