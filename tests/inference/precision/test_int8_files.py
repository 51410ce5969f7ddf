"""Precisions: an int8 model is run only when it fits its checkpoint, and `auto` trusts measurements alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from detection.inference.convert.cache import prepare_network
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine, offered_precisions
from detection.inference.errors import CheckpointError, EngineError, ImageDecodeError
from detection.inference.hardware import has_int8_products
from detection.inference.model_files import ModelSource
from detection.inference.network import Network
from detection.inference.onnx.half_precision import half_precision
from detection.inference.precision import choice as precisions
from detection.inference.precision.choice import (
    EngineMeasurements,
    Measurement,
    read_table,
    settle_precision,
    table_path,
    write_table,
)
from detection.inference.precision.int8_files import quantized_network, quantized_paths
from detection.inference.precision.quantization import network_inputs, quantize
from detection.inference.types import ImageArray
from tests.support import photos
from tests.support.checkpoints import write_tiny_ssd

EDGE = 32
CPU_ENGINES = ("openvino", "onnxruntime")
AUTO = EngineOptions(engine="openvino", precision="auto", threads=1)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return prepare_network(write_tiny_ssd(tmp_path / "model"), 0, EDGE, tmp_path / "cache")


def calibration_photos(count: int = 8) -> list[bytes]:
    return [photos.encode(photos.noise((48, 40), seed), "PNG") for seed in range(count)]


@pytest.fixture
def with_int8(network: Network) -> Network:
    """The network, with its int8 model beside the checkpoint."""
    quantize(network, calibration_photos(), max_pixels=10_000, source="random pixels")
    return network


def batch() -> ImageArray:
    return np.stack([np.asarray(photos.noise((EDGE, EDGE), seed)) for seed in (100, 101)])


def test_what_an_int8_model_was_made_of_is_written_beside_it(with_int8: Network) -> None:
    model_path, description_path = quantized_paths(with_int8.prefix, 0)
    assert (model_path.name, description_path.name) == ("net-0000-int8.onnx", "net-0000-int8.json")
    description = json.loads(description_path.read_bytes())
    assert description["checkpoint_sha256"] == with_int8.sha256
    assert (description["edge"], description["calibration_photos"]) == (EDGE, 8)
    assert description["calibration_source"] == "random pixels"
    assert sorted(path.name for path in model_path.parent.glob(".*")) == []


def test_weights_are_quantized_per_channel_and_outputs_stay_float(with_int8: Network) -> None:
    graph = onnx.load(quantized_paths(with_int8.prefix, 0)[0]).graph
    arrays = {array.name: array for array in graph.initializer}
    produced = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 6
    for node in convolutions:
        weight = produced[node.input[1]]
        assert weight.op_type == "DequantizeLinear"
        filters = arrays[weight.input[0]].dims[0]
        assert list(arrays[weight.input[1]].dims) == [filters]
        assert arrays[weight.input[0]].data_type == onnx.TensorProto.INT8
        assert produced[node.input[0]].op_type == "DequantizeLinear"
        readers = {reader.op_type for reader in graph.node if node.output[0] in reader.input}
        assert "QuantizeLinear" not in readers


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_an_int8_network_answers_nearly_what_the_float32_one_does(engine: str, with_int8: Network) -> None:
    float32 = create_engine(with_int8, EngineOptions(engine=engine, threads=1))
    int8 = create_engine(quantized_network(with_int8), EngineOptions(engine=engine, precision="int8", threads=1))
    expected, answer = float32.infer(batch())["cls_prob"], int8.infer(batch())["cls_prob"]
    assert int8.precision == "int8"
    # Without an instruction for products of bytes some sums overflow 16 bits.
    assert 0 < np.abs(answer - expected).max() < (0.2 if has_int8_products() else 0.3)
    float32.close()
    int8.close()


def test_a_detector_in_int8_is_known_by_the_hash_of_its_own_file(with_int8: Network, tmp_path: Path) -> None:
    options = DetectorOptions(
        source=ModelSource(with_int8.prefix, 0, EDGE),
        cache_dir=tmp_path / "cache",
        engine=EngineOptions(precision="int8", threads=1),
    )
    detector = load_detector(options)
    detector.close()
    assert detector.engine.precision == "int8"
    assert detector.network.sha256 == json.loads(quantized_paths(with_int8.prefix, 0)[1].read_bytes())["sha256"]


def flip_a_byte(model_path: Path, _: Path) -> None:
    content = bytearray(model_path.read_bytes())
    content[len(content) // 2] ^= 1
    model_path.write_bytes(content)


def describe_as(**changes: Any) -> Callable[[Path, Path], None]:
    def change(_: Path, description_path: Path) -> None:
        description_path.write_text(json.dumps(json.loads(description_path.read_bytes()) | changes), encoding="utf-8")

    return change


UNUSABLE: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "no model": (lambda model, _: model.unlink(), "has no int8 model for epoch 0"),
    "no description": (lambda _, description: description.unlink(), "has no int8 model for epoch 0"),
    "a damaged model": (flip_a_byte, "is damaged: its hash"),
    "a description that is no JSON": (lambda _, description: description.write_bytes(b"{"), "cannot be read"),
    "a description that lacks a value": (lambda _, description: description.write_bytes(b"{}"), "cannot be read"),
    "a description that is a list": (lambda _, description: description.write_bytes(b"[1]"), "cannot be read"),
    "another checkpoint": (describe_as(checkpoint_sha256="0" * 64), "was made of another checkpoint"),
    "another edge": (describe_as(edge=64), "for another MODEL_EDGE"),
    "another version": (describe_as(converter_version=0), "another version of this program"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_int8_model_that_does_not_fit_is_refused_with_what_to_run(case: str, with_int8: Network) -> None:
    break_it, sentence = UNUSABLE[case]
    break_it(*quantized_paths(with_int8.prefix, 0))
    with pytest.raises(CheckpointError, match=sentence) as caught:
        settle_precision(with_int8, EngineOptions(precision="int8"))
    assert "manage.py quantize PHOTOS" in str(caught.value)


def test_an_engine_never_calls_a_float32_network_int8(network: Network) -> None:
    with pytest.raises(EngineError, match="is not quantized, which does not fit MODEL_PRECISION=int8"):
        create_engine(network, EngineOptions(precision="int8"))


def test_an_engine_never_calls_an_int8_network_float32(with_int8: Network) -> None:
    with pytest.raises(EngineError, match="is quantized, which does not fit MODEL_PRECISION=f32"):
        create_engine(quantized_network(with_int8), EngineOptions(precision="f32"))


def test_calibration_sees_photos_as_the_network_does(network: Network) -> None:
    (image_rgb,) = network_inputs(network, [photos.encode(Image.new("RGB", (64, 16), (9, 8, 7)), "PNG")], 10_000)
    assert image_rgb.shape == (EDGE, EDGE, 3)
    assert image_rgb.dtype == np.uint8
    assert image_rgb[0, 0].tolist() == [9, 8, 7]


def test_calibration_without_a_photo_is_refused(network: Network) -> None:
    with pytest.raises(CheckpointError, match="There is no photo to calibrate with"):
        quantize(network, [], max_pixels=10_000, source="")
    assert not quantized_paths(network.prefix, 0)[0].exists()


def test_a_bad_photo_leaves_the_int8_model_that_is_there(with_int8: Network) -> None:
    with pytest.raises(ImageDecodeError):
        quantize(with_int8, [*calibration_photos(1), b"no photo"], max_pixels=10_000, source="")
    assert quantized_network(with_int8).quantized


def test_a_folder_that_cannot_be_written_is_said(network: Network, tmp_path: Path) -> None:
    elsewhere = replace(network, prefix=tmp_path / "absent" / "net")
    with pytest.raises(CheckpointError, match=r"cannot be written .* set MODEL_PREFIX to it"):
        quantize(elsewhere, calibration_photos(1), max_pixels=10_000, source="")


def test_float16_keeps_input_and_outputs_and_nearly_the_numbers(network: Network, tmp_path: Path) -> None:
    model = half_precision(network.onnx_path)
    graph = onnx.load_from_string(model).graph
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert {array.data_type for array in graph.initializer} <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}
    (tmp_path / "half.onnx").write_bytes(model)
    # The CPU computes float16 in float32; this checks the conversion, a GPU the arithmetic.
    halved = replace(network, onnx_path=tmp_path / "half.onnx")
    answers = [
        create_engine(each, EngineOptions(engine="onnxruntime")).infer(batch())["cls_prob"]
        for each in (network, halved)
    ]
    assert answers[1].dtype == np.float32
    assert 0 < np.abs(answers[0] - answers[1]).max() < 0.01


def measured(network: Network, **coco_ap: float) -> EngineMeasurements:
    """A table in which the precisions have these AP; int8 with the hash of the int8 model that is there."""

    def sha256(precision: str) -> str:
        return quantized_network(network).sha256 if precision == "int8" else network.sha256

    rows = {name: Measurement(model_sha256=sha256(name), coco_ap=ap, coco_ap50=0.9) for name, ap in coco_ap.items()}
    return EngineMeasurements(dataset="street", photos=10, objects=99, precisions=rows)


AUTO_CHOICES: dict[str, tuple[dict[str, float], tuple[str, ...], str]] = {
    "all lose too much": ({"f32": 0.5, "bf16": 0.49, "int8": 0.49}, ("int8", "bf16", "f32"), "f32"),
    "the fastest is good": ({"f32": 0.5, "bf16": 0.5, "int8": 0.499}, ("int8", "bf16", "f32"), "int8"),
    "exactly half a point": ({"f32": 0.351, "int8": 0.346}, ("int8", "f32"), "int8"),
    "the second is good": ({"f32": 0.5, "bf16": 0.497, "int8": 0.48}, ("int8", "bf16", "f32"), "bf16"),
    "better than float32": ({"f32": 0.5, "int8": 0.52}, ("int8", "f32"), "int8"),
    "not offered": ({"f32": 0.5, "int8": 0.5}, ("f32",), "f32"),
    "not measured": ({"f32": 0.5}, ("int8", "bf16", "f32"), "f32"),
    "no baseline": ({"int8": 0.5}, ("int8", "f32"), "f32"),
    "no number": ({"f32": float("nan"), "int8": 0.5}, ("int8", "f32"), "f32"),
}


@pytest.mark.parametrize("case", AUTO_CHOICES)
def test_auto_takes_the_fastest_precision_within_half_a_point(
    case: str, with_int8: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    aps, offered, expected = AUTO_CHOICES[case]
    monkeypatch.setattr(precisions, "offered_precisions", lambda _: offered)
    write_table(with_int8, "openvino", measured(with_int8, **aps))
    network, options = settle_precision(with_int8, AUTO)
    assert (options.precision, network.quantized) == (expected, expected == "int8")


def test_auto_without_a_table_is_float32(network: Network) -> None:
    settled, options = settle_precision(network, AUTO)
    assert (settled, options.precision) == (network, "f32")
    assert options.precision_reason == "No comparison of precisions with this model on openvino is at hand."


def test_auto_says_why(with_int8: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(precisions, "offered_precisions", lambda _: ("int8", "bf16", "f32"))
    write_table(with_int8, "openvino", measured(with_int8, f32=0.5, bf16=0.504, int8=0.49))
    with caplog.at_level("INFO"):
        _, options = settle_precision(with_int8, AUTO)
    assert options.precision_reason == (
        "It is the fastest here that lost at most 0.5 points of AP against f32: gained 0.40 on 10 photos. "
        "Not int8: it loses 1.00 points of AP."
    )
    assert f"precision bf16. {options.precision_reason}" in caplog.text
    monkeypatch.setattr(precisions, "offered_precisions", lambda _: ("int8", "f32"))
    _, options = settle_precision(with_int8, AUTO)
    assert options.precision_reason == (
        "No faster one is offered here that may be taken. Not int8: it loses 1.00 points of AP."
    )
    assert (
        settle_precision(with_int8, replace(AUTO, precision="f32"))[1].precision_reason == "MODEL_PRECISION names it."
    )


def test_auto_passes_over_an_int8_model_that_was_not_measured(
    with_int8: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precisions, "offered_precisions", lambda _: ("int8", "f32"))
    write_table(with_int8, "openvino", measured(with_int8, f32=0.5, int8=0.5))
    black = photos.encode(Image.new("RGB", (EDGE, EDGE)), "PNG")
    quantize(with_int8, [black], max_pixels=10_000, source="another photo")
    assert settle_precision(with_int8, AUTO)[1].precision == "f32"
    quantized_paths(with_int8.prefix, 0)[0].unlink()
    assert settle_precision(with_int8, AUTO)[1].precision == "f32"


def test_a_table_holds_for_its_own_engine_checkpoint_and_edge(with_int8: Network) -> None:
    rows = measured(with_int8, f32=0.5, int8=0.5)
    assert write_table(with_int8, "openvino", rows) == table_path(with_int8)
    write_table(with_int8, "onnxruntime", rows)
    assert read_table(with_int8) == {"openvino": rows, "onnxruntime": rows}
    assert settle_precision(with_int8, replace(AUTO, engine="mxnet"))[1].precision == "f32"
    assert read_table(replace(with_int8, sha256="0" * 64)) == {}
    assert read_table(replace(with_int8, size_wh=(64, 64))) == {}


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"checkpoint_sha256": 1, "edge": 2, "engines": 3'])
def test_a_table_that_cannot_be_understood_is_said(content: bytes, network: Network) -> None:
    table_path(network).write_bytes(content)
    with pytest.raises(CheckpointError, match="evaluate DATASET --compare f32,bf16,int8 --write-table"):
        read_table(network)
    settled, options = settle_precision(network, AUTO)
    assert (settled, options.precision) == (network, "f32")
    assert options.precision_reason == "precision.json of the model cannot be read."


def test_a_table_that_cannot_be_kept_is_said(with_int8: Network, tmp_path: Path) -> None:
    rows = measured(with_int8, f32=0.5)
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_table(replace(with_int8, prefix=tmp_path / "absent" / "net"), "openvino", rows)


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_engines_offer_float32_last_and_run_what_they_offer(engine: str, with_int8: Network) -> None:
    options = EngineOptions(engine=engine, threads=1)
    offered = offered_precisions(options)
    assert offered[-1] == "f32"
    for precision in offered:
        network = quantized_network(with_int8) if precision == "int8" else with_int8
        made = create_engine(network, replace(options, precision=precision))
        assert made.precision == precision
        assert np.isfinite(made.infer(batch()[:1])["cls_prob"]).all()
        made.close()


CPUS = {
    "x86 with VNNI": ("flags : fpu avx2 avx512_vnni\n", True),
    "x86 with AVX-VNNI": ("flags : fpu avx2 avx_vnni\n", True),
    "Arm with dot products": ("Features : fp asimd asimddp\n", True),
    "x86 before VNNI": ("flags : fpu avx2 avx512f\n", False),
}


@pytest.mark.parametrize("case", CPUS)
def test_cpus_with_products_of_bytes_are_known(case: str, tmp_path: Path) -> None:
    text, expected = CPUS[case]
    (tmp_path / "cpuinfo").write_text(text, encoding="ascii")
    assert has_int8_products(tmp_path / "cpuinfo") is expected


def test_a_cpu_that_tells_nothing_has_no_products_of_bytes(tmp_path: Path) -> None:
    assert not has_int8_products(tmp_path / "absent")
