"""Calibration: how often a model's score is right, and a curve that turns scores into such shares.

A calibrated model is right in 80 of 100 objects with the score 0.8. The reliability diagram and the expected
calibration error are those of C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (On Calibration of Modern Neural Networks,
ICML 2017, arXiv:1706.04599): bins of equal width, and the mean distance of each bin's share of right objects from its
mean score, weighted by the bin's share of all objects.
The curve is isotonic regression by pool adjacent violators (M. Ayer et al. 1955, doi:10.1214/aoms/1177728423; for
probabilities B. Zadrozny and C. Elkan 2002, doi:10.1145/775047.775151). It is twenty lines of NumPy here: scikit-learn,
which has it too, would come with SciPy for nothing else.

Objects of all classes count together, each with its weight (`evidence.py`, `sampling.py`). An object is right where
people confirmed it or mended its box, wrong where they rejected it or gave it another class. Objects without a verdict,
and those that people drew, which have no score, do not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from detection.learning.estimate import Evidence, Floats, Share, share_right
from detection.learning.evidence import pooled
from detection.program import PROGRAM

BINS = 10
LEAST_JUDGED = 200
_FOLDS = 5
_DIGITS = 6


class CalibrationError(Exception):
    """No calibration is possible; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Objects whose score is above `low` and at most `high`. share: of all objects, 0 to 1, weighted; judged: their
    count; mean_score: weighted; right: share of right ones with its 95 % interval.
    """

    low: float
    high: float
    share: float
    judged: int
    mean_score: float
    right: Share


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins with an object, lowest first. error: expected calibration error, 0 to 1. by_chance: the error that a
    perfectly calibrated model would show on average with as few verdicts.
    """

    bins: tuple[Bin, ...]
    judged: int
    right: int
    error: float
    by_chance: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Piecewise linear, never falling. scores, probabilities: (K,), both rising; constant beyond the ends."""

    scores: Floats
    probabilities: Floats

    def of(self, scores: Floats) -> Floats:
        """Return the calibrated probabilities of scores, (N,) to (N,)."""
        return np.interp(scores, self.scores, self.probabilities)


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """Curve, the reliability of the raw scores, and that of calibrated ones of objects that their curve was not made of
    (cross-validation in five parts, by photo).
    """

    curve: Curve
    before: Reliability
    after: Reliability


def reliability(evidence: Evidence) -> Reliability:
    """Return the bins of a reliability diagram and the expected calibration error. Raises CalibrationError without an
    object.
    """
    if not len(evidence):
        raise CalibrationError(needed(0))
    place = np.clip(np.ceil(evidence.scores * BINS).astype(np.int64) - 1, 0, BINS - 1)
    total = float(evidence.weights.sum())
    bins, chance = [], 0.0
    for number in np.unique(place).tolist():
        chosen = place == number
        weights = evidence.weights[chosen]
        mean = float(np.average(evidence.scores[chosen], weights=weights))
        right = share_right(evidence, chosen)
        if right is None:
            continue
        share = float(weights.sum()) / total
        bins.append(Bin(number / BINS, (number + 1) / BINS, share, int(chosen.sum()), mean, right))
        # The mean distance of a normal variable from its mean, at the number of equally weighted objects.
        objects = float(weights.sum()) ** 2 / float((weights**2).sum())
        chance += share * (2 / np.pi * mean * (1 - mean) / objects) ** 0.5
    error = sum(each.share * abs(each.right.value - each.mean_score) for each in bins)
    return Reliability(tuple(bins), len(evidence), int(evidence.is_right.sum()), error, chance)


def isotonic(evidence: Evidence) -> Curve:
    """Return the curve that never falls and is closest to what is right, by weighted squares. Raises CalibrationError
    without an object.
    """
    if not len(evidence):
        raise CalibrationError(needed(0))
    scores, place = np.unique(evidence.scores, return_inverse=True)
    weights = np.bincount(place, evidence.weights)
    means = np.bincount(place, evidence.weights * evidence.is_right) / weights
    # Mean, weight, first and last place of each block; a block that is not above the one before it joins that one.
    blocks: list[tuple[float, float, int, int]] = []
    for at, block in enumerate(zip(means.tolist(), weights.tolist(), strict=True)):
        (mean, weight), first = block, at
        while blocks and blocks[-1][0] >= mean:
            before_mean, before_weight, first, _ = blocks.pop()
            mean = (before_mean * before_weight + mean * weight) / (before_weight + weight)
            weight += before_weight
        blocks.append((mean, weight, first, at))
    knots = [(scores[at], mean) for mean, _, first, last in blocks for at in sorted({first, last})]
    return Curve(*np.round(np.array(knots, np.float64).T, _DIGITS))


def calibrate(by_class: Mapping[str, Evidence], least: int = LEAST_JUDGED) -> Calibrated:
    """Return the curve of a model from its judged objects. Raises CalibrationError where they are too few."""
    evidence = pooled(by_class)
    judged = 0 if evidence is None else len(evidence)
    if evidence is None or judged < least:
        raise CalibrationError(needed(judged, least))
    return Calibrated(isotonic(evidence), reliability(evidence), reliability(_held_out(evidence)))


def needed(judged: int, least: int = LEAST_JUDGED) -> str:
    """Return how many verdicts are missing, in a sentence."""
    return (
        f"A calibration needs {least} judged objects of the model, and there are {judged}: review {least - judged} "
        f"more, best those of a measuring sample (`{PROGRAM} operating_point sample`)."
    )


def _held_out(evidence: Evidence) -> Evidence:
    """Return the evidence with calibrated scores, each by a curve that was made without its photo."""
    photos, photo_of = np.unique(evidence.clusters, return_inverse=True)
    if len(photos) < _FOLDS:
        raise CalibrationError(
            f"A calibration needs judged objects of {_FOLDS} photos, and these are of {len(photos)}: review other "
            "photos too."
        )
    fold_of = np.random.default_rng(0).permutation(len(photos))[photo_of] % _FOLDS
    calibrated = np.empty_like(evidence.scores)
    for fold in range(_FOLDS):
        held = fold_of == fold
        calibrated[held] = isotonic(_part(evidence, ~held)).of(evidence.scores[held])
    return replace(evidence, scores=calibrated)


def _part(evidence: Evidence, chosen: np.ndarray) -> Evidence:
    return Evidence(
        evidence.scores[chosen],
        evidence.is_right[chosen],
        evidence.weights[chosen],
        evidence.strata[chosen],
        evidence.clusters[chosen],
        photos=evidence.photos,
    )
