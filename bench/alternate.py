"""Compares contestants on a machine whose speed changes: in turn, round by round, by ratios within a round."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def alternate(
    contestants: Mapping[str, Callable[[], T]], rounds: int, *, tell: Callable[[str], None] | None = None
) -> dict[str, list[T]]:
    """Run each contestant once a round; every other round runs backwards, so that a drift hits all alike.

    tell: is called with the name of what starts. Raises ValueError without a round.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds measure nothing; ask for 1 or more.")
    results: dict[str, list[T]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            if tell is not None:
                tell(f"{name}, round {number + 1} of {rounds}")
            results[name].append(contestants[name]())
    return results


def ratio_of_rounds(values: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the median over the rounds of value / baseline. Raises ValueError when the rounds do not match."""
    return median(value / base for value, base in zip(values, baseline, strict=True))
