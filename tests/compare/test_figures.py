"""Figures of two models: the difference by class, and who was right, against counts by hand."""

from typing import Any

import pytest

from detection.compare import figures
from detection.compare.figures import Truth
from detection.compare.pairs import Pair, pairs_of
from detection.models import DetectedObject, Detection
from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from tests.compare.builders import LEFT, MIDDLE, RIGHT, answer, two_answers

pytestmark = pytest.mark.django_db
COUNTS = ("class_name", "both", "only_a", "only_b")


def pair(*rows: Detection) -> Pair:
    a, b = rows
    (made,) = pairs_of([(a, b)])
    return made


def counts(rows: Any, names: tuple[str, ...] = COUNTS) -> list[tuple[Any, ...]]:
    return [tuple(getattr(row, name) for name in names) for row in rows]


def test_difference_counts_what_both_and_what_one_alone_has_found() -> None:
    first = pair(*two_answers([("cat", LEFT), ("motorcycle", RIGHT)], [("cat", RIGHT), ("motorbike", RIGHT)]))
    second = pair(*two_answers([("cat", LEFT)], [("cat", LEFT), ("kite", MIDDLE)]))
    rows = figures.differences([first, second], {"cat", "motorbike"})
    assert counts(rows) == [("", 2, 1, 1), ("cat", 1, 1, 1), ("motorbike", 1, 0, 0), ("kite", 0, 0, 1)]
    assert [row.is_common for row in rows] == [True, True, True, False]
    assert rows[1].share == 0.5
    assert rows[1].interval is not None
    assert rows[1].interval.low == pytest.approx(0.0945, abs=1e-4)  # Wilson of 1 in 2
    assert rows[2].interval is None
    assert figures.differences([]) == []


def test_who_was_right_is_counted_by_what_people_say_is_there() -> None:
    a, b = two_answers([("cat", LEFT), ("dog", MIDDLE)], [("cat", LEFT), ("cat", RIGHT)])
    said = [
        Statement("1", "rejected"),
        Statement(None, "added", "cat", DetectedObject(x=RIGHT[0], y=RIGHT[1], width=RIGHT[2], height=RIGHT[3]).box),
        Statement(None, "added", "horse", DetectedObject(x=0, y=0, width=9, height=9).box),
    ]
    review_service.judge(a, 0, said, Reviewer(), reviewed=True)
    truths = figures.truths_of([a.pk, b.pk])
    assert [one.class_name for one in truths[a.photo_id]] == ["cat", "cat", "horse"]
    rows = figures.judged([pair(a, b)], truths)
    names = (*COUNTS, "neither", "false_a", "false_b")
    assert counts(rows, names) == [
        ("", 1, 0, 1, 1, 1, 0),
        ("cat", 1, 0, 1, 0, 0, 0),
        ("dog", 0, 0, 0, 0, 1, 0),
        ("horse", 0, 0, 0, 1, 0, 0),
    ]
    assert (rows[1].difference, rows[1].p_value) == (-0.5, 1.0)
    assert rows[2].interval is None
    assert figures.judged([pair(a, b)], {}) == []


def test_newest_finished_review_of_a_photo_is_what_is_there() -> None:
    a, b = two_answers([("cat", LEFT)], [("dog", LEFT)])
    review_service.judge(b, 0, (), Reviewer(), reviewed=True)
    review_service.judge(a, 0, (), Reviewer(), reviewed=True)
    x, y, width, height = LEFT
    corners = (x / 640, y / 480, (x + width) / 640, (y + height) / 480)
    assert figures.truths_of([a.pk, b.pk]) == {a.photo_id: [Truth("cat", corners)]}
    review_service.reopen(a, 1, Reviewer())
    assert figures.truths_of([a.pk, b.pk])[a.photo_id][0].class_name == "dog"
    assert figures.truths_of([answer(a.photo, "other", []).pk]) == {}
