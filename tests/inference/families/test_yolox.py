"""YOLOX against a reference in plain loops."""

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.families.yolox import YoloxDecoding, check, decode
from detection.inference.types import FloatArray
from tests.inference.families import reference
from tests.inference.families.comparing import assert_same
from tests.inference.families.networks import CLASSES, network_of

STRIDES = (8, 16, 32)
SIZES = [pytest.param((64, 64), id="square"), pytest.param((96, 32), id="wide")]


def random_rows(size_wh: tuple[int, int], seed: int) -> FloatArray:
    """Boxes of the size of a cell or two, probabilities from 0 to 1."""
    random = np.random.default_rng(seed)
    rows = random.random((len(reference.cells(size_wh, STRIDES)), 5 + len(CLASSES)))
    rows[:, 2:4] *= 1.5
    return rows.astype(np.float32)


@pytest.mark.parametrize("size_wh", SIZES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_boxes_are_those_of_the_reference(size_wh: tuple[int, int], seed: int) -> None:
    network = network_of("yolox", YoloxDecoding(STRIDES), size_wh)
    rows = random_rows(size_wh, seed)
    check({"output": rows}, network)
    expected = reference.yolox(rows.tolist(), size_wh, strides=STRIDES, low=0.2, iou_above=0.45)
    assert_same(decode({"output": rows}, network, 0.2), expected)


def test_an_export_with_its_decoding_gives_the_same() -> None:
    size_wh = (64, 64)
    rows = random_rows(size_wh, 4)
    raw = decode({"output": rows}, network_of("yolox", YoloxDecoding(STRIDES), size_wh), 0.2)
    for values, (column, row, stride) in zip(rows, reference.cells(size_wh, STRIDES), strict=True):
        values[:2] = (values[0] + column) * stride, (values[1] + row) * stride
        values[2:4] = np.exp(values[2:4]) * stride
    network = network_of("yolox", YoloxDecoding(STRIDES, decoded=True), size_wh)
    check({"output": rows}, network)
    decoded = decode({"output": rows}, network, 0.2)
    np.testing.assert_allclose(decoded.boxes_xyxy_unit, raw.boxes_xyxy_unit, atol=1e-5)
    assert decoded.class_ids.tolist() == raw.class_ids.tolist()


def test_a_box_that_overflows_covers_the_photo() -> None:
    rows = np.zeros((84, 5 + len(CLASSES)), np.float32)
    rows[7] = [0, 0, 200, 200, 1, 0, 1, 0]
    found = decode({"output": rows}, network_of("yolox", YoloxDecoding(STRIDES)), 0.5)
    assert found.boxes_xyxy_unit.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("shape", [(84, 7), (83, 8)], ids=["classes", "cells"])
def test_other_outputs_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(CheckpointError, match=r"small has the outputs output .* has output \(84, 8\)"):
        check({"output": np.zeros(shape, np.float32)}, network_of("yolox", YoloxDecoding(STRIDES)))


@pytest.mark.parametrize(
    ("decoded", "sentence"), [(True, "offsets from cells .* = false"), (False, "pixels .* = true")]
)
def test_the_other_kind_of_export_is_refused(decoded: bool, sentence: str) -> None:
    rows = random_rows((64, 64), 6)
    rows[:, :4] *= 1 if decoded else 64
    with pytest.raises(CheckpointError, match=sentence):
        check({"output": rows}, network_of("yolox", YoloxDecoding(STRIDES, decoded)))


def test_logits_are_refused() -> None:
    rows = random_rows((64, 64), 5)
    rows[3, 6] = 25.7
    with pytest.raises(CheckpointError, match=r"25\.7 where the family yolox has probabilities, 0 to 1"):
        check({"output": rows}, network_of("yolox", YoloxDecoding(STRIDES)))


def test_decodings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="decoded has to be true or false"):
        YoloxDecoding(decoded=1)  # type: ignore[arg-type]
