"""Precision by people's verdicts, with its confidence interval."""

import math
from collections.abc import Callable
from dataclasses import dataclass

# The 97.5th percentile of the normal distribution: intervals hold the true share in 95 of 100 cases.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """Shares from `low` to `high`, 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Verdicts in force on the reported objects of a class, or of all classes.

    class_name: the model's. confirmed and corrected (the class is right, the box was fixed) count as right, rejected
    and relabelled as wrong. Objects without a verdict count as neither.
    """

    class_name: str
    confirmed: int = 0
    corrected: int = 0
    rejected: int = 0
    relabelled: int = 0

    @property
    def right(self) -> int:
        """Objects whose class is right."""
        return self.confirmed + self.corrected

    @property
    def total(self) -> int:
        """Objects with a verdict."""
        return self.right + self.rejected + self.relabelled

    @property
    def precision(self) -> float:
        """Share that is right, 0 to 1; needs at least one verdict."""
        return self.right / self.total

    @property
    def interval(self) -> Interval:
        """95 % confidence interval of the precision."""
        return wilson_interval(self.right, self.total)


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the 95 % score interval of a share (E. B. Wilson, 1927, doi:10.1080/01621459.1927.10502953).

    Unlike the normal approximation it stays within 0 and 1, and is meaningful for few trials. trials: at least 1.
    """
    share, z2 = successes / trials, _Z * _Z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    # Rounding would end the interval of all successes just below 1.
    low = max(centre - half, 0.0) if successes else 0.0
    return Interval(low, min(centre + half, 1.0) if successes < trials else 1.0)


def paired_difference(both: int, only_a: int, only_b: int, neither: int) -> Interval:
    """Return the 95 % interval of the difference of two shares of the same trials, A's less B's: from -1 to 1.

    both, only_a, only_b, neither: the trials in which both succeeded, A alone, B alone, and none; together at least 1.
    R. G. Newcombe's method 10 (1998, doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C), which
    pairs two score intervals and keeps its coverage in small samples, where Wald's does not.
    """
    trials = both + only_a + only_b + neither
    share_a, share_b = (both + only_a) / trials, (both + only_b) / trials
    of_a, of_b = wilson_interval(both + only_a, trials), wilson_interval(both + only_b, trials)
    phi = _correlation(both, only_a, only_b, neither)
    low = _root(share_a - of_a.low, of_b.high - share_b, phi)
    high = _root(of_a.high - share_a, share_b - of_b.low, phi)
    difference = (only_a - only_b) / trials
    return Interval(max(difference - low, -1.0), min(difference + high, 1.0))


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Return Newcombe's phi, with his correction for continuity of positive ones."""
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if product == 0:
        return 0.0
    agreement = both * neither - only_a * only_b
    corrected = agreement if agreement < 0 else max(agreement - (both + only_a + only_b + neither) / 2, 0)
    return corrected / math.sqrt(product)


def _root(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one * one - 2 * phi * one * other + other * other, 0.0))


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided probability of a result as uneven as this one where both sides are as good as each other.

    The exact test of Q. McNemar (1947, doi:10.1007/BF02295996): ties are left out, and what is left is a fair coin.
    1 where there is nothing left.
    """
    trials, fewer = wins + losses, min(wins, losses)
    return min(1.0, 2 * _binomial_tail(fewer, trials, 0.5)) if trials else 1.0


def exact_interval(successes: int, trials: int) -> Interval:
    """Return the exact 95 % interval of a share, which agrees with the sign test: 0.5 lies in it where p is above 0.05.

    C. J. Clopper and E. S. Pearson (1934, doi:10.1093/biomet/26.4.404). trials: at least 1.
    """
    tail = 0.025
    # P(X <= k) falls with the share: the bounds are where each tail has 2.5 %.
    high = 1.0 if successes == trials else _bisect(lambda share: _binomial_tail(successes, trials, share) > tail)
    low = 0.0 if successes == 0 else _bisect(lambda share: 1 - _binomial_tail(successes - 1, trials, share) < tail)
    return Interval(low, high)


def _bisect(is_below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _binomial_tail(most: int, trials: int, share: float) -> float:
    """Return the probability of at most so many successes. share: within 0 and 1."""
    chosen = math.lgamma(trials + 1)
    logs = (
        chosen
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(share)
        + (trials - k) * math.log1p(-share)
        for k in range(most + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))
