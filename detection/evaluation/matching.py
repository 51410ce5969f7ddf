"""Matches two models' objects in one photo, by class and place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from detection.evaluation.class_names import common_name
from detection.evaluation.results import iou
from detection.inference.types import FoundObject

MATCH_IOU = 0.5


class Placed(Protocol):
    """Object with a class and a box; only the proportions of boxes matter, so that they may be in pixels."""

    @property
    def class_name(self) -> str: ...

    @property
    def box_xyxy_unit(self) -> tuple[float, float, float, float]: ...


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
    names, others = ([common_name(found.class_name) for found in objects] for objects in (answer, candidate))
    by_class = {name: Agreement() for name in sorted({*names, *others})}
    for name in names:
        by_class[name].only_answer += 1
    for name in others:
        by_class[name].only_candidate += 1
    for left, right in partners(answer, candidate):
        agreement = by_class[names[left]]
        agreement.matched += 1
        agreement.only_answer -= 1
        agreement.only_candidate -= 1
        agreement.difference += candidate[right].probability - answer[left].probability
    return by_class


def partners(ours: Sequence[Placed], theirs: Sequence[Placed]) -> list[tuple[int, int]]:
    """Return the places of the objects that are matched, as pairs: of one class, with an IoU of MATCH_IOU or more.

    Those that overlap most come first; each object is matched once.
    """
    if not ours or not theirs:
        return []
    # An IoU is the same in pixels and in fractions of the photo.
    boxes, others = (np.array([found.box_xyxy_unit for found in objects], np.float64) for objects in (ours, theirs))
    names, other_names = (np.array([common_name(found.class_name) for found in one]) for one in (ours, theirs))
    overlaps = iou(boxes, others) * (names[:, None] == other_names[None, :])
    pairs: list[tuple[int, int]] = []
    while overlaps.max(initial=0.0) >= MATCH_IOU:
        left, right = divmod(int(overlaps.argmax()), len(theirs))
        pairs.append((left, right))
        overlaps[left, :] = overlaps[:, right] = 0.0
    return pairs
