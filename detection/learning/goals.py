"""Goals of operating points, and the threshold that reaches one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detection.inference.detector import KEPT_PROBABILITY
from detection.learning.estimate import Evidence, Figures, figures_at_each

# Objects below the first are not kept, and above the last hardly any model finds one.
_CANDIDATES = [round(each, 2) for each in np.arange(KEPT_PROBABILITY, 0.96, 0.01).tolist()]


class GoalError(ValueError):
    """The goal cannot be read; the message says how to write one."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal, and how it chooses among the figures at all candidates, lowest threshold first; None: out of reach."""

    text: str
    choose: Callable[[list[Figures], Evidence], Figures | None]


def goal_of(text: str) -> Goal:
    """Return the goal of `precision:0.95`, `false:3` (objects a hundred photos) or `f1`. Raises GoalError."""
    kind, _, number = text.partition(":")
    try:
        wanted = float(number) if number else None
    except ValueError:
        wanted = None
    if kind == "f1" and not number:
        return Goal(text, _best_f1)
    if kind == "precision" and wanted is not None and 0 < wanted < 1:
        return Goal(text, lambda figures, _: _first(figures, lambda one: _is_precise(one, wanted)))
    if kind == "false" and wanted is not None and wanted > 0:
        return Goal(text, lambda figures, given: _few_false(figures, given, wanted))
    raise GoalError(f"{text} is no goal. Write precision:0.95, false:3 (false objects a hundred photos) or f1.")


def choose(evidence: Evidence, goal: Goal) -> Figures | None:
    """Return the figures at the threshold that reaches the goal at the least cost; None where none does."""
    return goal.choose(figures_at_each(evidence, _CANDIDATES), evidence)


def _is_precise(figures: Figures, wanted: float) -> bool:
    """Return whether the precision is above the wanted one by the lower end of its interval, not by luck."""
    return figures.precision is not None and figures.precision.low >= wanted


def _few_false(figures: list[Figures], evidence: Evidence, per_hundred: float) -> Figures | None:
    most = per_hundred * evidence.photos / 100
    return _first(figures, lambda one: one.judged > 0 and one.false_high <= most)


def _best_f1(figures: list[Figures], _evidence: Evidence) -> Figures | None:
    best = max(figures, key=lambda one: one.f1)
    return best if best.f1 > 0 else None


def _first(figures: list[Figures], is_reached: Callable[[Figures], bool]) -> Figures | None:
    return next((one for one in figures if is_reached(one)), None)
