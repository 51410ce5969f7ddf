"""Objects of two models are matched by class and place."""

import pytest

from detection.evaluation.matching import Agreement, compare
from detection.inference.types import FoundObject, PixelBox

LEFT, RIGHT = (0.0, 0.0, 0.4, 0.4), (0.6, 0.6, 1.0, 1.0)
# Half of LEFT, and a third.
NARROW, THIN = (0.0, 0.0, 0.2, 0.4), (0.0, 0.0, 0.13, 0.4)


def found(name: str, probability: float, box: tuple[float, float, float, float]) -> FoundObject:
    return FoundObject(0, name, probability, PixelBox(0, 0, 1, 1), box)


CASES = {
    "the same": ([("cat", 0.9, LEFT)], [("cat", 0.7, LEFT)], {"cat": Agreement(1, 0, 0, -0.2)}),
    "another class": (
        [("cat", 0.9, LEFT)],
        [("dog", 0.9, LEFT)],
        {"cat": Agreement(0, 1, 0), "dog": Agreement(0, 0, 1)},
    ),
    "one class by two names": (
        [("motorbike", 0.9, LEFT)],
        [("motorcycle", 0.9, LEFT)],
        {"motorbike": Agreement(1, 0, 0, 0.0)},
    ),
    "elsewhere": ([("cat", 0.9, LEFT)], [("cat", 0.9, RIGHT)], {"cat": Agreement(0, 1, 1)}),
    "half overlaps": ([("cat", 0.9, LEFT)], [("cat", 0.9, NARROW)], {"cat": Agreement(1, 0, 0, 0.0)}),
    "a third does not": ([("cat", 0.9, LEFT)], [("cat", 0.9, THIN)], {"cat": Agreement(0, 1, 1)}),
    "each is matched once, the best pair first": (
        [("cat", 0.9, NARROW), ("cat", 0.8, LEFT)],
        [("cat", 0.6, LEFT)],
        {"cat": Agreement(1, 1, 0, -0.2)},
    ),
    "nothing": ([], [], {}),
    "one finds nothing": ([("cat", 0.9, LEFT), ("cat", 0.8, RIGHT)], [], {"cat": Agreement(0, 2, 0)}),
}


@pytest.mark.parametrize("case", CASES)
def test_objects_are_matched_by_class_and_place(case: str) -> None:
    answer, candidate, expected = CASES[case]
    agreed = compare([found(*each) for each in answer], [found(*each) for each in candidate])
    assert agreed.keys() == expected.keys()
    for name, wanted in expected.items():
        got = agreed[name]
        assert (got.matched, got.only_answer, got.only_candidate) == (
            wanted.matched,
            wanted.only_answer,
            wanted.only_candidate,
        )
        assert got.difference == pytest.approx(wanted.difference)
