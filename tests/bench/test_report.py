"""Tables, claims and JSON."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.load import LoadResult
from bench.machine import Machine
from bench.plots import by_concurrency, by_stage, over_time
from bench.report import Claim, Report, Table, number, publish

MACHINE = Machine("A CPU", 2, ("avx2",), 16.0, "Linux 6", "3.11.7", {"numpy": "2"}, 0.5)
PNG_START = b"\x89PNG"


@pytest.mark.parametrize(
    ("claim", "met"),
    [
        pytest.param(Claim("", 2.0, 2.0), True, id="just enough"),
        pytest.param(Claim("", 1.9, 2.0), False, id="too little"),
        pytest.param(Claim("", 0.7, 0.7, at_most=True), True, id="just not too much"),
        pytest.param(Claim("", 0.8, 0.7, at_most=True), False, id="too much"),
        pytest.param(Claim("", float("nan"), 2.0), False, id="not measured, at least"),
        pytest.param(Claim("", float("nan"), 2.0, at_most=True), False, id="not measured, at most"),
    ],
)
def test_claims(claim: Claim, met: bool) -> None:
    assert claim.met is met


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.012345, "0.0123"), (1.0, "1.00"), (12.345, "12.3"), (1234.5, "1,234"), (float("nan"), "-")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_report_is_printed_and_written(tmp_path: Path) -> None:
    printed = io.StringIO()
    report = Report("example", MACHINE, {"rounds": 3})
    report.tables.append(Table("Speeds", ["", "ms"], [["ours [f32]", "1.5"]]))
    report.claims.append(Claim("speed", 1.0, 2.0, " ms"))
    report.notes.append("[int8] is left out.")
    report.results["latencies"] = {1: (1.0, float("nan"))}

    path = publish(report, tmp_path / "results", Console(file=printed, width=200))

    written = json.loads(path.read_text())
    assert path.name == "example.json"
    assert written["machine"]["cpu"] == "A CPU"
    assert written["settings"] == {"rounds": 3}
    assert written["claims"][0] == {
        "text": "speed",
        "value": 1.0,
        "wanted": 2.0,
        "unit": " ms",
        "at_most": False,
        "met": False,
    }
    assert written["results"] == {"latencies": {"1": [1.0, None]}}
    for text in ("A CPU, 2 cores (avx2)", "ours [f32]", "at least 2.00 ms", "NO", "[int8] is left out."):
        assert text in printed.getvalue()


def test_plots_are_pictures(tmp_path: Path) -> None:
    result = LoadResult((1.0, 2.0), {200: 2}, 10.0, 2.0)
    by_concurrency(tmp_path / "a.png", "a", {"ours": {1: result, 8: result}})
    by_stage(tmp_path / "b.png", "b", {"one": {"decode": 1.0}, "two": {"decode": 2.0, "record": 1.0}})
    over_time(tmp_path / "c.png", "c", "MB", [(0.0, 1.0), (1.0, 2.0)])

    assert [path.read_bytes()[:4] for path in sorted(tmp_path.iterdir())] == [PNG_START] * 3
