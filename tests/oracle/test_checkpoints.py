"""Whole checkpoints, in OpenVINO and in ONNX Runtime, against MXNet: class probabilities, box regression, anchors."""

from pathlib import Path

import mxnet as mx
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from detection.inference.convert.cache import prepare_network
from detection.inference.convert.conversion import ConvertedNetwork, convert
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.mxnet.checkpoint import load_checkpoint
from detection.inference.mxnet.params import read_params
from detection.inference.types import FloatArray, ImageArray
from tests.oracle.mxnet_runner import MxnetOutputs, run_checkpoint
from tests.support.checkpoints import (
    EMBEDDED_EDGE,
    EMBEDDED_PREFIX,
    NO_RESNET50,
    PARAMS_VERSIONS,
    RESNET50_EDGE,
    RESNET50_SYMBOL,
    SAMPLE_PHOTO,
    params_bytes,
    tiny_ssd,
    write_random_resnet50_ssd,
    write_tiny_ssd,
)

PROBABILITY_TOLERANCE = 1e-4
REGRESSION_TOLERANCE = 1e-3
# Of the standard deviation of all outputs: sums that cancel out are rounded by the size of what was added up.
REGRESSION_FLOOR = 0.1
TINY_EDGE = 32


def test_embedded_checkpoint_agrees_on_photos_and_noise(tmp_path: Path) -> None:
    batch = scenes(EMBEDDED_EDGE)

    converted, expected = convert_and_run(EMBEDDED_PREFIX, EMBEDDED_EDGE, batch)

    assert expected.cls_prob.shape == (len(batch), 21, 1917)
    assert_agreement(converted, expected, batch)
    assert_outputs_agree(*run_in_openvino(EMBEDDED_PREFIX, EMBEDDED_EDGE, batch, tmp_path), expected)


@pytest.mark.skipif(not RESNET50_SYMBOL.exists(), reason=NO_RESNET50)
def test_resnet50_network_agrees_with_random_weights(tmp_path: Path) -> None:
    batch = scenes(RESNET50_EDGE)[2:]
    prefix = write_random_resnet50_ssd(tmp_path, seed=1)

    converted, expected = convert_and_run(prefix, RESNET50_EDGE, batch)

    assert expected.cls_prob.shape == (len(batch), 21, 6132)
    assert_spread(expected)
    assert_agreement(converted, expected, batch)
    assert_outputs_agree(*run_in_openvino(prefix, RESNET50_EDGE, batch, tmp_path), expected)


@pytest.mark.parametrize("version", PARAMS_VERSIONS)
def test_params_of_every_version_are_read_as_mxnet_reads_them(version: str, tmp_path: Path) -> None:
    path = tmp_path / "net-0000.params"
    path.write_bytes(params_bytes(tiny_ssd().arrays, version))

    with mx.util.np_shape(version == "v3"):  # without it, MXNet refuses its own version 3
        expected = {name[4:]: array.asnumpy() for name, array in mx.nd.load(str(path)).items()}
    params = read_params(path)

    assert params.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(params[name], array)


@pytest.mark.parametrize("spelling", ["attrs", "attr", "param"])
def test_all_spellings_of_attributes_are_read_as_mxnet_reads_them(spelling: str, tmp_path: Path) -> None:
    batch = scenes(TINY_EDGE)

    converted, expected = convert_and_run(write_tiny_ssd(tmp_path, spelling=spelling), TINY_EDGE, batch)

    assert_agreement(converted, expected, batch)


def scenes(edge: int) -> ImageArray:
    """Five inputs, (5, edge, edge, 3): black, noise, a smooth picture, blocks of colour, a photo of a cat."""
    random = np.random.default_rng(7)
    rows, columns = np.meshgrid(np.linspace(0, 1, edge), np.linspace(0, 1, edge), indexing="ij")
    smooth = np.stack([rows, columns, np.sin(9 * rows * columns) ** 2], axis=-1) * 255
    blocks = np.kron(random.integers(0, 256, (8, 8, 3)), np.ones((-(-edge // 8), -(-edge // 8), 1)))[:edge, :edge]
    with Image.open(SAMPLE_PHOTO) as photo:
        cat = np.asarray(photo.convert("RGB").resize((edge, edge)))
    noise = random.integers(0, 256, smooth.shape)
    return np.stack([np.zeros_like(smooth), noise, smooth, blocks, cat]).astype(np.uint8)


def convert_and_run(prefix: Path, edge: int, batch_rgb: ImageArray) -> tuple[ConvertedNetwork, MxnetOutputs]:
    """Our network of a checkpoint, and what MXNet makes of the batch with it."""
    return convert(load_checkpoint(prefix, 0), edge), run_checkpoint(prefix, 0, batch_rgb)


def run_converted(converted: ConvertedNetwork, batch_rgb: ImageArray) -> tuple[FloatArray, FloatArray]:
    """Class probabilities and box regression in ONNX Runtime."""
    session = onnxruntime.InferenceSession(converted.model.SerializeToString(), providers=["CPUExecutionProvider"])
    cls_prob, loc_pred = session.run(["cls_prob", "loc_pred"], {"image_rgb": batch_rgb})
    return cls_prob, loc_pred


def run_in_openvino(prefix: Path, edge: int, batch_rgb: ImageArray, cache_dir: Path) -> tuple[FloatArray, FloatArray]:
    """Class probabilities and box regression in the default engine and precision, a photo at a time."""
    engine = create_engine(prepare_network(prefix, 0, edge, cache_dir), EngineOptions(engine="openvino"))
    outputs = [engine.infer(batch_rgb[index : index + 1]) for index in range(len(batch_rgb))]
    engine.close()
    cls_prob, loc_pred = (np.concatenate([each[name] for each in outputs]) for name in ("cls_prob", "loc_pred"))
    return cls_prob, loc_pred


def assert_agreement(converted: ConvertedNetwork, expected: MxnetOutputs, batch_rgb: ImageArray) -> None:
    """Outputs as below, in ONNX Runtime; anchors exactly."""
    assert_outputs_agree(*run_converted(converted, batch_rgb), expected)
    np.testing.assert_array_equal(converted.anchors, expected.anchors)


def assert_outputs_agree(cls_prob: FloatArray, loc_pred: FloatArray, expected: MxnetOutputs) -> None:
    """Each probability to 1e-4; each number of the regression to 1e-3 of itself, or, where it is less than a tenth of
    the standard deviation of them all, of that.
    """
    np.testing.assert_allclose(cls_prob, expected.cls_prob, rtol=0, atol=PROBABILITY_TOLERANCE)
    scale = np.maximum(np.abs(expected.loc_pred), REGRESSION_FLOOR * expected.loc_pred.std())
    assert np.abs((loc_pred - expected.loc_pred) / scale).max() < REGRESSION_TOLERANCE


def assert_spread(outputs: MxnetOutputs) -> None:
    """The weights test something: probabilities of all sizes, boxes that are moved and have areas."""
    best = outputs.cls_prob[:, 1:].max(axis=1)
    assert np.quantile(best, 0.05) < 0.25
    assert np.quantile(best, 0.95) > 0.75
    assert ((best > 0.2) & (best < 0.8)).mean() > 0.5
    assert outputs.loc_pred.std() > 0.3
    boxes = outputs.found(0)[:, 2:]
    assert len(boxes) > 100
    assert np.median((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])) > 0.005
