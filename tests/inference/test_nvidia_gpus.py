"""ONNX Runtime on NVIDIA's GPUs, through CUDA and TensorRT; the hardware is a fake."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detection.inference.convert.cache import prepare_network
from detection.inference.engines import devices
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine, offered_precisions
from detection.inference.errors import EngineError
from detection.inference.network import Network
from tests.inference.exports import network_at, small_export
from tests.inference.fake_hardware import FakeSession, pictures
from tests.inference.paths import EMBEDDED_PREFIX


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return prepare_network(EMBEDDED_PREFIX, 0, 96, tmp_path_factory.mktemp("cache"))


def test_cuda_finds_what_the_cpu_finds(gpus: type[FakeSession], network: Network) -> None:
    expected = create_engine(network, EngineOptions(engine="onnxruntime"))
    engine = create_engine(network, EngineOptions(device="cuda:1"))
    assert (engine.device, engine.max_batch, engine.lanes) == ("CUDA GPU 1", 32, 1)
    for count in (1, 3, 3, 3, 5, 32):
        found = engine.infer(pictures(count))
        for name, array in expected.infer(pictures(count)).items():
            assert found[name].shape == array.shape
            np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-4)
    cuda = gpus.created[-1]
    assert cuda.asked[0] == (
        devices.CUDA,
        {"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC", "enable_cuda_graph": "1"},
    )
    # Of each size the first run shows where outputs are; later ones are recorded, by size.
    assert cuda.recordings == ["-1", "1", "1", "-1", "2", "2", "1", "-1", "4", "4", "-1", "-1"]


def test_an_answer_outlives_the_next_run(gpus: object, network: Network) -> None:
    engine = create_engine(network, EngineOptions(device="cuda"))
    first = engine.infer(pictures(1))["cls_prob"]
    copy = first.copy()
    engine.infer(pictures(2)[:1])
    assert np.array_equal(first, copy)


def test_a_network_that_cannot_be_recorded_runs_without(gpus: type[FakeSession], network: Network) -> None:
    gpus.refuses = "enable_cuda_graph"
    engine = create_engine(network, EngineOptions(device="cuda"))
    assert engine.infer(pictures(2))["cls_prob"].shape[0] == 2
    assert "enable_cuda_graph" not in gpus.created[-1].asked[0][1]


def test_a_recording_that_answers_wrongly_is_left(
    gpus: type[FakeSession], network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    gpus.wrong_from_run = 2
    with caplog.at_level(logging.WARNING):
        engine = create_engine(network, EngineOptions(device="cuda"))
    runs = len(gpus.created[-1].recordings)
    found = engine.infer(pictures(2))["cls_prob"]
    assert np.abs(found).max() > 0
    assert len(gpus.created[-1].recordings) == runs
    assert "runs without memory on the GPU" in caplog.text


def test_outputs_whose_size_the_photo_settles_are_not_recorded(gpus: type[FakeSession], tmp_path: Path) -> None:
    network = network_at(tmp_path / "export.onnx", small_export(batch=1, places=True))
    engine = create_engine(network, EngineOptions(device="cuda"))
    photo = pictures(1, 16)
    expected = create_engine(network, EngineOptions(engine="onnxruntime")).infer(photo)["places"]
    assert np.array_equal(engine.infer(photo)["places"], expected)
    assert set(gpus.created[0].recordings) == {"-1"}


def test_a_fixed_batch_is_bound_at_its_size(gpus: type[FakeSession], tmp_path: Path) -> None:
    network = network_at(tmp_path / "export.onnx", small_export(batch=4))
    expected = create_engine(network, EngineOptions(engine="openvino"))
    engine = create_engine(network, EngineOptions(device="cuda"))
    assert engine.max_batch == 4
    photos = pictures(3, 16)
    np.testing.assert_allclose(engine.infer(photos)["sums"], expected.infer(photos)["sums"], rtol=1e-4)


def test_tensorrt_keeps_its_engines_and_knows_its_sizes(
    gpus: type[FakeSession], network: Network, tmp_path: Path
) -> None:
    options = EngineOptions(device="tensorrt:1", precision="f16", cache_dir=tmp_path)
    assert create_engine(network, options).device == "TensorRT GPU 1"
    (wanted, given), (next_one, _), _ = gpus.created[-1].asked
    folder = tmp_path / "tensorrt" / f"{network.sha256}-f16"
    assert (wanted, next_one) == (devices.TENSORRT, devices.CUDA)
    assert given == {
        "device_id": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(tmp_path / "tensorrt"),
        "trt_layer_norm_fp32_fallback": "1",
        "trt_cuda_graph_enable": "1",
        "trt_fp16_enable": "1",
        "trt_profile_min_shapes": "image_rgb:1x96x96x3",
        "trt_profile_opt_shapes": "image_rgb:8x96x96x3",
        "trt_profile_max_shapes": "image_rgb:32x96x96x3",
    }
    assert folder.is_dir()


def test_tensorrt_of_a_fixed_batch_has_one_size_and_no_folder_where_none_is_kept(
    gpus: type[FakeSession], tmp_path: Path
) -> None:
    create_engine(network_at(tmp_path / "export.onnx", small_export(batch=4)), EngineOptions(device="tensorrt"))
    given = gpus.created[-1].asked[0][1]
    assert not [name for name in given if "profile" in name or "path" in name]
    assert (given["trt_engine_cache_enable"], given["trt_timing_cache_enable"]) == ("0", "0")


@pytest.mark.parametrize(("device", "names"), [("cuda", "CUDA"), ("tensorrt", "TensorRT")])
def test_a_gpu_that_is_not_really_used_is_refused(
    device: str, names: str, gpus: type[FakeSession], network: Network
) -> None:
    gpus.falls_back = True
    with pytest.raises(EngineError, match=f"could not use {names} on the device {device}:0, and fell back. Install"):
        create_engine(network, EngineOptions(device=device))


def test_an_onnx_runtime_for_cpus_is_named(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_gpus", lambda: 1)
    with pytest.raises(EngineError, match=r"has no CUDA support\. Install requirements-gpu\.txt or"):
        create_engine(network, EngineOptions(device="cuda"))


def test_several_gpus_share_the_batches(gpus: type[FakeSession], network: Network) -> None:
    engine = create_engine(network, EngineOptions(device="cuda:0,cuda:1"))
    assert (engine.device, engine.lanes, engine.max_batch) == ("CUDA GPU 0, CUDA GPU 1", 2, 32)
    assert [session.asked[0][1]["device_id"] for session in gpus.created] == ["0", "1"]


def test_gpus_of_nvidia_offer_float16(gpus: object, network: Network) -> None:
    assert offered_precisions(EngineOptions(engine="onnxruntime", device="cuda")) == ("f16", "f32")
    with pytest.raises(EngineError, match="int8 is not offered by ONNX Runtime on a GPU"):
        create_engine(replace(network, quantized=True), EngineOptions(device="cuda", precision="int8"))
