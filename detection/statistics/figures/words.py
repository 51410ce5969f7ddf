"""Formats of numbers and days, in the language of the reader."""

from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, pgettext

from detection.statistics.periods import Bucket
from detection.statistics.plots.columns import Tick, middle_of
from detection.statistics.plots.scales import day_ticks, month_ticks

_MOST_TICKS = 7
# Further right the text would extend beyond a narrow plot.
_LAST_TICK = 0.97


@dataclass(frozen=True, slots=True)
class Time:
    """The columns of a plot over time. starts: the first day of each."""

    bucket: Bucket
    starts: tuple[date, ...]


def count_text(count: int) -> str:
    """Format a count with the language's thousands separator."""
    return str(number_format(count, force_grouping=True))


def average_text(average: float) -> str:
    """Format with one decimal."""
    return str(number_format(f"{average:.1f}"))


def percent_text(share: float) -> str:
    """Format as percent with one decimal; a share below 1 is not rounded up to 100 %, nor one above 0 down to 0 %."""
    text = f"{share * 100:.1f}"
    if text == "100.0" and share < 1:
        text = "99.9"
    elif text == "0.0" and share > 0:
        text = "0.1"
    return f"{number_format(text)}\N{NO-BREAK SPACE}%"


def day_text(day: date) -> str:
    """Format a day with its year."""
    # Translators: in the letters of Django's filter `date`.
    return date_format(day, pgettext("format of a date", "j F Y"))


def bucket_text(bucket: Bucket, start: date) -> str:
    """Format the period of a column."""
    if bucket == Bucket.DAY:
        return day_text(start)
    # Translators: in the letters of Django's filter `date`.
    return date_format(start, pgettext("format of a date", "F Y"))


def bucket_title(bucket: Bucket) -> str:
    """Return the head of a column of a table."""
    return {Bucket.DAY: gettext("Day"), Bucket.MONTH: gettext("Month")}[bucket]


def bucket_ticks(time: Time) -> list[Tick]:
    """Return ticks below the columns: at days, at Mondays, or at months that divide the year."""
    starts = time.starts
    is_daily = time.bucket == Bucket.DAY
    places = day_ticks(starts, _MOST_TICKS) if is_daily else month_ticks(starts, _MOST_TICKS)
    text = _short_day if is_daily else _short_month
    ticks = [Tick(middle_of(place, len(starts)), text(starts[place])) for place in places]
    return [tick for tick in ticks if tick.at < _LAST_TICK]


def _short_day(day: date) -> str:
    # Translators: in the letters of Django's filter `date`.
    return date_format(day, pgettext("format of a date", "j M"))


def _short_month(day: date) -> str:
    """Format a month; January is shown as its year."""
    # Translators: in the letters of Django's filter `date`.
    return str(day.year) if day.month == 1 else date_format(day, pgettext("format of a date", "M"))
