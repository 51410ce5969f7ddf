"""Shared frame of all parts: options, a temporary folder, and the report."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.machine import this_machine
from bench.report import RESULTS, Report, publish

Add = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Context:
    """Context of a measurement: its options, a folder of its own, the folder of plots, and an empty report."""

    options: argparse.Namespace
    folder: Path
    results: Path
    report: Report

    def tell(self, what: str) -> None:
        """Print on stderr what is being measured now."""
        Console(stderr=True, highlight=False).print(f"  {what}", style="dim", markup=False)

    def teller(self, about: str) -> Callable[[str], None]:
        """Return `tell` with a prefix."""
        return lambda what: self.tell(f"{about}: {what}")


def run(
    part: str,
    description: str,
    measure: Callable[[Context], None],
    *,
    rounds: int,
    add_options: Add | None = None,
    arguments: Sequence[str] | None = None,
) -> Report:
    """Parse the options, measure, print and write the report. `measure` fills it."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{part}", description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each contestant runs (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where JSON and plots are written")
    if add_options is not None:
        add_options(parser)
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    settings: dict[str, Any] = {name: _plain(value) for name, value in vars(options).items() if name != "results"}
    report = Report(part, this_machine(), settings)
    options.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="detector-bench-") as folder:
        measure(Context(options, Path(folder), options.results, report))
    publish(report, options.results)
    return report


def seconds_option(default: float) -> Add:
    """Add the option --seconds."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=default, help="how long each run lasts (%(default)s)")

    return add


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
