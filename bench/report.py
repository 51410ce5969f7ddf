"""Formats results as a table for people and as JSON in `bench/results/`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from bench.machine import Machine

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Table:
    """Table of texts; the first column names the rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """Requirement of a measurement: `value` at least (or, `at_most`) `wanted`."""

    text: str
    value: float
    wanted: float
    unit: str = ""
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Return whether it is met; NaN never is."""
        return not math.isnan(self.value) and (self.value <= self.wanted if self.at_most else self.value >= self.wanted)

    def as_json(self) -> dict[str, Any]:
        """Return the values for the files of results."""
        return {
            "text": self.text,
            "value": self.value,
            "wanted": self.wanted,
            "unit": self.unit,
            "at_most": self.at_most,
            "met": self.met,
        }


@dataclass(slots=True)
class Report:
    """Results of one part of the bench. results: for JSON. notes: omissions and their reasons."""

    part: str
    machine: Machine
    settings: Mapping[str, Any]
    results: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def publish(report: Report, folder: Path = RESULTS, console: Console | None = None) -> Path:
    """Print a report and write it to `<part>.json` in `folder`; return the path of the file."""
    show(report, console or Console())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.part}.json"
    content = {
        "part": report.part,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": report.machine.as_json(),
        "settings": dict(report.settings),
        "claims": [claim.as_json() for claim in report.claims],
        "notes": report.notes,
        "results": report.results,
    }
    path.write_text(json.dumps(_without_nan(content), indent=2) + "\n", encoding="utf-8")
    return path


def show(report: Report, console: Console) -> None:
    """Print a report."""
    console.rule(f"bench.{report.part}")
    console.print(str(report.machine), markup=False)
    for table in report.tables:
        console.print(_rich_table(table))
    if report.claims:
        console.print(_rich_table(_claims_table(report.claims)))
    for note in report.notes:
        console.print(f"Note: {note}", markup=False)


def number(value: float, digits: int = 3) -> str:
    """Format a number with that many significant digits, without an exponent; a dash for NaN."""
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def _claims_table(claims: Sequence[Claim]) -> Table:
    rows = [
        [
            claim.text,
            f"{number(claim.value)}{claim.unit}",
            f"{'at most' if claim.at_most else 'at least'} {number(claim.wanted)}{claim.unit}",
            "yes" if claim.met else "NO",
        ]
        for claim in claims
    ]
    return Table("What it has to show", ["", "measured", "wanted", "shown"], rows)


def _rich_table(table: Table) -> RichTable:
    made = RichTable(title=escape(table.title), title_justify="left")
    for index, column in enumerate(table.columns):
        made.add_column(escape(column), justify="left" if index == 0 else "right")
    for row in table.rows:
        made.add_row(*map(escape, row))
    return made


def _without_nan(value: Any) -> Any:
    """Replace NaN by None, as JSON lacks it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return value
