"""Days become rows, once; what differs is told, shown and measured."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import yaml
from django.test import Client

from bench.drift import day_of
from detection.conf import BASE_DIR
from detection.drift import measures, service, worker
from detection.drift.comparison import Measure
from detection.models import Detection, DriftDay, DriftReference, OperatingPoint, Photo, Webhook, WebhookEvent
from detection.observability import metrics
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db

TODAY = datetime.now(UTC).date()
MODEL = "cats@1"


def day(ago: int) -> date:
    return TODAY - timedelta(days=ago)


def recorded(ago: int, **changes: Measure) -> DriftDay:
    found = {**day_of(np.random.default_rng(ago), ago % 7), **changes}
    row = service.record(day(ago), MODEL, 1000, found)
    assert row is not None
    return row


DARK = {"brightness": Measure(1000, 60.0, 1600.0)}


def test_a_day_is_measured_from_its_detections() -> None:
    noon = datetime.combine(day(1), datetime.min.time(), UTC) + timedelta(hours=12)
    seen: dict[str, Any] = {"created_at": noon, "model_name": "cats", "model_version": "1"}
    first = stored_detection(("cat", 0.9), ("cat", 0.7), ("dog", 0.3), **seen)
    stored_detection(**seen)
    stored_detection(("cat", 0.8), **{**seen, "created_at": noon - timedelta(days=1)})
    stored_detection(("cat", 0.8), **{**seen, "source": Detection.Source.REDETECT})
    Photo.objects.filter(pk=first.photo_id).update(brightness=90.0, sharpness=7.0)
    photos, found = measures.measured(day(1), "cats", "1")
    assert photos == 2
    assert found["class:cat"] == found["empty"] == Measure(2, 0.5, 0.25)
    assert "class:dog" not in found
    assert found["score"].photos == 1
    assert found["score"].mean == pytest.approx(0.8)
    assert found["objects"] == Measure(2, 1.0, 1.0)
    assert (found["brightness"], found["sharpness"]) == (Measure(1, 90.0, 0.0), Measure(1, 7.0, 0.0))


def test_thresholds_of_a_class_count_as_they_were_when_it_answered() -> None:
    noon = datetime.combine(day(1), datetime.min.time(), UTC) + timedelta(hours=12)
    version = {"model_name": "cats", "model_version": "1"}
    point = OperatingPoint.objects.create(**version, name="sure", number=1, goal="f1", source="test", threshold=0.5)
    point.classes.create(class_name="cat", threshold=0.8, is_reached=True, judged=0, right=0)
    stored_detection(("cat", 0.7), ("dog", 0.6), point=point, created_at=noon, **version)
    _, found = measures.measured(day(1), "cats", "1")
    assert found["class:dog"].mean == 1.0
    assert "class:cat" not in found


def test_many_photos_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "MAX_PHOTOS", 5)
    noon = datetime.combine(day(1), datetime.min.time(), UTC) + timedelta(hours=12)
    for _ in range(20):
        stored_detection(("cat", 0.9), created_at=noon, model_name="cats")
    photos, found = measures.measured(day(1), "cats", "")
    assert (photos, found["class:cat"].photos) == (20, 5)


def test_days_that_are_over_get_one_row_each() -> None:
    for ago in (3, 1, 0):
        moment = datetime.combine(day(ago), datetime.min.time(), UTC)
        stored_detection(("cat", 0.9), created_at=moment, model_name="cats", model_version="1")
    service.update(TODAY)
    service.update(TODAY)
    assert list(DriftDay.objects.values_list("day", "model", "photos")) == [(day(1), MODEL, 1), (day(3), MODEL, 1)]
    assert service.record(day(1), MODEL, 5, {}) is None


def test_what_differs_is_told_once_a_week_and_never_becomes_the_reference() -> None:
    Webhook.objects.create(url="https://hook.example/", on_drift=True)
    for ago in range(40, 12, -1):
        assert recorded(ago).findings == []
    for ago in range(12, 3, -1):
        row = recorded(ago, **DARK)
        assert [each["name"] for each in row.findings] == ["brightness"]
        assert row.reference_days == 28
    told = [json.loads(event.body) for event in WebhookEvent.objects.order_by("pk")]
    assert [each["data"]["day"] for each in told] == [day(12).isoformat(), day(5).isoformat()]
    assert told[0]["type"] == "drift.found"
    assert told[0]["data"]["findings"][0]["mean"] == 60.0


def test_a_chosen_reference_counts() -> None:
    for ago in range(40, 20, -1):
        recorded(ago, **DARK)
    for ago in range(20, 1, -1):
        recorded(ago)
    assert recorded(1).findings != []
    DriftReference.objects.create(model=MODEL, first=day(20), last=day(2))
    DriftDay.objects.filter(day=day(1)).delete()
    assert recorded(1).findings == []


def test_the_first_days_have_nothing_to_be_compared_with() -> None:
    rows = [recorded(ago) for ago in range(30, 14, -1)]
    assert [row.reference_days for row in rows] == [0] * 14 + [14, 15]


def test_metrics_and_the_dashboard_show_it(client: Client) -> None:
    for ago in range(30, 1, -1):
        recorded(ago)
    stored_detection(("cat", 0.9))
    assert "are like those of" in page(client)
    recorded(1, **DARK)
    for row in service.latest():
        metrics.series(metrics.DRIFT_FINDINGS, row.model).set(len(row.findings))
    assert metrics.registry.get_sample_value("detector_drift_findings", {"model": MODEL}) == 1
    shown = page(client)
    assert "differ from the 28 days" in shown
    assert re.search(r"brightness \(0 to 255\): \d+\.\d\d, before 1\d\d", shown)


def page(client: Client) -> str:
    return client.get("/dashboard/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_watcher_writes_and_shows() -> None:
    moment = datetime.combine(day(1), datetime.min.time(), UTC)
    stored_detection(("cat", 0.9), created_at=moment, model_name="cats", model_version="2")
    worker.run_once()
    assert DriftDay.objects.get().model == "cats@2"
    assert metrics.registry.get_sample_value("detector_drift_findings", {"model": "cats@2"}) == 0


@pytest.mark.parametrize("name", ["driftday", "driftreference"])
def test_the_admin_shows_days_and_takes_references(admin_client: Client, name: str) -> None:
    recorded(1)
    assert admin_client.get(f"/admin/detection/{name}/").status_code == 200
    given = {"model": MODEL, "first": day(5).isoformat(), "last": day(9).isoformat()}
    refused = admin_client.post("/admin/detection/driftreference/add/", given)
    assert "lies before the first" in refused.content.decode()


def test_every_metric_of_an_alert_is_there() -> None:
    rules: Any = yaml.safe_load((BASE_DIR / "deploy" / "prometheus-alerts.yml").read_text(encoding="utf-8"))
    told = {name for rule in rules["groups"][0]["rules"] for name in re.findall(r"\bdetector_\w+", rule["expr"])}
    known = {family.name for family in metrics.registry.collect()}
    assert "detector_drift_findings" in told
    assert {re.sub(r"_total$", "", name) for name in told} <= known
