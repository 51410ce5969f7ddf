"""The soak test visits everything, complains of what is wrong, and knows growth from standing still."""

import json
import math
from pathlib import Path

import pytest

from bench import photos, soak
from bench.servers import our_server
from bench.soak_client import Diary, Visit, visit_until


def test_soak_visits_everything_without_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "_SIZES_WH", ((120, 90),))
    soak.main(["--minutes=0.15", "--callers=2", f"--results={tmp_path}"])
    results = json.loads((tmp_path / "soak.json").read_text())["results"]
    assert results["errors"] == []
    assert set(results["latency_ms_by_quarter"]) >= {"predict", "form", "page", "detection", "bad photo", "socket"}
    assert results["level_mb"] > 50
    assert (tmp_path / "soak.png").is_file()


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    paths = photos.write_jpegs(tmp_path / "photos", (120, 90))
    with our_server(tmp_path, {"MAX_BODY_BYTES": "1000"}) as server:
        diary = Diary()
        visit_until(server.address, paths, 0, 1.0, diary)
    assert diary.errors
    assert diary.failed >= len(diary.errors)  # a quick server refuses more in a second than are kept
    assert "predict" in diary.errors[0]
    assert "413" in diary.errors[0]


def test_all_errors_are_counted_and_the_first_hundred_kept() -> None:
    diary = Diary()
    for number in range(105):
        diary.complain("predict", ValueError(str(number)))
    assert diary.failed == 105
    assert [error.partition(": ")[2] for error in diary.errors] == [f"ValueError('{number}')" for number in range(100)]


def test_growth_is_measured_after_the_warm_up() -> None:
    warming = [(float(second), second * 50.0) for second in range(10)]
    steady = [(float(second), 500.0) for second in range(10, 100)]
    growing = [(float(second), 500.0 + second) for second in range(10, 100)]
    assert soak.slope_mb_per_hour(warming + steady, 10.0) == pytest.approx(0.0, abs=1e-6)
    assert soak.slope_mb_per_hour(warming + growing, 10.0) == pytest.approx(3600.0)
    assert math.isnan(soak.slope_mb_per_hour(warming, 10.0))


def test_latency_is_told_by_quarter() -> None:
    visits = [Visit("page", second, latency) for second, latency in ((1, 10.0), (30, 20.0), (31, 40.0), (99, 5.0))]
    visits += [Visit("other", 99, 1.0), Visit("page", 100.5, 7.0)]
    first, second, third, fourth = soak.latency_by_quarter(visits, "page", 100)
    assert (first, second, fourth) == (10.0, 30.0, 6.0)
    assert math.isnan(third)
