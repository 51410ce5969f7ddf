"""Test of the newest days against reference days, for many measures at once.

A day's mean of a measure varies for two reasons: the sample of photos, sigma² / n, and what differs between days as
such, tau². Both are estimated from the reference days, tau² by moments, so a measure that changes from day to day by
itself has to change by more. The newest day, and the mean of the newest three, are compared: their difference in
standard errors has Student's t of as many degrees of freedom as there are reference days less one. All comparisons of a
day, two for each measure, go through Holm's step-down procedure: the chance that a day like the others has any finding
is at most ALPHA. A difference that is significant and tiny is none: see `_is_large`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

ALPHA = 0.02
MIN_REFERENCE_DAYS, MAX_REFERENCE_DAYS = 14, 28
MIN_PHOTOS = 100
# Of the newest days, what is compared: a step shows in one, a small one beside days that vary in three.
WINDOWS = (1, 3)
SHARES = ("class:", "format:", "empty")
_LEAST_SHARE, _LEAST_RELATIVE_SHARE = 0.02, 0.15
_LEAST_DEVIATIONS = 0.15


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure of a day: the number of photos that have it, their mean and variance."""

    photos: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Measure that differs: its mean in the newest days and in the reference, and the standard errors between them."""

    name: str
    mean: float
    reference: float
    errors: float

    def as_json(self) -> dict[str, Any]:
        """Return it as a row and a webhook have it."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}


Day = Mapping[str, Measure]


def compare(newest: Sequence[Day], reference: Sequence[Day]) -> list[Finding]:
    """Return what differs, most significant first. newest: the day and those before it, the day last; the longest of
    WINDOWS at most. Raises ValueError for fewer than MIN_REFERENCE_DAYS.
    """
    if len(reference) < MIN_REFERENCE_DAYS:
        raise ValueError(len(reference))
    names = sorted({name for each in (*newest, *reference) for name in each})
    tested = []
    for name in names:
        known = [_filled(each, name) for each in reference]
        for length in WINDOWS:
            window = [_filled(each, name) for each in newest[-length:]]
            if len(window) == length and (found := _tested(name, window, known)) is not None:
                tested.append(found)
    tested.sort(key=lambda each: each[0])
    findings: dict[str, Finding] = {}
    for place, (p_value, is_large, finding) in enumerate(tested):
        if p_value > ALPHA / (len(tested) - place):
            break
        if is_large:
            findings.setdefault(finding.name, finding)
    return list(findings.values())


def _filled(day: Day, name: str) -> Measure:
    """Return a measure of a day; a share of nothing is 0 of all photos."""
    if name in day:
        return day[name]
    is_share = name.startswith(SHARES)
    photos = max((each.photos for each in day.values()), default=0) if is_share else 0
    return Measure(photos, 0.0, 0.0)


def _tested(name: str, window: Sequence[Measure], reference: Sequence[Measure]) -> tuple[float, bool, Finding] | None:
    """Return p-value, whether the difference is large enough to matter, and the finding; None if it cannot be told."""
    known = [each for each in reference if each.photos >= MIN_PHOTOS // 2]
    if min(each.photos for each in window) < MIN_PHOTOS // 2 or len(known) < MIN_REFERENCE_DAYS:
        return None
    photos = np.array([each.photos for each in known], float)
    means = np.array([each.mean for each in known])
    mean = float(means.mean())
    sigma2 = _within(name, mean, known)
    tau2 = max(0.0, float(means.var(ddof=1)) - sigma2 * float((1 / photos).mean()))
    sampled = sum(1 / each.photos for each in window) / len(window) ** 2
    error = math.sqrt(tau2 * (1 / len(window) + 1 / len(known)) + sigma2 * (sampled + 1 / photos.sum()))
    now = sum(each.mean for each in window) / len(window)
    difference = now - mean
    # Where all photos are alike, any other one differs.
    errors = difference / error if error else math.copysign(1000.0 if difference else 0.0, difference)
    is_large = _is_large(name, difference, mean, math.sqrt(sigma2 + tau2))
    return two_sided_p(abs(errors), len(known) - 1), is_large, Finding(name, now, mean, errors)


def _within(name: str, mean: float, known: Sequence[Measure]) -> float:
    """Return the variance between photos of a day; of a share that of its mean, with one photo more, for a class that
    was never there has a variance all the same.
    """
    total = sum(each.photos for each in known)
    if name.startswith(SHARES):
        share = (mean * total + 1) / (total + 2)
        return share * (1 - share)
    return sum(each.variance * each.photos for each in known) / total


def _is_large(name: str, difference: float, mean: float, deviation: float) -> bool:
    """Return whether a difference matters: of shares 2 points and 15 % of the share (or of the rest), of other
    measures 0.15 standard deviations between photos.
    """
    if name.startswith(SHARES):
        return abs(difference) >= max(_LEAST_SHARE, _LEAST_RELATIVE_SHARE * min(mean, 1 - mean))
    return abs(difference) >= _LEAST_DEVIATIONS * deviation


def two_sided_p(errors: float, degrees: int) -> float:
    """Return the probability of |t| above `errors` (Abramowitz and Stegun, 26.7.3 and 26.7.4), exact to 1e-14."""
    angle = math.atan(errors / math.sqrt(degrees))
    sine, cosine2 = math.sin(angle), math.cos(angle) ** 2
    is_odd = degrees % 2
    term = math.cos(angle) if is_odd else 1.0
    total = 0.0 if degrees == 1 else term
    for step in range(3 if is_odd else 2, degrees - 1, 2):
        term *= cosine2 * (step - 1) / step
        total += term
    inside = 2 / math.pi * (angle + sine * total) if is_odd else sine * total
    return max(0.0, 1.0 - inside)
