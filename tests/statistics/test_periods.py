"""Periods: which days they have, and from how few rows they are added up."""

from datetime import date, timedelta

import pytest

from detection.statistics.periods import Bucket, bucket_of, drawn, last_days, parts_by_month, start_of, starts_between

DAY = timedelta(days=1)


def days_of(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


def test_last_days_include_today() -> None:
    assert last_days("7", date(2026, 3, 3)) == (date(2026, 2, 25), date(2026, 3, 3))
    assert last_days("all", date(2026, 3, 3)) == (None, None)


@pytest.mark.parametrize(
    ("first", "last", "bucket"),
    [
        (date(2026, 1, 1), date(2026, 1, 1), Bucket.DAY),
        (date(2026, 1, 1), date(2026, 4, 2), Bucket.DAY),
        (date(2026, 1, 1), date(2026, 4, 3), Bucket.MONTH),
        (None, date(2026, 1, 1), Bucket.MONTH),
        (date(2026, 1, 1), None, Bucket.MONTH),
        (None, None, Bucket.MONTH),
    ],
)
def test_long_periods_are_drawn_by_month(first: date | None, last: date | None, bucket: Bucket) -> None:
    assert bucket_of(first, last) == bucket


@pytest.mark.parametrize("first", [date(2025, 1, 1), date(2025, 1, 2), date(2025, 1, 31), date(2024, 2, 29)])
@pytest.mark.parametrize("last", [date(2025, 6, 30), date(2025, 7, 1), date(2025, 6, 29), date(2025, 12, 31)])
def test_parts_have_each_day_of_a_period_once(first: date, last: date) -> None:
    parts = parts_by_month(first, last)
    months_first, months_last = parts.months
    assert months_first is not None
    assert months_last is not None
    assert (months_first.day, (months_last + DAY).day) == (1, 1)
    days = days_of(months_first, months_last)
    for part_first, part_last in parts.days:
        assert part_first is not None
        assert part_last is not None
        days += days_of(part_first, part_last)
    assert sorted(days) == days_of(first, last)


def test_parts_without_a_bound_are_months_as_far_as_they_go() -> None:
    assert (parts_by_month(None, None).months, parts_by_month(None, None).days) == ((None, None), ())
    open_end = parts_by_month(date(2026, 1, 30), None)
    assert (open_end.months, open_end.days) == ((date(2026, 2, 1), None), ((date(2026, 1, 30), date(2026, 1, 31)),))


def test_starts_follow_each_other() -> None:
    assert starts_between(Bucket.DAY, date(2026, 2, 27), date(2026, 3, 1)) == (
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    )
    assert starts_between(Bucket.MONTH, date(2025, 11, 30), date(2026, 1, 1)) == (
        date(2025, 11, 1),
        date(2025, 12, 1),
        date(2026, 1, 1),
    )
    assert start_of(Bucket.MONTH, date(2026, 1, 31)) == date(2026, 1, 1)


def test_days_are_drawn_from_end_to_end_and_months_where_there_is_something() -> None:
    assert len(drawn(date(2026, 1, 1), date(2026, 1, 30), [date(2026, 1, 9)])) == 30
    months = drawn(date(1900, 1, 1), date(2999, 12, 31), [date(2026, 3, 1), date(2026, 1, 1)])
    assert months == (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
