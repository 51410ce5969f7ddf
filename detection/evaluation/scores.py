"""Computes all metrics of one run, as numbers for tables and JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.evaluation.coco_metrics import coco_scores
from detection.evaluation.results import PhotoResult
from detection.evaluation.voc_metrics import Curve, all_point_ap, curve, eleven_point_ap


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Metrics of one class; None where undefined. precision, recall: at the reporting threshold."""

    name: str
    objects: int
    voc_ap_11_point: float | None
    voc_ap_all_point: float | None
    coco_ap: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Scores:
    """Metrics of a run: means over the classes that occur, precision and recall over all objects.

    voc_ap_11_point, voc_ap_all_point: at IoU 0.5; coco_ap: AP@[.5:.95]; coco_ap50: AP at IoU 0.5; coco_ap_small,
    coco_ap_medium, coco_ap_large: AP@[.5:.95] of objects by their size (`coco_metrics.py`). All in [0, 1].
    """

    objects: int
    voc_ap_11_point: float | None
    voc_ap_all_point: float | None
    coco_ap: float | None
    coco_ap50: float | None
    coco_ap_small: float | None
    coco_ap_medium: float | None
    coco_ap_large: float | None
    threshold: float
    precision: float | None
    recall: float | None
    classes: tuple[ClassScores, ...]


def curves(results: Sequence[PhotoResult], classes: Sequence[str]) -> dict[str, Curve]:
    """Return precision and recall at IoU 0.5 of every class."""
    return {name: curve(results, class_id) for class_id, name in enumerate(classes)}


def score(results: Sequence[PhotoResult], classes: Sequence[str], threshold: float) -> Scores:
    """Compute every metric. threshold: objects above it are reported (PROBABILITY_MORE)."""
    coco = coco_scores(results, len(classes))
    by_class = curves(results, classes)
    rows = tuple(
        ClassScores(
            name,
            each.objects,
            _number(eleven_point_ap(each)),
            _number(all_point_ap(each)),
            _number(coco_ap),
            *map(_number, each.at(threshold)),
        )
        for (name, each), coco_ap in zip(by_class.items(), coco.ap_by_class, strict=True)
    )
    precision, recall = _overall(list(by_class.values()), threshold)
    return Scores(
        objects=sum(each.objects for each in by_class.values()),
        voc_ap_11_point=_mean([row.voc_ap_11_point for row in rows]),
        voc_ap_all_point=_mean([row.voc_ap_all_point for row in rows]),
        coco_ap=_number(coco.ap),
        coco_ap50=_number(coco.ap50),
        coco_ap_small=_number(coco.ap_small),
        coco_ap_medium=_number(coco.ap_medium),
        coco_ap_large=_number(coco.ap_large),
        threshold=threshold,
        precision=precision,
        recall=recall,
        classes=rows,
    )


def _overall(curves: list[Curve], threshold: float) -> tuple[float | None, float | None]:
    """Return precision and recall of all reported objects together."""
    reported = right = 0
    for each in curves:
        count = int(np.count_nonzero(each.probabilities > threshold))
        reported += count
        right += round(float(each.precisions[count - 1]) * count) if count else 0
    objects = sum(each.objects for each in curves)
    return (right / reported if reported else None, right / objects if objects else None)


def _number(value: float) -> float | None:
    """Return None for NaN, which JSON lacks."""
    return None if math.isnan(value) else value


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
