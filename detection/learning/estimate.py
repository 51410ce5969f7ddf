"""Precision and recall at a threshold, from judged objects, with their intervals.

Objects that people judged are rarely those that a model finds: queues show the least sure ones first. Each judged
object therefore carries the number of objects that it stands for (Horvitz and Thompson, 1952,
doi:10.1080/01621459.1952.10483446), and shares are ratios of two such sums. Their variance is that of the linearised
ratio within strata, over clusters (photos, where all objects of a photo were judged). The interval is Wilson's at the
number of equally weighted judgements with that variance (Korn and Graubard, 1998).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The 97.5th percentile of the normal distribution.
_Z = 1.959963984540054
# Of a search among 15 orders of magnitude.
_HALVINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Judged objects of one class, or several.

    scores: (N,) the model's probabilities. is_right: (N,) whether the object is of that class. weights: (N,) objects
    that each stands for. strata, clusters: (N,) numbers. missed: objects that the model did not find at all, one a
    cluster number, (M,). photos: that the objects come from.
    """

    scores: Floats
    is_right: NDArray[np.bool_]
    weights: Floats
    strata: NDArray[np.int64]
    clusters: NDArray[np.int64]
    missed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    photos: int = 0

    @classmethod
    def of(cls, scores: Floats, is_right: NDArray[np.bool_]) -> "Evidence":
        """Return evidence of independent objects of equal weight."""
        count = len(scores)
        return cls(scores, is_right, np.ones(count), np.zeros(count, np.int64), np.arange(count))

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class Share:
    """Estimated share with its 95 % interval, each 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures at one threshold. judged, right: counts of judged objects above it, unweighted. recall: of the right
    objects that the model keeps at all and of those known to be missed. precision, recall: None without an object.
    false: estimated number of false objects above it, weighted; false_high: the upper end of its interval.
    """

    threshold: float
    precision: Share | None
    recall: Share | None
    judged: int
    right: int
    false: float
    false_high: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where one of them is not known."""
        if self.precision is None or self.recall is None or not self.precision.value + self.recall.value:
            return 0.0
        return 2 * self.precision.value * self.recall.value / (self.precision.value + self.recall.value)


def figures_at(evidence: Evidence, threshold: float) -> Figures:
    """Return the figures of the objects above a threshold."""
    return figures_at_each(evidence, [threshold])[0]


def figures_at_each(evidence: Evidence, thresholds: Iterable[float]) -> list[Figures]:
    """Return the figures of the objects above each threshold."""
    found, everything = _Sums.of(evidence, 0), _Sums.of(evidence, len(evidence.missed))
    return [_figures(evidence, threshold, found, everything) for threshold in thresholds]


def share_right(evidence: Evidence, chosen: NDArray[np.bool_]) -> Share | None:
    """Return the share of right objects among the chosen ones, (N,); None without one."""
    return _Sums.of(evidence, 0).share(evidence.weights, chosen & evidence.is_right, chosen)


def _figures(evidence: Evidence, threshold: float, found: "_Sums", everything: "_Sums") -> Figures:
    above = evidence.scores > threshold
    hits = above & evidence.is_right
    wrong = evidence.weights * (above & ~evidence.is_right)
    # One object more: that none was seen does not mean that there is none.
    spread = found.variance(wrong) + float((evidence.weights**2).max(initial=1.0))
    return Figures(
        threshold,
        found.share(evidence.weights, hits, above),
        everything.share(evidence.weights, hits, evidence.is_right),
        int(above.sum()),
        int(hits.sum()),
        float(wrong.sum()),
        float(wrong.sum() + _Z * np.sqrt(spread)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over clusters and strata of the objects, and of `missed` ones behind them, which have the weight 1.

    cluster_of: (N,) place of each one's cluster; stratum_of: (C,) place of each cluster's stratum.
    """

    missed: int
    cluster_of: NDArray[np.int64]
    stratum_of: NDArray[np.int64]

    @classmethod
    def of(cls, evidence: Evidence, missed: int) -> "_Sums":
        clusters = np.concatenate([evidence.clusters, evidence.missed[:missed]])
        strata = np.concatenate([evidence.strata, np.zeros(missed, np.int64)])
        _, first, cluster_of = np.unique(clusters, return_index=True, return_inverse=True)
        return cls(missed, cluster_of, np.unique(strata[first], return_inverse=True)[1])

    def share(self, weights: Floats, top: NDArray[np.bool_], bottom: NDArray[np.bool_]) -> Share | None:
        """Return the weighted share of `top` in `bottom`, (N,) each; missed objects are at the bottom only."""
        total = float(weights[bottom].sum()) + self.missed
        if total <= 0:
            return None
        share = float(weights[top].sum()) / total
        residuals = np.full(len(self.cluster_of), -share / total)
        residuals[: len(weights)] = weights * (top - share * bottom) / total
        variance = self.variance(residuals)
        if share in {0.0, 1.0} or variance <= 0:
            return _wilson(share, total**2 / (float((weights[bottom] ** 2).sum()) + self.missed))
        return _wilson(share, share * (1 - share) / variance)

    def variance(self, values: Floats) -> float:
        """Return the variance of the sum of values, (N,)."""
        sums = np.bincount(self.cluster_of, values, minlength=len(self.stratum_of))
        counts = np.bincount(self.stratum_of).astype(np.float64)
        means = np.bincount(self.stratum_of, sums) / counts
        squares = np.bincount(self.stratum_of, (sums - means[self.stratum_of]) ** 2)
        # One cluster tells nothing of the variance of its stratum; its own square is a guess on the safe side.
        alone = counts == 1
        squares[alone] = np.bincount(self.stratum_of, sums**2)[alone]
        return float((squares * counts / np.where(alone, 1.0, counts - 1)).sum())


def narrowed(share: Share, factor: float) -> Share:
    """Return the interval that `factor` times as many verdicts of the same kind would give around the same share."""
    width, low, high = share.high - share.low, 1e-6, 1e9
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        at = _wilson(share.value, middle)
        low, high = (middle, high) if at.high - at.low > width else (low, middle)
    return _wilson(share.value, low * factor)


def expected(verdicts: int) -> Share:
    """Return the widest interval that so many verdicts of equal weight can give: that around one half."""
    return _wilson(0.5, max(verdicts, 1))


def _wilson(share: float, trials: float) -> Share:
    """Return the 95 % score interval (E. B. Wilson, 1927); trials: may be fractional, above 0."""
    z2 = _Z * _Z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * float(np.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials)))
    return Share(share, max(centre - half, 0.0), min(centre + half, 1.0))
