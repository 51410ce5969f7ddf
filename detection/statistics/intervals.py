"""How often the model is right, by what people said of its objects, and how sure one can be of that number."""

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
    """The verdicts in force on the reported objects of a class, or of all of them.

    class_name: the model's. confirmed and corrected (the class is right, the box was mended) count as right, rejected
    and relabelled as wrong. Objects that nobody has judged count as neither.
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
        """Objects that people judged."""
        return self.right + self.rejected + self.relabelled

    @property
    def precision(self) -> float:
        """The share that is right, 0 to 1; there must be a verdict."""
        return self.right / self.total

    @property
    def interval(self) -> Interval:
        """Where the precision of all objects like these lies, in 95 of 100 cases."""
        return wilson_interval(self.right, self.total)


def wilson_interval(successes: int, trials: int) -> Interval:
    """The score interval of a share, 95 % (E. B. Wilson, 1927, doi:10.1080/01621459.1927.10502953).

    Unlike the usual one it stays within 0 and 1, and says something of few trials too. trials: at least 1.
    """
    share, z2 = successes / trials, _Z * _Z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0))
