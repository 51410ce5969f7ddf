"""Devices by name, those of the machine, and those that OpenVINO runs; the hardware is a fake."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detection.inference.convert.cache import prepare_network
from detection.inference.engines import devices
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.devices import devices_of, present_devices, title_of
from detection.inference.engines.registry import choose_engine, create_engine, offered_precisions
from detection.inference.engines.several import SeveralDevices
from detection.inference.errors import EngineError
from detection.inference.hardware import cuda_gpus
from detection.inference.network import Network
from detection.inference.precision.choice import settle_precision
from tests.inference.engines import EDGE, BrightnessEngine
from tests.inference.fake_hardware import FakeCore, pictures
from tests.inference.paths import EMBEDDED_PREFIX

MACHINE = ["cuda:0", "cuda:1", "tensorrt:0", "tensorrt:1", "intel-gpu:0", "intel-gpu:1", "npu", "cpu"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return prepare_network(EMBEDDED_PREFIX, 0, 96, tmp_path_factory.mktemp("cache"))


def test_a_machine_lists_its_devices(gpus: object, core: object) -> None:
    assert present_devices() == MACHINE
    assert [title_of(each) for each in ("cpu", "cuda:1", "npu")] == ["CPU", "CUDA GPU 1", "NPU"]


def test_a_driver_that_is_absent_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: (_ for _ in ()).throw(OSError))
    assert cuda_gpus() == 0


@pytest.mark.parametrize(("status", "found"), [(0, 3), (100, 0)])
def test_gpus_are_counted_by_their_driver(status: int, found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(place: Any) -> int:
        place._obj.value = 3
        return 0

    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace(cuInit=lambda _: status, cuDeviceGetCount=count))
    assert cuda_gpus() == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("cpu", ("cpu",)),
        ("auto", ("cuda:0",)),
        ("cuda", ("cuda:0",)),
        ("CUDA:1, cuda:0", ("cuda:1", "cuda:0")),
        ("tensorrt:1", ("tensorrt:1",)),
        ("intel-gpu:1", ("intel-gpu:1",)),
        ("npu", ("npu",)),
    ],
)
def test_devices_are_named(wanted: str, found: tuple[str, ...], gpus: object, core: object) -> None:
    assert devices_of(wanted) == found


def test_auto_takes_what_is_there(core: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_gpus", lambda: 0)
    assert devices_of("auto") == ("intel-gpu:0",)
    core.available_devices = ("CPU", "NPU")
    assert devices_of("auto") == ("cpu",)
    core.available_devices = ("CPU", "GPU")
    assert devices_of("intel-gpu") == ("intel-gpu:0",)


@pytest.mark.parametrize("wanted", ["cuda:2", "gpu", "cuda:x", "intel-gpu:0:1", "cuda:0,tpu", "npu:1", ""])
def test_what_the_machine_lacks_is_refused_with_what_it_has(wanted: str, gpus: object, core: object) -> None:
    with pytest.raises(EngineError, match=f"this machine has {', '.join(MACHINE)}. Set MODEL_DEVICE to one"):
        devices_of(wanted)


def test_devices_of_two_kinds_do_not_share_photos(gpus: object, core: object) -> None:
    with pytest.raises(EngineError, match="have to be of one kind"):
        devices_of("cuda:0,intel-gpu:0")


@pytest.mark.parametrize(
    ("device", "engine"),
    [("cuda:1", "onnxruntime"), ("tensorrt", "onnxruntime"), ("intel-gpu", "openvino"), ("npu", "openvino")],
)
def test_a_device_has_its_engine(device: str, engine: str, gpus: object, core: object) -> None:
    assert choose_engine(EngineOptions(device=device))[0] == engine
    other = {"openvino": "onnxruntime", "onnxruntime": "openvino"}[engine]
    for wrong in (other, "remote"):
        with pytest.raises(EngineError, match=f"MODEL_ENGINE={wrong} does not run on .*: {engine} does"):
            choose_engine(EngineOptions(engine=wrong, device=device))


def test_a_call_goes_to_the_device_with_the_fewest() -> None:
    one, other = BrightnessEngine(max_batch=4), BrightnessEngine(max_batch=4)
    several = SeveralDevices([one, other])
    photo = np.zeros((1, EDGE, EDGE, 3), np.uint8)
    one.go_on.clear()
    busy = threading.Thread(target=several.infer, args=(photo,))
    busy.start()
    assert one.running.acquire(timeout=60)
    for _ in range(2):
        several.infer(photo)
    one.go_on.set()
    busy.join()
    several.infer(photo)
    assert (len(one.batches), len(other.batches)) == (2, 2)
    several.close()
    assert one.closed
    assert other.closed
    assert several.problem() == ""


@pytest.mark.parametrize(("device", "plugin"), [("intel-gpu:1", "GPU.1"), ("npu", "NPU")])
def test_openvino_compiles_once_for_a_device(device: str, plugin: str, core: FakeCore, network: Network) -> None:
    engine = create_engine(network, EngineOptions(device=device, precision="f16", cache_dir=Path("cache")))
    ((name, options),) = core.compiled
    assert name == plugin
    assert {key: str(value) for key, value in options.items()} == {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "<Type: 'float16'>",
        "CACHE_DIR": "cache",
    }
    expected = create_engine(network, EngineOptions(engine="onnxruntime")).infer(pictures(2))["cls_prob"]
    np.testing.assert_allclose(engine.infer(pictures(2))["cls_prob"], expected, atol=1e-3)
    assert engine.prefetch >= 1


def test_network_is_compiled_without_a_cache_that_fails(
    core: FakeCore, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_model = core.compile_model

    def fail_by_another_process(model: object, plugin: str, options: dict[str, object]) -> object:
        if "CACHE_DIR" in options:
            raise RuntimeError("filesystem error: cannot set permissions: No such file or directory")
        return compile_model(model, plugin, options)

    monkeypatch.setattr(core, "compile_model", fail_by_another_process)
    engine = create_engine(network, EngineOptions(device="intel-gpu", precision="f16", cache_dir=Path("cache")))
    assert engine.infer(pictures(1))["cls_prob"].shape[0] == 1


def test_precisions_of_a_device_are_its_own(core: FakeCore, network: Network) -> None:
    openvino = EngineOptions(engine="openvino")
    assert offered_precisions(replace(openvino, device="intel-gpu")) == ("int8", "f16", "f32")
    assert offered_precisions(replace(openvino, device="npu")) == ("f16",)
    with pytest.raises(EngineError, match="NPUs do not compute in f32"):
        create_engine(network, EngineOptions(device="npu"))
    chosen = settle_precision(network, EngineOptions(device="npu", precision="auto"))[1]
    assert (chosen.precision, chosen.precision_reason) == ("f16", "The device computes in nothing wider.")
