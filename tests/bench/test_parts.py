"""Each part of the bench measures something and says it; how fast anything was is not looked at."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench_main
from bench import engines, frontend, gpu, lists, memory, models, overload, photos, service, startup, tiles
from bench.environments import EnvironmentMissingError
from bench.load import LoadResult
from bench.report import Report
from bench.rivals import __main__ as rivals
from tests.support.builders import stored_detection

Main = Callable[[Sequence[str]], Report]
SHORT = ["--rounds=1"]
VERY_SHORT = [*SHORT, "--seconds=0.3"]


def measure(main: Main, arguments: Sequence[str], folder: Path) -> tuple[Report, dict[str, Any]]:
    """The report of a part, and what it wrote."""
    report = main([*arguments, f"--results={folder}"])
    return report, json.loads((folder / f"{report.part}.json").read_text())


def claims_of(report: Report) -> dict[str, float]:
    return {claim.text: claim.value for claim in report.claims}


@pytest.fixture(autouse=True)
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """No large photos, nothing that is not in the repository, nothing installed."""

    def missing(*_arguments: object) -> Path:
        raise EnvironmentMissingError("It is not measured in tests.")

    monkeypatch.setattr(models, "RESNET50_SYMBOL", Path("missing"))
    monkeypatch.setattr(photos, "SIZES_WH", {"12 MP": (640, 480)})
    monkeypatch.setattr(engines, "mxnet_python", missing)
    monkeypatch.setattr(rivals, "rival_python", missing)


def test_frontend_measures_cpu_with_history_off_and_on(tmp_path: Path) -> None:
    _, written = measure(frontend.main, VERY_SHORT, tmp_path)

    assert set(written["results"]) == {
        f"{what}, clients: {clients}"
        for what in ("bare ASGI callable", "history off", "history on")
        for clients in frontend.CLIENTS
    }
    assert all(cost["cpu_ms"] > 0 for cost in written["results"].values())


def test_service_is_compared_with_the_bare_loop(tmp_path: Path) -> None:
    report, written = measure(service.main, [*SHORT, "--seconds=0.1"], tmp_path)

    shares = {case: result["share_of_bare_loop"] for case, result in written["results"]["embedded"].items()}
    assert shares["bare loop, all cores"] == 1.0
    assert all(share >= 0 for share in shares.values())
    assert written["results"]["embedded"]["service, history on, clients: 8"]["statuses"]["200"] > 0
    assert "record" in written["results"]["sizes"]["12 MP, history on"]["stages_ms"]
    assert report.notes == [
        "The measurement of resnet50 needs the folder shared/models/resnet50_ssd beside the repository."
    ]
    assert {path.name for path in tmp_path.glob("*.png")} == {"service-stages-embedded.png", "service-stages-sizes.png"}


def test_rivals_that_are_missing_are_noted(tmp_path: Path) -> None:
    report, written = measure(rivals.main, [*VERY_SHORT, "--clients", "1", "2"], tmp_path)

    assert report.notes == ["It is not measured in tests."] * 4
    assert written["results"]["concurrency"][rivals.OURS]["2"]["statuses"]["200"] > 0
    assert (tmp_path / "rivals-embedded.png").is_file()


def test_rivals_are_compared_by_their_better_variant() -> None:
    ours = [LoadResult((1.0,), {200: 1}, throughput, 1.0) for throughput in (30.0, 60.0)]
    better = [LoadResult((1.0,), {200: 1}, throughput, 1.0) for throughput in (20.0, 40.0)]
    worse = [LoadResult((1.0,), {200: 1}, throughput, 1.0) for throughput in (10.0, 20.0)]
    rounds = {rivals.OURS: ours, "fastapi (latency)": worse, "fastapi (throughput)": better}

    claims = rivals.claims_ahead("clients: 8", rounds)

    assert [(claim.text, claim.value) for claim in claims] == [("clients: 8: throughput, this service / fastapi", 1.5)]


def test_engines_are_timed_against_the_matrix_product(tmp_path: Path) -> None:
    report, written = measure(engines.main, [*SHORT, "--runs=1"], tmp_path)

    found = written["results"]["embedded"]
    assert {"openvino f32", "openvino int8", "onnxruntime f32", "onnxruntime int8"} <= set(found["seconds"])
    assert found["flops"] == pytest.approx(2.3e9, rel=0.01)
    assert set(found["matrix_flops_per_second"]) == {"numpy", "openvino"}
    assert found["times_mxnet"]["openvino f32"] is None
    assert "embedded: MXNet 1.9.1 is left out. It is not measured in tests." in report.notes


def test_engines_have_to_be_faster_than_mxnet_on_resnet50() -> None:
    claims = engines.claims({"openvino f32": 2.5, "openvino bf16": 3.0}, {"openvino f32": 0.9})

    assert [(claim.value, claim.met) for claim in claims] == [(2.5, True), (3.0, False), (0.9, True)]


def test_startup_is_timed_twice(tmp_path: Path) -> None:
    _, written = measure(startup.main, SHORT, tmp_path)

    assert set(written["results"]["embedded"]) == {"first_s", "second_s"}


def test_overload_gets_only_answers_and_refusals(tmp_path: Path) -> None:
    report, written = measure(overload.main, [*SHORT, "--seconds=1"], tmp_path)

    assert claims_of(report)["answers that are neither 200 nor 503, hung or lost"] == 0
    assert written["results"]["rounds"][0]["statuses"]["503"] > 0


def test_memory_is_sampled_under_a_mix_of_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MIX", {(120, 90): 3, (640, 480): 2})
    report, written = measure(memory.main, ["--warm-up=14", "--requests=21"], tmp_path)

    assert written["results"]["load"]["statuses"] == {"200": 15, "400": 6}
    assert claims_of(report)["answers that are neither 200 nor 400"] == 0
    assert claims_of(report)["peak of the resident set"] > 50
    assert (tmp_path / "memory.png").is_file()


def test_gpu_is_measured_or_the_reason_is_told(tmp_path: Path) -> None:
    report, written = measure(gpu.main, SHORT, tmp_path)

    assert bool(written["results"]) is (gpu.missing_gpu() is None)
    assert report.notes


def test_the_script_for_gpus_runs_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "BATCHES", (1, 2))
    _, written = measure(gpu.main, [*SHORT, "--device=cpu", "--models=embedded"], tmp_path)
    results = written["results"]
    assert results["embedded, f32"]["largest_difference_from_cpu"] < 1e-4
    assert results["embedded, f32"]["startup_seconds"] > 0
    assert results["embedded, f32, batch 2"]["images_per_second"] > 0


@pytest.mark.parametrize("precision", gpu.PRECISIONS)
def test_the_matrix_product_of_a_device_has_a_rate(precision: str) -> None:
    rate = gpu.matrix_product(precision, ["CPUExecutionProvider"], size=32)

    assert rate() > 0


def test_all_parts_run_and_failures_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--parts", "gpu", "overload", "--rounds=1", f"--results={tmp_path}"]
    assert bench_main.main([*arguments, "--models", "embedded"]) == 1  # overload has no option --models

    assert "Failed parts: overload." in capsys.readouterr().out
    assert (tmp_path / "gpu.json").is_file()


@pytest.mark.django_db
def test_lists_are_asked_with_each_filter_and_nothing_is_written(tmp_path: Path) -> None:
    for _ in range(3):
        stored_detection(("cat", 0.9), ("dog", 0.6))
    report, written = measure(lists.main, SHORT, tmp_path)

    assert written["results"]["detections"] == 3
    asked = written["results"]["medians"]
    assert {"history page, two filters", "API, deep pages", "review queue", "admin's list"} <= set(asked)
    assert "/api/detections/?class=cat&reviewed=0" in asked["API, two filters"]
    assert len(report.claims) == len(asked)
    assert all(0 < one["query_ms"] < one["answer_ms"] for of_paths in asked.values() for one in of_paths.values())


def test_tiles_are_compared_with_the_network_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "SIZE_WH", (900, 600))
    report, written = measure(tiles.main, SHORT, tmp_path)

    assert set(written["results"]["wall_ratio"]) == {"network", "tiles", "whole"}
    assert all(ratio > 0 for ratio in written["results"]["cpu_ratio"].values())
    assert set(claims_of(report)) == {"time in tiles, of the network alone", "peak of the resident set"}
