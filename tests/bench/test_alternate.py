"""Contestants in turn, and ratios within a round."""

from functools import partial

import pytest

from bench.alternate import alternate, ratio_of_rounds


def test_every_other_round_runs_backwards() -> None:
    order: list[str] = []
    told: list[str] = []

    def run(name: str) -> int:
        order.append(name)
        return len(order)

    results = alternate({name: partial(run, name) for name in "abc"}, 3, tell=told.append)

    assert "".join(order) == "abccbaabc"
    assert results == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}
    assert told[0] == "a, round 1 of 3"
    assert told[-1] == "c, round 3 of 3"


def test_a_machine_that_slows_down_does_not_change_the_ratio() -> None:
    baseline = [10.0, 20.0, 40.0]

    assert ratio_of_rounds([20.0, 40.0, 80.0], baseline) == 2.0


def test_one_disturbed_round_does_not_count() -> None:
    assert ratio_of_rounds([2.0, 2.0, 90.0], [1.0, 1.0, 1.0]) == 2.0


def test_rounds_have_to_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio_of_rounds([1.0, 2.0], [1.0])


def test_no_round_measures_nothing() -> None:
    with pytest.raises(ValueError, match="0 rounds measure nothing"):
        alternate({"a": lambda: 1}, 0)
