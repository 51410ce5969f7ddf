"""Round numbers on the axes of plots."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from detection.statistics.plots.scales import day_ticks, month_ticks, round_ticks


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        pytest.param(0, [0, 1], id="nothing"),
        pytest.param(1, [0, 1], id="one"),
        pytest.param(3, [0, 1, 2, 3], id="whole numbers only"),
        pytest.param(7, [0, 2, 4, 6, 8], id="by twos"),
        pytest.param(100, [0, 50, 100], id="reached exactly"),
        pytest.param(101, [0, 50, 100, 150], id="just above"),
        pytest.param(3333, [0, 1000, 2000, 3000, 4000], id="thousands"),
    ],
)
def test_ticks_are_round_and_reach_the_highest_count(highest: int, ticks: list[int]) -> None:
    assert round_ticks(highest) == ticks


@pytest.mark.parametrize("highest", [1, 9, 10, 11, 99, 12_345, 999_999_999])
def test_ticks_are_few_and_evenly_apart(highest: int) -> None:
    ticks = round_ticks(highest)
    assert ticks[-2] < highest <= ticks[-1]
    assert len({after - before for before, after in pairwise(ticks)}) == 1
    assert len(ticks) <= 5


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


@pytest.mark.parametrize(("count", "most"), [(1, 7), (7, 7), (10, 7), (30, 7), (92, 7)])
def test_day_ticks_are_at_most_as_many_as_there_is_room_for(count: int, most: int) -> None:
    for shift in range(14):
        assert 1 <= len(day_ticks(days_from(date(2026, 3, 1) + timedelta(days=shift), count), most)) <= most


def test_a_month_of_days_has_its_ticks_at_mondays() -> None:
    days = days_from(date(2026, 10, 27), 30)
    assert [days[place] for place in day_ticks(days, 7)] == [
        date(2026, 11, 2),
        date(2026, 11, 9),
        date(2026, 11, 16),
        date(2026, 11, 23),
    ]


def test_months_are_divided_as_a_year_is() -> None:
    year = [date(2025 + month // 12, month % 12 + 1, 1) for month in range(10, 23)]
    assert [year[place].month for place in month_ticks(year, 7)] == [11, 1, 3, 5, 7, 9, 11]
    assert month_ticks(year[:3], 7) == [0, 1, 2]
