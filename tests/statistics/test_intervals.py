"""Precision and its uncertainty."""

import pytest

from detection.statistics.intervals import VerdictCounts, exact_interval, paired_difference, sign_test, wilson_interval


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
        assert wilson_interval(0, trials).low == 0.0
        assert wilson_interval(trials, trials).high == 1.0
        assert 0.0 <= wilson_interval(trials, trials).low < 1.0


def test_class_that_is_right_counts_whatever_its_box() -> None:
    said = VerdictCounts("cat", confirmed=6, corrected=2, rejected=1, relabelled=1)
    assert (said.right, said.total, said.precision) == (8, 10, 0.8)
    assert said.interval == wilson_interval(8, 10)


def test_paired_difference_is_the_published_one() -> None:
    # Newcombe (1998), table II: 20, 12, 2, 16 has the interval 0.0562 to 0.3292 by his method 10.
    found = paired_difference(20, 12, 2, 16)
    assert (found.low, found.high) == pytest.approx((0.0562, 0.3292), abs=1e-4)
    swapped = paired_difference(20, 2, 12, 16)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))
    nothing_lost = paired_difference(43, 0, 0, 0)
    assert nothing_lost.low == pytest.approx(-nothing_lost.high)
    assert paired_difference(0, 5, 0, 0).high == 1.0


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [(12, 2, 212 / 16384), (2, 12, 212 / 16384), (5, 5, 1.0), (1, 0, 1.0), (0, 0, 1.0), (0, 6, 2 / 64)],
)
def test_sign_test_is_that_of_a_fair_coin(wins: int, losses: int, expected: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # SciPy's binomtest(...).proportion_ci(method="exact").
    [(12, 14, 0.571871, 0.982205), (7, 20, 0.153909, 0.592189), (0, 10, 0.0, 0.308497), (10, 10, 0.691503, 1.0)],
)
def test_exact_interval_is_that_of_clopper_and_pearson(successes: int, trials: int, low: float, high: float) -> None:
    found = exact_interval(successes, trials)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
