"""NanoDet-Plus against a reference in plain loops."""

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.families.nanodet_plus import NanoDetDecoding, check, decode
from tests.inference.families import reference
from tests.inference.families.comparing import assert_same
from tests.inference.families.networks import CLASSES, network_of

STRIDES, BINS = (8, 16), 4


@pytest.mark.parametrize("size_wh", [(64, 64), (60, 36)], ids=["square", "neither square nor full cells"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_boxes_are_those_of_the_reference(size_wh: tuple[int, int], seed: int) -> None:
    network = network_of("nanodet_plus", NanoDetDecoding(STRIDES, BINS), size_wh)
    count = len(reference.cells(size_wh, STRIDES))
    rows = np.random.default_rng(seed).standard_normal((count, len(CLASSES) + 4 * BINS)).astype(np.float32) * 2
    check({"output": rows}, network)
    expected = reference.nanodet(rows.tolist(), size_wh, classes=len(CLASSES), strides=STRIDES, bins=BINS, low=0.3)
    assert_same(decode({"output": rows}, network, 0.3), expected)


def test_an_export_with_its_sigmoid_gives_the_same() -> None:
    rows = np.random.default_rng(4).standard_normal((80, len(CLASSES) + 4 * BINS)).astype(np.float32) * 2
    expected = decode({"output": rows}, network_of("nanodet_plus", NanoDetDecoding(STRIDES, BINS)), 0.3)
    rows[:, : len(CLASSES)] = 1 / (1 + np.exp(-rows[:, : len(CLASSES)]))
    network = network_of("nanodet_plus", NanoDetDecoding(STRIDES, BINS, activation="none"))
    check({"output": rows}, network)
    found = decode({"output": rows}, network, 0.3)
    assert len(found) > 3
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    np.testing.assert_array_equal(found.boxes_xyxy_unit, expected.boxes_xyxy_unit)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)


@pytest.mark.parametrize(
    ("activation", "value", "sentence"),
    [("sigmoid", 0.02, 'these are probabilities, not logits. Set `activation = "none"`'), ("none", -7.0, "-7 to -7")],
)
def test_the_other_activation_is_refused(activation: str, value: float, sentence: str) -> None:
    rows = np.full((80, len(CLASSES) + 4 * BINS), value, np.float32)
    with pytest.raises(CheckpointError, match=sentence):
        check({"output": rows}, network_of("nanodet_plus", NanoDetDecoding(STRIDES, BINS, activation)))


def test_extreme_logits_make_no_noise() -> None:
    network = network_of("nanodet_plus", NanoDetDecoding(STRIDES, BINS))
    rows = np.full((80, len(CLASSES) + 4 * BINS), -1e30, dtype=np.float32)
    rows[3, 1] = 1e30
    found = decode({"output": rows}, network, 0.5)
    assert (found.scores.tolist(), found.class_ids.tolist()) == ([1.0], [1])


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param({"output": (80, 18)}, id="another number of classes"),
        pytest.param({"output": (79, 19)}, id="another number of cells"),
        pytest.param({"logits": (80, 3), "boxes": (80, 4)}, id="other outputs"),
    ],
)
def test_other_outputs_are_refused(outputs: dict[str, tuple[int, ...]]) -> None:
    network = network_of("nanodet_plus", NanoDetDecoding(STRIDES, BINS))
    with pytest.raises(CheckpointError, match=r"small has the outputs .* model card"):
        check({name: np.zeros(shape, np.float32) for name, shape in outputs.items()}, network)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"strides": ()}, "strides"),
        ({"strides": (8, 0)}, "strides"),
        ({"bins": 1}, "bins"),
        ({"activation": "softmax"}, "activation"),
        ({"iou_threshold": 1.5}, "iou_threshold"),
        ({"iou_threshold": True}, "iou_threshold"),
    ],
)
def test_decodings_that_make_no_sense_are_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        NanoDetDecoding(**values)  # type: ignore[arg-type]
