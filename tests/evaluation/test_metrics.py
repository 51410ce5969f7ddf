"""Average precision: cases that can be worked out by hand, and a reference that shares no code."""

import math

import numpy as np
import pytest

from detection.evaluation.coco_metrics import coco_scores
from detection.evaluation.results import PhotoResult, iou
from detection.evaluation.scores import score
from detection.evaluation.voc_metrics import MIN_IOU, all_point_ap, curve, eleven_point_ap
from tests.evaluation import reference
from tests.evaluation.builders import random_results, result

LEFT, RIGHT = (0, 0, 40, 40), (50, 0, 90, 40)
ELEVEN = [step / 10 for step in range(11)]


# Of one class: true objects, found ones, AP by 11 points and by all points at IoU 0.5.
HAND_WORKED: dict[str, tuple[PhotoResult, float, float]] = {
    "all found": (result([(0, LEFT), (0, RIGHT)], [(0, LEFT, 0.9), (0, RIGHT, 0.8)]), 1.0, 1.0),
    "none found": (result([(0, LEFT)]), 0.0, 0.0),
    "half found": (result([(0, LEFT), (0, RIGHT)], [(0, LEFT, 0.9)]), 6 / 11, 0.5),
    "wrong before right": (result([(0, LEFT)], [(0, RIGHT, 0.9), (0, LEFT, 0.8)]), 0.5, 0.5),
    "right before wrong": (result([(0, LEFT)], [(0, LEFT, 0.9), (0, RIGHT, 0.8)]), 1.0, 1.0),
    "found twice": (result([(0, LEFT), (0, RIGHT)], [(0, LEFT, 0.9), (0, LEFT, 0.8)]), 6 / 11, 0.5),
    "another class": (result([(0, LEFT)], [(1, LEFT, 0.9)]), 0.0, 0.0),
    "half the box": (result([(0, LEFT)], [(0, (0, 0, 40, 20), 0.9)]), 1.0, 1.0),
    "less than half the box": (result([(0, LEFT)], [(0, (0, 0, 40, 19), 0.9)]), 0.0, 0.0),
    "an uncounted one is found": (
        result([(0, LEFT), (0, RIGHT)], [(0, RIGHT, 0.9), (0, LEFT, 0.8)], [False, True]),
        1.0,
        1.0,
    ),
    "an uncounted one is missed": (result([(0, LEFT), (0, RIGHT)], [(0, LEFT, 0.8)], [False, True]), 1.0, 1.0),
}


@pytest.mark.parametrize("case", HAND_WORKED)
def test_average_precision_is_what_one_gets_by_hand(case: str) -> None:
    photo, eleven, area = HAND_WORKED[case]
    found = curve([photo], 0)
    assert eleven_point_ap(found) == pytest.approx(eleven)
    assert all_point_ap(found) == pytest.approx(area)


def test_coco_counts_how_well_a_box_fits() -> None:
    photo = result([(0, (0, 0, 40, 40))], [(0, (0, 0, 40, 31), 0.9)])
    scores = coco_scores([photo], 2)
    # IoU 0.775 is enough at 0.50, 0.55, ..., 0.75: six of ten thresholds.
    assert scores.ap == pytest.approx(0.6)
    assert scores.ap50 == pytest.approx(1.0)
    assert scores.ap_by_class[0] == pytest.approx(0.6)
    assert math.isnan(scores.ap_by_class[1])


def test_coco_forgives_what_is_found_in_a_crowd() -> None:
    true, found = [(0, LEFT), (0, RIGHT)], [(0, RIGHT, 0.9), (0, RIGHT, 0.85), (0, LEFT, 0.8)]
    assert coco_scores([result(true, found, [False, True])], 1).ap == pytest.approx(1.0)
    assert coco_scores([result(true, found)], 1).ap < 1.0


def test_nothing_found_at_all_is_zero() -> None:
    assert coco_scores([result([(0, LEFT)])], 1).ap == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_all_measures_agree_with_the_reference(seed: int) -> None:
    results = random_results(seed)
    scores = score(results, ("a", "b"), 0.5)
    assert scores.classes
    for class_id, row in enumerate(scores.classes):
        assert row.objects == reference.hits(results, class_id, MIN_IOU)[1]
        assert row.coco_ap == pytest.approx(reference.coco_ap(results, class_id), abs=1e-9)
    assert scores.coco_ap == pytest.approx(np.mean([row.coco_ap for row in scores.classes]))


@pytest.mark.parametrize("seed", range(6))
def test_vocs_measures_agree_with_the_reference_where_objects_are_apart(seed: int) -> None:
    # VOC asks for the true object that overlaps most, COCO for the free one: with one object a photo they are the same.
    results = [
        result(
            [(0, (20, 20, 70, 70))], [(0, (20 + dx, 20, 70 + dx, 70), p) for dx, p in zip(moved, likely, strict=True)]
        )
        for moved, likely in zip(
            np.random.default_rng(seed).normal(0, 20, (20, 2)), np.random.default_rng(seed).random((20, 2)), strict=True
        )
    ]
    verdicts, objects = reference.hits(results, 0, MIN_IOU)
    found = curve(results, 0)
    assert all_point_ap(found) == pytest.approx(reference.area_under_curve(verdicts, objects))
    assert eleven_point_ap(found) == pytest.approx(reference.average_precision(verdicts, objects, ELEVEN))


def test_precision_and_recall_are_those_above_the_threshold() -> None:
    photo = result([(0, LEFT), (0, RIGHT)], [(0, LEFT, 0.9), (0, (10, 50, 30, 90), 0.6), (0, RIGHT, 0.5)])
    scores = score([photo, result([(1, LEFT)], [(1, LEFT, 0.3)])], ("a", "b", "c"), 0.5)
    assert [scores.precision, scores.recall] == pytest.approx([1 / 2, 1 / 3])
    first, second, third = scores.classes
    assert (first.precision, first.recall) == (0.5, 0.5)
    assert (second.precision, second.recall) == (None, 0.0)
    assert (third.objects, third.coco_ap, third.voc_ap_11_point, third.recall) == (0, None, None, None)


def test_without_any_object_nothing_can_be_said() -> None:
    scores = score([result([])], ("a",), 0.5)
    assert (scores.coco_ap, scores.voc_ap_all_point, scores.precision, scores.recall) == (None, None, None, None)


def test_boxes_without_area_overlap_nothing() -> None:
    assert iou(np.array([1.0, 1, 1, 1]), np.array([[1.0, 1, 1, 1], [0, 0, 2, 2]])).tolist() == [0, 0]
