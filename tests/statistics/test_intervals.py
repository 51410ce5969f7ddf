"""Precision and its uncertainty."""

import pytest

from detection.statistics.intervals import VerdictCounts, wilson_interval


# Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson_interval(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_interval_stays_within_all_and_nothing() -> None:
    for trials in (1, 3, 1000):
        assert wilson_interval(0, trials).low == pytest.approx(0.0, abs=1e-12)
        assert wilson_interval(trials, trials).high == pytest.approx(1.0, abs=1e-12)
        assert 0.0 <= wilson_interval(trials, trials).low < 1.0


def test_class_that_is_right_counts_whatever_its_box() -> None:
    said = VerdictCounts("cat", confirmed=6, corrected=2, rejected=1, relabelled=1)
    assert (said.right, said.total, said.precision) == (8, 10, 0.8)
    assert said.interval == wilson_interval(8, 10)
