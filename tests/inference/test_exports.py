"""Files as exporters leave them: fixed batches, old opsets, nodes of one name, outputs of whole numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.engines.fixed_batch import run_padded
from detection.inference.engines.registry import create_engine
from detection.inference.errors import CheckpointError, EngineError
from detection.inference.model_repository import triton_config
from detection.inference.onnx.half_precision import half_precision
from detection.inference.precision.int8_files import quantized_network
from detection.inference.precision.quantization import quantize
from detection.inference.types import ImageArray
from tests.inference.exports import EDGE, network_at, small_export
from tests.support import photos

ENGINES = ("openvino", "onnxruntime")


def batch_of(count: int) -> ImageArray:
    return np.stack([np.asarray(photos.noise((EDGE, EDGE), seed)) for seed in range(count)])


def open_engine(path: Path, model: onnx.ModelProto, engine: str) -> Engine:
    return create_engine(network_at(path, model), EngineOptions(engine=engine, threads=1))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_a_network_for_several_photos_answers_any_number(engine: str, count: int, tmp_path: Path) -> None:
    free = open_engine(tmp_path / "free.onnx", small_export(labels=True), engine)
    fixed = open_engine(tmp_path / "fixed.onnx", small_export(batch=4, labels=True), engine)
    assert (fixed.max_batch, fixed.lanes) == (4, 1)
    expected, found = free.infer(batch_of(count)), fixed.infer(batch_of(count))
    for name in ("sums", "labels"):
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def test_outputs_that_do_not_keep_the_photos_apart_are_refused() -> None:
    with pytest.raises(EngineError, match=r"4 photos at a time, and its output boxes of \(7, 4\) does not keep them"):
        run_padded(batch_of(2), 4, lambda _: {"boxes": np.zeros((7, 4), np.float32)})


@pytest.mark.parametrize("engine", ENGINES)
def test_an_int8_model_of_an_old_opset_can_be_opened(engine: str, tmp_path: Path) -> None:
    network = network_at(tmp_path / "old.onnx", small_export(opset=11))
    shown = [photos.encode(photos.noise((EDGE, EDGE), seed), "PNG") for seed in range(4)]
    quantize(network, shown, max_pixels=10_000, source="random pixels")
    expected = create_engine(network, EngineOptions(engine=engine)).infer(batch_of(2))["sums"]
    found = create_engine(quantized_network(network), EngineOptions(engine=engine, precision="int8"))
    np.testing.assert_allclose(found.infer(batch_of(2))["sums"], expected, atol=0.05)


def test_an_int8_model_that_no_engine_opens_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_at(tmp_path / "new.onnx", small_export())

    def spoil(prepared: object, quantized: Path, *_: object, **__: object) -> None:
        quantized.write_bytes(b"no model")

    monkeypatch.setattr("detection.inference.precision.quantization.quantize_static", spoil)
    with pytest.raises(CheckpointError, match="cannot be opened, so it was not kept"):
        quantize(network, [], max_pixels=10_000, source="")
    assert [path.name for path in tmp_path.iterdir()] == ["new.onnx"]


def test_nodes_of_one_name_run_and_become_float16(tmp_path: Path) -> None:
    network = network_at(tmp_path / "same.onnx", small_export(same_names=True))
    names = [node.name for node in onnx.load(network.onnx_path).graph.node]
    assert len(set(names)) == len(names)
    (tmp_path / "half.onnx").write_bytes(half_precision(network.onnx_path))
    answers = [
        create_engine(each, EngineOptions(engine="onnxruntime")).infer(batch_of(2))["sums"]
        for each in (network, replace(network, onnx_path=tmp_path / "half.onnx"))
    ]
    assert 0 < np.abs(answers[0] - answers[1]).max() < 0.01


def test_what_a_converter_to_float16_has_made_is_converted_once_more(tmp_path: Path) -> None:
    """As of an export of Ultralytics with `half=True`, whose casts have the converter's own names."""
    network = network_at(tmp_path / "new.onnx", small_export())
    for name in ("half.onnx", "again.onnx"):
        (tmp_path / name).write_bytes(half_precision(network.onnx_path))
        network = replace(network, onnx_path=tmp_path / name)
    found = create_engine(network, EngineOptions(engine="onnxruntime")).infer(batch_of(2))["sums"]
    assert found.dtype == np.float32


def test_whole_numbers_are_told_to_triton(tmp_path: Path) -> None:
    config = triton_config(network_at(tmp_path / "labels.onnx", small_export(labels=True)))
    assert 'name: "labels"\n  data_type: TYPE_INT64\n  dims: [ 16, 16 ]' in config
