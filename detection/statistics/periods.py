"""Periods of statistics, and the buckets in which they are drawn."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

ALL = "all"
LENGTHS = ("7", "30", "90", ALL)
DEFAULT_LENGTH = "30"
MOST_DAYS = 92
_DAY = timedelta(days=1)
_LONGEST_MONTH = timedelta(days=32)
Days = tuple[date | None, date | None]


class Bucket(StrEnum):
    """Size of a bucket, which a column of a plot stands for."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Parts:
    """Long period split into whole months and remaining days; both ends included, None for no bound."""

    months: Days
    days: tuple[Days, ...]


def last_days(length: str, today: date | None = None) -> Days:
    """Return the last so many days in UTC, including today; ALL for an unlimited period."""
    if length == ALL:
        return None, None
    last = today or datetime.now(UTC).date()
    return last - (int(length) - 1) * _DAY, last


def bucket_of(first: date | None, last: date | None) -> Bucket:
    """Return days, or months where a plot has no room for so many days."""
    is_short = first is not None and last is not None and (last - first).days < MOST_DAYS
    return Bucket.DAY if is_short else Bucket.MONTH


def start_of(bucket: Bucket, day: date) -> date:
    """Return the first day of a day's bucket."""
    return day if bucket == Bucket.DAY else day.replace(day=1)


def last_of(bucket: Bucket, start: date) -> date:
    """Return the last day of the bucket that begins on a day."""
    return start if bucket == Bucket.DAY else _following(bucket, start) - _DAY


def starts_between(bucket: Bucket, first: date, last: date) -> tuple[date, ...]:
    """Return the first day of each bucket from that of one day to that of another."""
    starts = [start_of(bucket, first)]
    while starts[-1] < start_of(bucket, last):
        starts.append(_following(bucket, starts[-1]))
    return tuple(starts)


def drawn(first: date | None, last: date | None, known: Iterable[date]) -> tuple[date, ...]:
    """Return the first days of the buckets that a plot shows of a period.

    known: the buckets with data, at least one. Days are drawn from end to end; months only where there is
    data, for a period may begin in the year 1.
    """
    if first is not None and last is not None and bucket_of(first, last) == Bucket.DAY:
        return starts_between(Bucket.DAY, first, last)
    starts = sorted(known)
    return starts_between(Bucket.MONTH, starts[0], starts[-1])


def parts_by_month(first: date | None, last: date | None) -> Parts:
    """Split a period that is drawn in months into months and days."""
    days: list[Days] = []
    if first is not None and first.day > 1:
        after = _following(Bucket.MONTH, first.replace(day=1))
        days.append((first, after - _DAY))
        first = after
    if last is not None and (last + _DAY).day > 1:
        days.append((last.replace(day=1), last))
        last = last.replace(day=1) - _DAY
    return Parts((first, last), tuple(days))


def _following(bucket: Bucket, start: date) -> date:
    return start + _DAY if bucket == Bucket.DAY else (start + _LONGEST_MONTH).replace(day=1)
