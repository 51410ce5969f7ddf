"""Progress of a run: a bar on a terminal, periodic lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from detection.web.text import plain

LINE_EVERY_S = 10.0


class Meter(Protocol):
    """Interface of a progress display, updated for each photo; also prints messages."""

    def advance(self) -> None: ...

    def say(self, text: str) -> None: ...


@contextmanager
def meter(console: Console, total: int | None, done: int) -> Iterator[Meter]:
    """Show a bar where `console` is a terminal, lines where it is not.

    total: number of photos, None if unknown. done: how many of them are processed already.
    """
    if not console.is_terminal:
        yield LineMeter(console, total, done)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("photos"), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, speed_estimate_period=LINE_EVERY_S) as progress:
        yield BarMeter(progress, total, done)


class BarMeter:
    """Bar with rate and time left."""

    def __init__(self, progress: Progress, total: int | None, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total, completed=done)

    def advance(self) -> None:
        self._progress.advance(self._task)

    def say(self, text: str) -> None:
        say(self._progress.console, text)


class LineMeter:
    """One line every ten seconds."""

    def __init__(
        self, console: Console, total: int | None, done: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._total = total
        self._begun_with = self._done = done
        self._clock = clock
        self._begun_at = self._said_at = clock()

    def advance(self) -> None:
        self._done += 1
        now = self._clock()
        if now - self._said_at >= LINE_EVERY_S:
            self._said_at = now
            self.say(self._line(now - self._begun_at))

    def say(self, text: str) -> None:
        say(self._console, text)

    def _line(self, elapsed_s: float) -> str:
        rate = (self._done - self._begun_with) / elapsed_s
        if self._total is None:
            return f"{self._done:,} photos, {rate:.1f} a second"
        left_s = max(0, self._total - self._done) / rate
        return f"{self._done:,} of {self._total:,} photos, {rate:.1f} a second, {format_duration(left_s)} left"


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} a second")


def format_duration(seconds: float) -> str:
    """Format a duration for people: 42 s, 3 min 20 s, 5 h 7 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def say(console: Console, text: str) -> None:
    """Print text verbatim: names of files are not markup, and must not control the terminal."""
    console.print(plain(text), markup=False, highlight=False, soft_wrap=True)
