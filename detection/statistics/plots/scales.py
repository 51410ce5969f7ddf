"""Round numbers on axes."""

import math
from collections.abc import Sequence
from datetime import date

_MANTISSAS = (1, 2, 5, 10)
_DAY_STEPS = (1, 2, 7, 14, 28)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
_MONTHS = 12


def round_ticks(highest: float, steps: int = 4) -> list[int]:
    """Return whole numbers from 0 to at least `highest`, evenly spaced by 1, 2 or 5 times a power of ten; `steps` at
    most.
    """
    wanted = max(highest / steps, 1.0)
    power = 10 ** math.floor(math.log10(wanted))
    step = next(mantissa * power for mantissa in _MANTISSAS if mantissa * power >= wanted)
    return [step * number for number in range(max(math.ceil(highest / step), 1) + 1)]


def day_ticks(days: Sequence[date], most: int) -> list[int]:
    """Return the places in a row of days that get a tick: every one, every other, or Mondays."""
    step = next((step for step in _DAY_STEPS if len(days) <= step * most), _DAY_STEPS[-1])
    whole_weeks = step // 7
    if whole_weeks == 0:
        return list(range(0, len(days), step))
    return [place for place, day in enumerate(days) if day.weekday() == 0 and day.toordinal() // 7 % whole_weeks == 0]


def month_ticks(days: Sequence[date], most: int) -> list[int]:
    """Return the places in a row of days, days or a month apart, that begin a month; of each month, or of some."""
    firsts = [
        place
        for place, day in enumerate(days)
        if place == 0 or (day.year, day.month) != (days[place - 1].year, days[place - 1].month)
    ]
    step = next((step for step in _MONTH_STEPS if len(firsts) <= step * most), _MONTH_STEPS[-1])
    return [place for place in firsts if (days[place].year * _MONTHS + days[place].month - 1) % step == 0]
