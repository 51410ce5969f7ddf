"""What becomes an event, and when."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from detection.history.recorder import insert_detections
from detection.models import Detection, ModelVersion, Photo, Webhook, WebhookEvent
from detection.registry import versions
from detection.webhooks import outbox
from tests.support.builders import stored_detection
from tests.support.records import record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    outbox.forget_subscriptions()


def webhook(**fields: Any) -> Webhook:
    return Webhook.objects.create(url="https://hook.example/", **fields)


def bodies() -> list[Any]:
    return [json.loads(event.body) for event in WebhookEvent.objects.order_by("pk")]


def insert(**changes: Any) -> Detection:
    """Insert a detection of a cat of 0.9 and a dog of 0.2, at a threshold of 0.5."""
    photo = stored_detection().photo
    (made,) = insert_detections([record(**changes)], [photo], is_told=True)
    return made


@pytest.mark.parametrize(
    ("fields", "is_told"),
    [
        pytest.param({}, True, id="all"),
        pytest.param({"class_names": "dog, cat"}, True, id="one of the classes"),
        pytest.param({"class_names": "dog"}, False, id="class that is not reported"),
        pytest.param({"class_names": "ca"}, False, id="part of a class's name"),
        pytest.param({"min_probability": 0.9}, True, id="probable enough"),
        pytest.param({"min_probability": 0.91}, False, id="not probable enough"),
        pytest.param({"on_detection": False, "on_drift": True}, False, id="told of other things"),
        pytest.param({"is_enabled": False}, False, id="disabled"),
    ],
)
def test_detections_are_told_by_class_and_score(fields: dict[str, Any], is_told: bool) -> None:
    webhook(**({"on_detection": True} | fields))
    detection = insert()
    events = bodies()
    assert len(events) == is_told
    if is_told:
        assert events[0]["type"] == "detection.created"
        assert events[0]["data"] == {
            "id": str(detection.uuid),
            "model": "mobilenet_ssd_voc",
            "source": "api",
            "objects": [
                {"class": "cat", "probability": 0.9, "box": {"x": 6, "y": 4, "width": 32, "height": 16}},
            ],
        }


def test_without_a_webhook_a_detection_costs_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_KNOWN_FOR_S", 3600)
    insert()
    photo = Photo.objects.get()
    with CaptureQueriesContext(connection) as queries:
        insert_detections([record()], [photo], is_told=True)
    assert not [each for each in queries.captured_queries if "webhook" in each["sql"]]


def test_an_event_goes_with_the_transaction_of_its_detection() -> None:
    webhook(on_detection=True)
    with transaction.atomic():
        insert()
        transaction.set_rollback(True)
    assert bodies() == []


@pytest.mark.django_db(transaction=True)
def test_a_webhook_deleted_meanwhile_costs_no_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = webhook(on_detection=True)
    insert()
    pk = hook.pk
    monkeypatch.setattr(outbox, "forget_subscriptions", lambda **_sent: None)
    Webhook.objects.filter(pk=pk)._raw_delete("default")
    with transaction.atomic():
        detection = insert()
    assert Detection.objects.filter(pk=detection.pk).exists()


def test_more_than_can_wait_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 2)
    hook = webhook(on_detection=True)
    for _ in range(3):
        insert()
    hook.refresh_from_db()
    assert (len(bodies()), hook.dropped) == (2, 1)


def test_an_activation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "try_model", lambda *_args, **_options: None)
    monkeypatch.setattr(versions, "source_of", lambda _row: versions._configured())
    webhook(on_activation=True)
    rows = [ModelVersion.objects.create(name="cats", version=each, sha256=each, folder=each) for each in "12"]
    for row in rows:
        versions.activate(row)
    versions.deactivate()
    assert [(each["type"], each["data"]) for each in bodies()] == [
        ("model.activated", {"model": "cats@1", "replaced": ""}),
        ("model.activated", {"model": "cats@2", "replaced": "cats@1"}),
        ("model.activated", {"model": "", "replaced": "cats@2"}),
    ]


def test_overload_is_told_once_in_ten_minutes() -> None:
    hook = webhook(on_overload=True)
    outbox.overloaded(7)
    outbox.overloaded(8)
    assert [each["data"] for each in bodies()] == [{"refused_photos": 7}]
    Webhook.objects.filter(pk=hook.pk).update(overload_told_at=timezone.now() - timedelta(minutes=10))
    outbox.overloaded(9)
    assert [each["data"]["refused_photos"] for each in bodies()] == [7, 9]
