"""The test of a day against its reference period, on simulated months and against scipy."""

import numpy as np
import pytest

from bench.drift import STEPS, WITHIN_DAYS, day_of, history
from detection.drift.comparison import MIN_REFERENCE_DAYS, Measure, compare, two_sided_p

stats = pytest.importorskip("scipy.stats", reason="needs scipy, whose t distribution is the oracle")


@pytest.mark.parametrize("degrees", [1, 2, 3, 13, 14, 27])
@pytest.mark.parametrize("errors", [0.0, 0.5, 2.0, 4.5, 9.0])
def test_p_values_are_those_of_students_t(errors: float, degrees: int) -> None:
    assert two_sided_p(errors, degrees) == pytest.approx(2 * stats.t.sf(errors, degrees), rel=1e-6, abs=1e-13)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_found_within_three_days(step: str) -> None:
    delays = [history(seed, step).delay for seed in range(4)]
    assert sum(delay is not None and delay <= WITHIN_DAYS for delay in delays) >= 3


def test_a_stable_month_is_silent() -> None:
    assert sum(len(history(seed).false_days) for seed in range(4)) <= 1


def reference() -> list[dict[str, Measure]]:
    random = np.random.default_rng(1)
    return [dict(day_of(random, day % 7)) for day in range(28)]


def test_findings_name_what_differs_and_by_how_much() -> None:
    day = dict(day_of(np.random.default_rng(2), 1))
    day["brightness"] = Measure(1000, 60.0, 1600.0)
    (finding,) = compare([day], reference())
    assert finding.name == "brightness"
    assert finding.mean == 60.0
    assert finding.reference == pytest.approx(120, abs=3)
    assert finding.errors < -5


def test_a_class_that_was_never_there_is_found_and_one_that_is_gone_too() -> None:
    day = dict(day_of(np.random.default_rng(2), 1))
    gone = day.pop("class:0")
    day["class:new"] = Measure(gone.photos, 0.1, 0.09)
    assert {each.name for each in compare([day], reference())} == {"class:0", "class:new"}


def test_a_tiny_difference_is_none_however_significant() -> None:
    alike = {"brightness": Measure(10**9, 100.0, 1600.0)}
    assert compare([{"brightness": Measure(10**9, 101.0, 1600.0)}], [alike] * 20) == []
    assert compare([{"brightness": Measure(10**9, 110.0, 1600.0)}], [alike] * 20) != []


def test_days_with_few_photos_are_not_compared() -> None:
    few = {"brightness": Measure(10, 200.0, 1600.0)}
    assert compare([few], reference()) == []


def test_too_few_days_are_no_reference() -> None:
    days = reference()
    with pytest.raises(ValueError, match="13"):
        compare(days[-1:], days[: MIN_REFERENCE_DAYS - 1])
