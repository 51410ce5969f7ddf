"""Matches two models' objects in one photo, by class and place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.evaluation.class_names import common_name
from detection.evaluation.results import iou
from detection.inference.types import FoundObject

MATCH_IOU = 0.5


@dataclass(slots=True)
class Agreement:
    """Agreement on one class in one photo: objects of both models, of one alone, and the difference of their
    probabilities.

    difference: the sum over matched objects of the candidate's probability less the answer's.
    """

    matched: int = 0
    only_answer: int = 0
    only_candidate: int = 0
    difference: float = 0.0


def compare(answer: Sequence[FoundObject], candidate: Sequence[FoundObject]) -> dict[str, Agreement]:
    """Match by class, under its common name: COCO's motorcycle is Pascal VOC's motorbike.

    Of all pairs with an IoU of MATCH_IOU or more, those that overlap most are matched first; each object once.
    """
    by_class: dict[str, Agreement] = {}
    names = {common_name(found.class_name) for found in (*answer, *candidate)}
    for name in sorted(names):
        ours, theirs = (
            [found for found in objects if common_name(found.class_name) == name] for objects in (answer, candidate)
        )
        pairs = _matched(ours, theirs)
        difference = sum(theirs[right].probability - ours[left].probability for left, right in pairs)
        by_class[name] = Agreement(len(pairs), len(ours) - len(pairs), len(theirs) - len(pairs), difference)
    return by_class


def _matched(ours: Sequence[FoundObject], theirs: Sequence[FoundObject]) -> list[tuple[int, int]]:
    if not ours or not theirs:
        return []
    # An IoU is the same in pixels and in fractions of the photo.
    boxes, others = (np.array([found.box_xyxy_unit for found in objects], np.float64) for objects in (ours, theirs))
    overlaps = np.stack([iou(box, others) for box in boxes])
    pairs: list[tuple[int, int]] = []
    while overlaps.max(initial=0.0) >= MATCH_IOU:
        left, right = divmod(int(overlaps.argmax()), len(theirs))
        pairs.append((left, right))
        overlaps[left, :] = overlaps[:, right] = 0.0
    return pairs
