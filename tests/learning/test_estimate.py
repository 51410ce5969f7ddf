"""Estimates from verdicts: right on months whose truth is known, whoever chose what was judged."""

import numpy as np
import pytest

from detection.learning.estimate import Evidence, figures_at
from detection.learning.goals import GoalError, choose, goal_of
from detection.learning.simulation import CLASSES, Outcome, simulated_months
from detection.learning.strata import COUNT, allocate, stratum_of


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {one.class_name: one for one in simulated_months(100, 400, objects=4_000)}


@pytest.mark.parametrize("class_name", CLASSES)
def test_proposed_threshold_keeps_its_precision_in_the_next_month(
    outcomes: dict[str, Outcome], class_name: str
) -> None:
    outcome = outcomes[class_name]
    assert outcome.proposed >= 40
    assert outcome.kept >= 0.95 * outcome.proposed


def test_intervals_hold_the_truth_as_often_as_they_say_and_those_of_a_queue_do_not(
    outcomes: dict[str, Outcome],
) -> None:
    months = sum(one.seeds for one in outcomes.values())
    assert 0.93 <= sum(one.covered for one in outcomes.values()) / months <= 0.97
    assert sum(one.covered_by_queue for one in outcomes.values()) / months < 0.05


def test_objects_count_as_many_as_they_stand_for() -> None:
    evidence = Evidence(
        np.array([0.9, 0.8, 0.3]),
        np.array([True, True, False]),
        np.array([1.0, 1.0, 8.0]),
        np.array([1, 1, 0]),
        np.arange(3),
        np.array([7, 8]),
    )
    everything, sure = figures_at(evidence, 0.1), figures_at(evidence, 0.5)
    assert everything.precision is not None
    assert everything.recall is not None
    assert sure.precision is not None
    assert everything.precision.value == pytest.approx(0.2)
    assert (sure.precision.value, sure.judged, sure.right) == (1.0, 2, 2)
    # Two of four objects were not found at all.
    assert everything.recall.value == pytest.approx(0.5)


def test_objects_of_few_photos_tell_less_than_as_many_of_many() -> None:
    scores, is_right = np.full(100, 0.9), np.repeat([True, False], 50)
    alone = figures_at(Evidence.of(scores, is_right), 0.5).precision
    together = Evidence(scores, is_right, np.ones(100), np.zeros(100, np.int64), np.arange(100) // 10)
    grouped = figures_at(together, 0.5).precision
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_every_stratum_is_judged_and_none_beyond_its_objects() -> None:
    assert allocate([1000, 0, 3, 100], 50) == [34, 0, 3, 13]
    assert allocate([2, 3], 50) == [2, 3]
    assert stratum_of(np.array([0.1, 0.15, 0.2, 0.99, 1.0])).tolist() == [0, 0, 1, COUNT - 1, COUNT - 1]


SURE = Evidence.of(np.linspace(0.11, 0.99, 400), np.linspace(0.11, 0.99, 400) > 0.6)


@pytest.mark.parametrize(
    ("goal", "low", "high"), [("precision:0.9", 0.55, 0.65), ("f1", 0.57, 0.63), ("false:10", 0.5, 0.65)]
)
def test_goal_chooses_the_threshold_where_objects_turn_right(goal: str, low: float, high: float) -> None:
    evidence = Evidence(SURE.scores, SURE.is_right, SURE.weights, SURE.strata, SURE.clusters, photos=400)
    chosen = choose(evidence, goal_of(goal))
    assert chosen is not None
    assert low <= chosen.threshold <= high


def test_goal_that_nothing_reaches_is_out_of_reach() -> None:
    assert choose(Evidence.of(SURE.scores, np.zeros(400, bool)), goal_of("precision:0.95")) is None


@pytest.mark.parametrize("text", ["precision", "precision:2", "precision:x", "f1:3", "false:-1", "recall:0.9", ""])
def test_goal_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(GoalError, match=r"Write precision:0\.95"):
        goal_of(text)
