"""An object that several views show is one object; a piece is not its whole."""

import numpy as np

from detection.inference.tiles.merging import merged
from detection.inference.types import Detections

Row = tuple[float, tuple[float, float, float, float], int]


def view(*rows: Row) -> Detections:
    scores, boxes, class_ids = zip(*rows, strict=True) if rows else ((), np.zeros((0, 4)), ())
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(class_ids, np.int64))


def scores(found: Detections) -> list[float]:
    return [round(float(score), 3) for score in found.scores]


PERSON = (0.2, 0.2, 0.4, 0.8)
TORSO = (0.2, 0.35, 0.4, 0.55)


def test_an_object_of_two_views_is_the_more_probable_one() -> None:
    shifted = (0.21, 0.2, 0.41, 0.8)
    assert scores(merged([view((0.6, PERSON, 0)), view((0.9, shifted, 0))], 0.1)) == [0.9]


def test_a_piece_that_is_more_probable_does_not_remove_the_whole() -> None:
    assert scores(merged([view((0.5, PERSON, 0)), view((0.9, TORSO, 0))], 0.1)) == [0.9, 0.5]


def test_classes_are_merged_apart() -> None:
    assert scores(merged([view((0.5, PERSON, 0)), view((0.9, PERSON, 1))], 0.1)) == [0.9, 0.5]


def test_a_view_keeps_what_its_network_keeps_apart() -> None:
    beside = (0.22, 0.2, 0.42, 0.8)
    assert scores(merged([view((0.9, PERSON, 0), (0.8, beside, 0)), view()], 0.1)) == [0.9, 0.8]


def test_what_is_removed_removes_nothing() -> None:
    chain = [(0.0, 0.0, 0.3, 1.0), (0.09, 0.0, 0.39, 1.0), (0.18, 0.0, 0.48, 1.0)]
    views = [view((0.9 - 0.1 * number, box, 0)) for number, box in enumerate(chain)]
    assert scores(merged(views, 0.1)) == [0.9, 0.7]


def test_all_views_are_sorted_together_and_the_improbable_left_out() -> None:
    far = [(x / 10, 0.0, x / 10 + 0.05, 0.1) for x in range(4)]
    found = merged([view((0.9, far[0], 0), (0.3, far[1], 1)), view((0.5, far[2], 2)), view((0.05, far[3], 3))], 0.1)
    assert (scores(found), found.class_ids.tolist()) == ([0.9, 0.5, 0.3], [0, 2, 1])


def test_nothing_in_any_view_is_nothing() -> None:
    assert len(merged([view(), view()], 0.1)) == 0
