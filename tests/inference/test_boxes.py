"""Decoding boxes, against plain loops written from MXNet's source."""

from dataclasses import replace

import numpy as np
import pytest

from detection.inference.boxes import (
    decode_boxes,
    iou_matrix,
    non_maximum_suppression,
    pixel_box,
    shortest_float,
    to_objects,
)
from detection.inference.decoding import MultiBoxDecoding
from detection.inference.types import Detections, FloatArray
from tests.inference import multibox_reference
from tests.inference.families import reference

DEFAULT = MultiBoxDecoding()
DECODINGS = {
    "defaults": DEFAULT,
    "embedded model": replace(DEFAULT, nms_threshold=0.45, nms_topk=100),
    "cut before suppression": replace(DEFAULT, nms_topk=7),
    "suppression across classes": replace(DEFAULT, force_suppress=True, nms_threshold=0.3),
    "no suppression": replace(DEFAULT, nms_threshold=0.0, nms_topk=5),
    "threshold above one switches suppression off": replace(DEFAULT, nms_threshold=1.5),
    "whole overlap only": replace(DEFAULT, nms_threshold=1.0),
    "no clipping": replace(DEFAULT, clip=False),
    "other variances": replace(DEFAULT, variances=(0.2, 0.1, 0.3, 0.15)),
    "high threshold": replace(DEFAULT, threshold=0.4),
}


def random_outputs(seed: int, anchors: int = 60, classes: int = 4) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Outputs with many overlaps, equal scores and an anchor without area."""
    random = np.random.default_rng(seed)
    cls_prob = random.dirichlet(np.full(classes, 0.5), anchors).T.astype(np.float32)
    cls_prob = np.round(cls_prob, 2)
    centres = random.uniform(0.2, 0.8, (anchors, 2))
    halves = random.uniform(0.05, 0.4, (anchors, 2))
    boxes = np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)
    boxes[0] = boxes[0][[0, 1, 0, 1]]
    return cls_prob, random.normal(0, 1, 4 * anchors).astype(np.float32), boxes


def as_reference(
    decoding: MultiBoxDecoding, outputs: tuple[FloatArray, FloatArray, FloatArray]
) -> list[multibox_reference.Row]:
    return multibox_reference.detect(
        *outputs,
        threshold=decoding.threshold,
        clip=decoding.clip,
        variances=decoding.variances,
        nms_threshold=decoding.nms_threshold,
        force_suppress=decoding.force_suppress,
        nms_topk=decoding.nms_topk,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", DECODINGS)
def test_it_decodes_as_mxnet_does(case: str, seed: int) -> None:
    outputs = random_outputs(seed)
    expected = as_reference(DECODINGS[case], outputs)
    found = decode_boxes(*outputs, DECODINGS[case])
    assert len(found) == len(expected) > 0
    assert found.class_ids.tolist() == [row.class_id for row in expected]
    assert found.scores.tolist() == [row.score for row in expected]
    np.testing.assert_allclose(found.boxes_xyxy_unit, [row.box for row in expected], rtol=0, atol=2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_improbable_anchors_first_changes_nothing_above(seed: int) -> None:
    outputs = random_outputs(seed)
    everything = decode_boxes(*outputs, DEFAULT)
    above = everything.scores >= np.float32(0.5)
    early = decode_boxes(*outputs, DEFAULT, min_probability=0.5)
    assert 0 < len(early) < len(everything)
    assert early.boxes_xyxy_unit.tolist() == everything.boxes_xyxy_unit[above].tolist()
    assert early.class_ids.tolist() == everything.class_ids[above].tolist()


def test_a_photo_without_objects_gives_none() -> None:
    cls_prob = np.zeros((3, 5), dtype=np.float32)
    cls_prob[0] = 1
    found = decode_boxes(cls_prob, np.zeros(20, np.float32), np.full((5, 4), 0.5, np.float32), DEFAULT)
    assert len(found) == 0
    assert to_objects(found, (100, 100), ("cat", "dog")) == ()


def test_a_wild_regression_covers_the_photo_without_a_warning() -> None:
    cls_prob = np.array([[0.0], [1.0]], dtype=np.float32)
    found = decode_boxes(
        cls_prob, np.full(4, 1e30, np.float32), np.array([[0.4, 0.4, 0.6, 0.6]], dtype=np.float32), DEFAULT
    )
    assert to_objects(found, (100, 50), ("cat",))[0].box.width <= 100


def test_iou_of_boxes_without_area_is_zero() -> None:
    point = np.zeros((2, 4), dtype=np.float32)
    assert iou_matrix(point, point).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("across_classes", [False, True])
@pytest.mark.parametrize(("count", "classes"), [(0, 1), (1, 1), (127, 3), (128, 1), (129, 1), (700, 1), (700, 9)])
def test_suppression_is_that_of_plain_loops(count: int, classes: int, across_classes: bool) -> None:
    random = np.random.default_rng(count)
    corners = random.uniform(-0.2, 0.9, (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(0, 0.5, (count, 2))], axis=1).astype(np.float32)
    boxes[::9, 2:] = boxes[::9, :2]  # no area
    class_ids = random.integers(0, classes, count)
    kept = non_maximum_suppression(boxes, class_ids, iou_threshold=0.4, across_classes=across_classes)
    expected: list[int] = []
    for index, box in enumerate(boxes.tolist()):
        rivals = [each for each in expected if across_classes or class_ids[each] == class_ids[index]]
        if all(reference.iou(boxes[each].tolist(), box) < 0.4 for each in rivals):
            expected.append(index)
    assert kept.tolist() == expected


def test_a_suppressed_box_suppresses_nothing() -> None:
    boxes = np.array([[0, 0, 1, 1], [0, 0.3, 1, 1.3], [0, 0.6, 1, 1.6]], dtype=np.float32)
    kept = non_maximum_suppression(boxes, np.zeros(3, np.int64), iou_threshold=0.5, across_classes=False)
    assert kept.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("box", "size_wh", "expected"),
    [
        ((0.1, 0.2, 0.5, 0.6), (100, 200), (10, 40, 40, 80)),
        ((0.072, 0.0, 1.0, 1.0), (1000, 10), (72, 0, 928, 10)),
        ((-0.5, -1.0, 2.0, 1.5), (100, 50), (0, 0, 100, 50)),
        ((0.9, 0.9, 0.2, 0.2), (100, 100), (89, 89, 0, 0)),
        ((float("nan"), 0.0, float("inf"), 1.0), (100, 100), (0, 0, 100, 100)),
    ],
    ids=["corners", "float32 products", "clamped", "turned inside out", "not finite"],
)
def test_pixels_are_cut_off_and_stay_on_the_photo(
    box: tuple[float, ...], size_wh: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    pixels = pixel_box(np.array(box, dtype=np.float32), size_wh)
    assert (pixels.x, pixels.y, pixels.width, pixels.height) == pytest.approx(expected, abs=0 if box[0] != 0.9 else 1)


def test_a_probability_is_written_as_short_as_it_was_computed() -> None:
    assert repr(shortest_float(np.float32(0.9959417))) == "0.9959417"


def test_arrays_that_do_not_describe_the_same_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="do not describe the same objects"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.zeros(3, np.int64))
