"""Simulated months of detections whose truth is known, to test what is estimated from verdicts.

Objects have a probability by the model and a chance of being right that rises with it, differently in each class.
People judge some of them: a stratified sample, or the least sure ones of a queue.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detection.learning.estimate import Evidence, Floats, Share, figures_at
from detection.learning.goals import choose, goal_of
from detection.learning.strata import draw, weights_of

# Steepness and middle of the chance of being right, by class; (a, b) of the beta distribution of probabilities.
CLASSES = {
    "person": (9.0, 0.35, (1.6, 1.4)),
    "car": (10.0, 0.42, (1.3, 1.5)),
    "dog": (9.0, 0.25, (1.2, 1.2)),
}
KEPT_FROM = 0.1
_REPORTED_ABOVE, _LEAST_KEPT = 0.5, 0.93


@dataclass(frozen=True, slots=True, eq=False)
class Month:
    """All objects of one class that a month keeps: (N,) probabilities and truths."""

    scores: Floats
    is_right: NDArray[np.bool_]

    def precision(self, threshold: float) -> float:
        """Return the true precision above a threshold; 1 where nothing is above it."""
        above = self.scores > threshold
        return float(self.is_right[above].mean()) if above.any() else 1.0


def simulate(class_name: str, objects: int, random: Generator) -> Month:
    """Return a month of a class of `CLASSES`."""
    steepness, middle, (a, b) = CLASSES[class_name]
    scores = KEPT_FROM + (1 - KEPT_FROM) * random.beta(a, b, objects)
    return Month(scores, random.random(objects) < _chance(scores, steepness, middle))


def true_precision(class_name: str, threshold: float) -> float:
    """Return the precision above a threshold of a month without end."""
    steepness, middle, (a, b) = CLASSES[class_name]
    grid = np.linspace(KEPT_FROM, 1, 20_001)[1:-1]
    unit = (grid - KEPT_FROM) / (1 - KEPT_FROM)
    density = unit ** (a - 1) * (1 - unit) ** (b - 1) * (grid > threshold)
    return float((density * _chance(grid, steepness, middle)).sum() / density.sum())


def judge_sample(month: Month, verdicts: int, random: Generator) -> Evidence:
    """Return the verdicts of a stratified sample, weighted back."""
    drawn = draw(np.zeros(len(month.scores), np.int64), month.scores, verdicts, random)
    weights = weights_of(drawn.strata, drawn.populations)
    chosen = drawn.chosen
    return Evidence(month.scores[chosen], month.is_right[chosen], weights, drawn.strata, np.arange(len(chosen)))


def judge_queue(month: Month, verdicts: int, reported_above: float = 0.5) -> Evidence:
    """Return the verdicts of the queue that shows the least sure reported objects first; each counts as one."""
    reported = np.flatnonzero(month.scores > reported_above)
    chosen = reported[np.argsort(month.scores[reported])[:verdicts]]
    return Evidence.of(month.scores[chosen], month.is_right[chosen])


def _chance(scores: Floats, steepness: float, middle: float) -> Floats:
    return np.asarray(1 / (1 + np.exp(-steepness * (scores - middle))), np.float64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of many simulated months of a class.

    seeds: months. proposed: those in which a threshold for 95 % precision was found. kept: those of them whose
    next month had at least 93 %. covered, covered_by_queue: those whose interval of the precision above 0.5 held the
    truth, from the sample and from the queue of the least sure.
    """

    class_name: str
    seeds: int
    proposed: int
    kept: int
    covered: int
    covered_by_queue: int

    def __str__(self) -> str:
        return (
            f"{self.class_name}: 95 % precision proposed in {self.proposed} of {self.seeds} months, at least 93 % in "
            f"{self.kept} of the months after; intervals hold the truth in {self.covered} by the sample, in "
            f"{self.covered_by_queue} by the queue of the least sure"
        )


def simulated_months(seeds: int, verdicts: int, objects: int = 10_000) -> Iterator[Outcome]:
    """Yield the outcome of each class: thresholds chosen in one month, and what they are worth in the next."""
    goal = goal_of("precision:0.95")
    for class_name in CLASSES:
        truth = true_precision(class_name, _REPORTED_ABOVE)
        proposed = kept = covered = by_queue = 0
        for seed in range(seeds):
            random = np.random.default_rng([seed, *class_name.encode()])
            month, after = simulate(class_name, objects, random), simulate(class_name, objects, random)
            sample, queue = judge_sample(month, verdicts, random), judge_queue(month, verdicts, _REPORTED_ABOVE)
            chosen = choose(sample, goal)
            proposed += chosen is not None
            kept += chosen is not None and after.precision(chosen.threshold) >= _LEAST_KEPT
            covered += _holds(figures_at(sample, _REPORTED_ABOVE).precision, truth)
            by_queue += _holds(figures_at(queue, _REPORTED_ABOVE).precision, truth)
        yield Outcome(class_name, seeds, proposed, kept, covered, by_queue)


def _holds(share: Share | None, truth: float) -> bool:
    return share is not None and share.low <= truth <= share.high
