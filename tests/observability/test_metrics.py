"""`/metrics`: what is counted, who may read it, and that several processes add up."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from django.test import Client
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from detection.conf import BASE_DIR
from detection.inference.detector import Detector
from detection.inference.errors import ImageDecodeError, OverloadedError
from detection.inference.queues.batching import Batcher
from detection.inference.types import FoundObject, PixelBox
from detection.models import Detection
from detection.observability import metrics
from detection.observability.middleware import RequestMetricsMiddleware
from detection.photos import rendering
from detection.photos.picture_cache import PictureCache
from detection.predict import service as predict_service
from detection.serving import service as serving
from tests.inference.engines import EDGE, BrightnessEngine, small_network
from tests.support import photos
from tests.support.accounts import account, token_headers
from tests.support.asgi_calls import call, http_scope
from tests.support.serving import Server, running_server, server_environment

CAT = FoundObject(7, "cat", 0.75, PixelBox(1, 2, 3, 4), (0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize("buckets", [(0.1, 0.5, 1.0), (1, 2, 4)])
def test_bisection_finds_the_buckets_of_the_library(buckets: tuple[float, ...]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bisecting = metrics.BisectingHistogram("sizes", "Sizes.", buckets=buckets, registry=ours)
    plain = Histogram("sizes", "Sizes.", buckets=buckets, registry=theirs)
    for amount in (-1.0, 0.0, 0.1, 0.11, 0.5, 1.0, 1.5, 2.0, 3.9, 4.0, 4.1, 1e9):
        bisecting.observe(amount)
        plain.observe(amount)
    assert generate_latest(ours) == generate_latest(theirs)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Prometheus's own parser: value by name and labels."""
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(name: str, /, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two processes that share database, photos and the folder of the metrics."""
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("metrics")),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path_factory.mktemp("prometheus")),
    }
    with running_server(settings) as first, running_server(settings) as second:
        yield first, second


def test_two_processes_add_up(servers: tuple[Server, Server], chelsea: bytes) -> None:
    for server, count in zip(servers, (2, 3), strict=True):
        for _ in range(count):
            answer = httpx.post(f"{server.url}/predict", content=chelsea, headers={"Content-Type": "image/jpeg"})
            assert answer.status_code == 200
    for server in servers:
        read = samples(httpx.get(f"{server.url}/metrics").text)
        assert read["detector_requests_total", frozenset({("route", "predict"), ("status", "200")})] == 5
        model = (("model", "mobilenet_ssd_voc"), ("version", ""))
        assert read["detector_photos_total", frozenset(model)] == 5
        assert read["detector_model_requests_total", frozenset((*model, ("outcome", "answered")))] == 5
        assert read["detector_inference_seconds_count", frozenset(model)] == 5
        assert read["detector_stored_bytes_total", frozenset()] == 5 * len(chelsea)
        assert read["detector_objects_total", frozenset({("object_class", "cat")})] == 5
        assert read["detector_in_flight", frozenset({("model", "mobilenet_ssd_voc")})] == 0
        assert read["detector_stage_seconds_count", frozenset({("stage", "record")})] == 5
        assert read["detector_resident_memory_bytes", frozenset()] > 50_000_000


def test_every_metric_of_the_dashboard_is_there() -> None:
    dashboard = json.loads((BASE_DIR / "docs" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    told = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bdetector_\w+", target["expr"])
    }
    known = {family.name for family in metrics.registry.collect()}
    bare = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in told}
    assert len(bare) >= 14
    assert bare - known == set()
    assert known - bare == set()


def test_photo_is_counted_with_its_objects_and_steps() -> None:
    names, model = ("detector_photos_total", "detector_empty_photos_total"), {"model": "small", "version": ""}
    before = [value(name, **model) for name in names]
    cats, decoded = (
        value("detector_objects_total", object_class="cat"),
        value("detector_stage_seconds_count", stage="decode"),
    )
    metrics.observe_photo(small_network(), [("decode", 1.5)], [CAT, CAT])
    metrics.observe_photo(small_network(), [("decode", 2.5)], [])
    assert [value(name, **model) - one for name, one in zip(names, before, strict=True)] == [2, 1]
    assert value("detector_objects_total", object_class="cat") - cats == 2
    assert value("detector_stage_seconds_count", stage="decode") - decoded == 2


def test_what_the_workers_cannot_take_waits() -> None:
    engine = BrightnessEngine()
    engine.go_on.clear()
    detector = metrics.observe(Detector(small_network(), engine, max_pixels=10**6, queue_size=4, threads=1))
    photo = photos.encode(photos.two_colours())
    futures = [detector.submit(photo) for _ in range(3)]
    load = [value(f"detector_{name}", model="small") for name in ("in_flight", "queue_depth")]
    engine.go_on.set()
    for future in futures:
        future.result(60)
    detector.close()
    assert load == [3, 2]
    assert [value(f"detector_{name}", model="small") for name in ("in_flight", "queue_depth")] == [0, 0]


def test_requests_are_counted_by_model_and_outcome() -> None:
    engine = BrightnessEngine()
    engine.go_on.clear()
    network = replace(small_network(), name="counted", version="2")
    detector = metrics.observe(Detector(network, engine, max_pixels=10**6, queue_size=2, threads=1))
    photo = photos.encode(photos.two_colours())
    answered = detector.submit(photo)
    wrong = detector.submit(b"no photo")
    left = detector.submit(photo)
    with pytest.raises(OverloadedError):
        detector.submit(photo)
    assert left.cancel()
    engine.go_on.set()
    answered.result(60)
    assert isinstance(wrong.exception(60), ImageDecodeError)
    detector.close()
    labels = {"model": "counted", "version": "2"}
    outcomes = ("answered", "failed", "left", "refused")
    assert [value("detector_model_requests_total", **labels, outcome=each) for each in outcomes] == [1, 1, 1, 1]
    assert value("detector_inference_seconds_count", **labels) == 1


def test_series_of_very_many_models_are_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_models", set())
    networks = [replace(small_network(), version=str(number)) for number in range(metrics.MAX_MODELS + 2)]
    told = [metrics.model_labels(network) for network in networks]
    assert len(set(told)) == metrics.MAX_MODELS + 1
    assert told[-2:] == [metrics.OTHER_MODELS] * 2
    assert metrics.model_labels(networks[0]) == ("small", "0")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("model")
def test_detection_tells_model_batch_and_storage(chelsea: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_drawn", PictureCache())
    batches, stored = value("detector_batch_photos_count"), value("detector_stored_photos_total")
    drawn = value("detector_stage_seconds_count", stage="draw")
    predict_service.detect(predict_service.Upload(chelsea, source="api"))
    rendering.annotated(Detection.objects.get(), ())
    assert value("detector_batch_photos_count") - batches == 1
    assert value("detector_stored_photos_total") - stored == 1
    assert value("detector_stage_seconds_count", stage="draw") - drawn == 1
    info = serving.model_info()
    labels = {name: info[name] for name in ("name", "version", "sha256", "engine", "device", "precision")}
    assert value("detector_model_info", **labels) == 1


def test_batch_is_told_with_its_size() -> None:
    told: list[int] = []
    batcher = Batcher(BrightnessEngine(max_batch=4), told.append)
    batcher.infer(np.zeros((EDGE, EDGE, 3), dtype=np.uint8))
    batcher.close()
    assert told == [1]


@pytest.mark.parametrize(
    ("path", "raises", "route", "status"),
    [
        pytest.param("/static/x.css", False, "static", "204", id="static file"),
        pytest.param("/nowhere/17", False, "unknown", "204", id="no route"),
        pytest.param("/nowhere", True, "unknown", "499", id="no answer"),
    ],
)
def test_answer_is_counted_by_route_and_status(path: str, raises: bool, route: str, status: str) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if raises:
            raise ConnectionError
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    before = value("detector_requests_total", route=route, status=status)
    calling = call(RequestMetricsMiddleware(app), http_scope(path, []))
    if raises:
        with pytest.raises(ConnectionError):
            asyncio.run(calling)
    else:
        asyncio.run(calling)
    assert value("detector_requests_total", route=route, status=status) - before == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "header", "status"),
    [
        pytest.param({}, None, 200, id="on this machine only"),
        pytest.param({"rest_host": "10.0.0.1"}, None, 401, id="open to others"),
        pytest.param({"access": "login"}, None, 401, id="login"),
        pytest.param({"metrics_token": "abc"}, None, 401, id="token wanted"),
        pytest.param({"metrics_token": "abc"}, "Bearer abc", 200, id="token given"),
        pytest.param({"metrics_token": "abc"}, "Bearer abd", 401, id="other token given"),
        pytest.param({"access": "login"}, "Bearer ", 401, id="empty token given"),
        pytest.param({"access": "login"}, "Token \x00", 401, id="no token of ours"),
    ],
)
def test_who_may_read_the_metrics(changes: Any, header: str | None, status: int, limits: Any, client: Client) -> None:
    limits(**changes)
    answer = client.get("/metrics", headers={"Authorization": header} if header else {})
    assert answer.status_code == status
    assert (b"detector_requests_total" in answer.content) is (status == 200)


@pytest.mark.django_db
@pytest.mark.parametrize(("staff", "status"), [(True, 200), (False, 401)])
def test_staff_may_read_the_metrics(staff: bool, status: int, limits: Any, client: Client) -> None:
    limits(access="login")
    user = account("anna", is_staff=staff)
    assert client.get("/metrics", headers=token_headers(user)).status_code == status
    client.force_login(user)
    assert client.get("/metrics").status_code == status


def test_system_without_proc_tells_no_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    metrics.MEMORY.set(7)
    monkeypatch.setattr(metrics, "_STATM", tmp_path / "statm")
    metrics.observe_memory()
    assert value("detector_resident_memory_bytes") == 7


def test_process_that_ended_takes_its_gauges_along(tmp_path: Path) -> None:
    program = (
        "from detection.observability import metrics\n"
        "metrics.IN_FLIGHT.labels('m').set(3); metrics.STORED_PHOTOS.inc(); {}"
    )
    environment = {**server_environment({}), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def run(end: str) -> str:
        command = [sys.executable, "-c", program.format(end)]
        return subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True).stdout

    run("metrics.forget_process()")
    shown = samples(run("print(metrics.exposition('')[0].decode())"))
    assert shown["detector_in_flight", frozenset({("model", "m")})] == 3
    assert shown["detector_stored_photos_total", frozenset()] == 2
