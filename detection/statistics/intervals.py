"""Precision by people's verdicts, with its confidence interval."""

import math
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
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0))
