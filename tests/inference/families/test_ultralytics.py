"""Ultralytics' exports against a reference in plain loops."""

from typing import Any

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.families.ultralytics import UltralyticsDecoding, check, decode
from detection.inference.types import FloatArray
from tests.inference.families import reference
from tests.inference.families.comparing import assert_same
from tests.inference.families.networks import CLASSES, network_of

SIZE_WH = (96, 64)
CELLS = 126


def random_cells(seed: int, columns: int) -> FloatArray:
    """Boxes of some pixels in the input, probabilities from 0 to 1."""
    random = np.random.default_rng(seed)
    cells = random.random((CELLS, columns)).astype(np.float32)
    cells[:, :4] *= [*SIZE_WH, 30, 30]
    return cells


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("head", ["v8", "v5"])
def test_boxes_are_those_of_the_reference(head: str, seed: int) -> None:
    network = network_of("ultralytics", UltralyticsDecoding(head), SIZE_WH)
    objectness = head == "v5"
    cells = random_cells(seed, 4 + objectness + len(CLASSES))
    outputs = {"output0": cells if objectness else np.ascontiguousarray(cells.T)}
    check(outputs, network)
    expected = reference.ultralytics(cells.tolist(), SIZE_WH, objectness=objectness, low=0.4, iou_above=0.7)
    assert_same(decode(outputs, network, 0.4), expected)


def test_boxes_of_one_class_suppress_each_other_above_the_threshold_alone() -> None:
    cells = np.array(
        [
            [32, 32, 20, 20, 0.9, 0, 0],
            [34, 32, 20, 20, 0.8, 0, 0],  # IoU with the first 18 / 22
            [32, 32, 20, 20, 0, 0.7, 0],
        ],
        np.float32,
    )
    found = {
        iou: decode({"output0": cells.T}, network_of("ultralytics", UltralyticsDecoding("v8", iou)), 0.1)
        for iou in (0.8, 0.85)
    }
    assert found[0.8].scores.tolist() == pytest.approx([0.9, 0.7])
    assert found[0.85].scores.tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_an_end_to_end_network_is_taken_as_it_is() -> None:
    network = network_of("ultralytics", UltralyticsDecoding("end_to_end"), (64, 32))
    rows = [[0, 0, 32, 16, 0.5, 2], [16, 8, 64, 40, 0.9, 0], [0, 0, 32, 16, 0.5, 2], [0, 0, 9, 9, 0.8, 7], [0] * 6]
    outputs = {"output0": np.array(rows, np.float32)}
    found = decode(outputs, network, 0.3)
    assert found.class_ids.tolist() == [0, 2, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 0.5])
    assert found.boxes_xyxy_unit.tolist() == [[0.25, 0.25, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]]


@pytest.mark.parametrize(
    ("head", "row", "sentence"),
    [
        pytest.param("v8", [0, 0, 9, 9, 0.2, 3, -2], "-2 to 3 where", id="logits"),
        pytest.param("v5", [0, 0, 9, 9, 7, 0.2, 0.1, 0.3], "to 7 where", id="objectness"),
        pytest.param("end_to_end", [0, 0, 9, 9, 2, 1], "2 to 2 where", id="score"),
        pytest.param("end_to_end", [0, 0, 9, 9, 0.5, 3], "class 3, and its card knows 0 to 2", id="class"),
    ],
)
def test_numbers_that_cannot_be_are_refused(head: str, row: list[float], sentence: str) -> None:
    output = np.array([row], np.float32)
    with pytest.raises(CheckpointError, match=sentence):
        check({"output0": output.T if head == "v8" else output}, network_of("ultralytics", UltralyticsDecoding(head)))


@pytest.mark.parametrize(
    ("head", "shapes"),
    [
        pytest.param("v8", {"output0": (8, CELLS)}, id="a class too many"),
        pytest.param("v8", {"output0": (CELLS, 7)}, id="turned"),
        pytest.param("v8", {"output0": (7,)}, id="no matrix"),
        pytest.param("v5", {"output0": (CELLS, 7)}, id="no objectness"),
        pytest.param("end_to_end", {"output0": (300, 7)}, id="no rows of six"),
        pytest.param("v8", {"output0": (7, CELLS), "output1": (32, 8, 8)}, id="masks"),
    ],
)
def test_other_outputs_are_refused(head: str, shapes: dict[str, tuple[int, ...]]) -> None:
    network = network_of("ultralytics", UltralyticsDecoding(head))
    with pytest.raises(CheckpointError, match="model card"):
        check({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, network)


@pytest.mark.parametrize(("values", "reason"), [({"head": "v3"}, "head"), ({"iou_threshold": 70}, "iou_threshold")])
def test_decodings_that_make_no_sense_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        UltralyticsDecoding(**values)
