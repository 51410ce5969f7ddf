"""Operating points: proposed from verdicts, tried, activated, recorded with detections, and rolled back."""

import threading
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from detection.conf import BASE_DIR
from detection.history.annotations import objects_of
from detection.inference.types import reported_at
from detection.learning import points
from detection.learning.goals import goal_of
from detection.learning.points import OperatingPointError
from detection.models import DetectedObject, Detection, OperatingPoint, PointClass
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.registry import catalogue
from detection.registry.reconciler import Reconciler
from detection.review.service import Reviewer, Statement, judge
from detection.serving import points as served
from detection.serving import service as serving
from tests.evaluation.builders import write_voc
from tests.support import photos
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
MODEL = ("mobilenet_ssd_voc", "")
VERSION: dict[str, Any] = {"model_name": MODEL[0], "model_version": MODEL[1]}


def point_of(rest: float = 0.5, name: str = "sure", **by_class: float) -> OperatingPoint:
    number = OperatingPoint.objects.filter(name=name).count() + 1
    point = OperatingPoint.objects.create(**VERSION, name=name, number=number, goal="f1", source="test", threshold=rest)
    PointClass.objects.bulk_create(
        PointClass(point=point, class_name=class_name, threshold=threshold, is_reached=True, judged=0, right=0)
        for class_name, threshold in by_class.items()
    )
    return point


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("operating_point", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def judged() -> None:
    """Cats are right above 0.6, and dogs always; each has 80 verdicts."""
    for number in range(80):
        score = 0.2 + 0.79 * number / 80
        detection = stored_detection(("dog", 0.95), ("cat", score), threshold=0.1, **VERSION)
        wrong = [Statement("1", "rejected")] if score < 0.6 else []
        judge(detection, 0, wrong, Reviewer(name="anna"), reviewed=True)


def test_verdicts_become_a_threshold_for_each_class(judged: None) -> None:
    said = command("propose", "sure", "--goal", "precision:0.85", "--least", "50")
    point = OperatingPoint.objects.get()
    rows = {row.class_name: row for row in point.classes.all()}
    assert (str(point), point.model, point.source, point.is_active) == (
        "sure@1", "mobilenet_ssd_voc", "verdicts", False
    )  # fmt: skip
    assert rows["dog"].threshold == 0.1
    assert 0.55 < rows["cat"].threshold < 0.75
    assert (rows["dog"].right, rows["dog"].judged) == (80, 80)
    assert rows["dog"].precision_low is not None
    assert 0.85 <= rows["dog"].precision_low < 1
    assert "80 of 80" in said
    assert str(command("propose", "sure", "--goal", "f1")).count("sure@2") > 0


def test_goal_out_of_reach_leaves_the_models_own_threshold(judged: None) -> None:
    said = command("propose", "sure", "--goal", "precision:0.99")
    assert "out of reach" in said
    assert {row.threshold for row in PointClass.objects.all()} == {0.5}


def test_classes_with_few_verdicts_share_a_threshold(judged: None) -> None:
    command("propose", "sure", "--goal", "precision:0.5", "--least", "100")
    assert [row.class_name for row in PointClass.objects.all()] == [""]


def test_nothing_is_proposed_without_verdicts() -> None:
    with pytest.raises(CommandError, match="Review some of its photos"):
        command("propose", "sure", "--goal", "f1")
    with pytest.raises(CommandError, match="is no goal"):
        command("propose", "sure", "--goal", "best")


def test_annotated_photos_become_thresholds(tmp_path: Any) -> None:
    said = command("propose", "sure", "--goal", "f1", "--dataset", str(write_voc(tmp_path)), "--least", "1")
    assert OperatingPoint.objects.get().source == tmp_path.name
    assert "Proposed sure@1" in said


def test_trial_counts_what_would_change() -> None:
    first = stored_detection(("cat", 0.9), ("cat", 0.55), ("dog", 0.3), **VERSION)
    stored_detection(("cat", 0.9), **VERSION)
    stored_detection(("cat", 0.4), model_name="other")
    point_of(0.5, dog=0.2, cat=0.6)
    said = command("try", "sure")
    assert "Of 2 detections 1 would change: 3 objects reported instead of 3." in said
    assert "More: dog 1" in said
    assert "Fewer: cat 1" in said
    assert str(first.uuid) in said


def test_detection_reports_by_its_point_wherever_it_is_read(client: Client) -> None:
    point = point_of(0.5, dog=0.2, cat=0.6)
    detection = stored_detection(("bird", 0.7), ("cat", 0.55), ("dog", 0.3), point=point, **VERSION)
    assert [one.class_name for one in objects_of(detection)] == ["bird", "dog"]
    assert [one.class_name for one in DetectedObject.objects.reported()] == ["bird", "dog"]
    assert set(detection.entries.values_list("class_name", flat=True)) == {"", "bird", "dog"}
    body = client.get(f"/api/detections/{detection.uuid}").json()
    assert body["operating_point"] == "sure@1"
    assert [one["reported"] for one in body["objects"]] == [True, False, True]
    page = client.get(detection.get_absolute_url())
    assert page.context["viewer"]["classThresholds"] == {"dog": 0.2, "cat": 0.6}
    assert [one.class_name for one, _, _ in page.context["objects"]] == ["bird", "dog"]
    other = client.get(detection.get_absolute_url(), {"threshold": "0.54"})
    assert [one.class_name for one, _, _ in other.context["objects"]] == ["bird", "cat"]
    assert client.get("/api/detections/", {"max_probability": "0.35"}).json()["results"][0]["id"] == body["id"]


def test_activation_goes_forth_and_back() -> None:
    first, second = point_of(), point_of()
    with pytest.raises(OperatingPointError, match="nothing to go back from"):
        points.roll_back(MODEL)
    command("activate", "sure@1")
    command("activate", "sure")
    assert [row.is_active for row in OperatingPoint.objects.order_by("number")] == [False, True]
    assert "* mobilenet_ssd_voc  sure@2" in command("list")
    assert points.roll_back(MODEL) == first
    assert "own threshold" in command("rollback")
    assert not OperatingPoint.objects.filter(is_active=True).exists()
    assert second.number == 2


@pytest.mark.parametrize("reference", ["other", "sure@9", "sure@x"])
def test_unknown_point_is_told_with_those_that_there_are(reference: str) -> None:
    point_of()
    with pytest.raises(CommandError, match=r"Known are: sure@1\."):
        command("activate", reference)


@pytest.fixture
def active(model: None) -> OperatingPoint:
    point = point_of(0.99, dog=0.2)
    points.activate(point)
    Reconciler().poll()
    return point


@pytest.mark.django_db(transaction=True)
def test_active_point_decides_where_the_caller_does_not(client: Client, active: OperatingPoint) -> None:
    asked = serving.ask("")
    assert (asked.point, asked.threshold) == (served.active(*MODEL), 0.99)
    assert serving.ask("", 0.3).point is None
    assert catalogue.default_threshold() == 0.99
    assert client.get("/api/model").json()["class_thresholds"] == {"dog": 0.2}
    assert client.get("/api/models").json()["models"][0]["operating_point"] == "sure@1"
    photo = photos.real_photo("chelsea")
    by_point = predict_service.detect(Upload(photo, "api"))
    by_caller = predict_service.detect(Upload(photo, "api", threshold=0.3))
    rows = {row.uuid: row for row in Detection.objects.all()}
    assert {row.uuid: row.point_id for row in rows.values()} == {
        by_point.detection_uuid: active.pk,
        by_caller.detection_uuid: None,
    }
    assert by_point.detection_uuid is not None
    row = rows[by_point.detection_uuid]
    assert row.reported_count == len(by_point.objects) == row.objects_found.reported().count()
    points.roll_back(MODEL)
    Reconciler().poll()
    assert serving.ask("").point is None


@pytest.mark.django_db(transaction=True)
def test_batch_without_a_threshold_goes_by_the_point(client: Client, active: OperatingPoint) -> None:
    photo = photos.real_photo("chelsea")
    for given in ({}, {"threshold": 0.3}):
        listed = {"name": "b", "photos": [{"name": "a.jpg", "size_bytes": len(photo)}], **given}
        batch = client.post("/api/batches/", listed, content_type="application/json").json()
        client.post(f"/api/batches/{batch['id']}/photos/0", photo, content_type="image/jpeg")
    assert [row.point_id for row in Detection.objects.order_by("pk")] == [active.pk, None]


@pytest.mark.django_db(transaction=True)
def test_fifty_activations_fail_no_request_and_every_row_names_its_point(model: None) -> None:
    choices = [point_of(0.5, cat=0.2), point_of(0.3, cat=0.95)]
    photo, failures, ended = photos.real_photo("chelsea"), [], threading.Event()

    def client() -> None:
        while not ended.is_set():
            try:
                predict_service.detect(Upload(photo, "api"))
            except Exception as error:  # noqa: BLE001  told by the test
                failures.append(error)

    clients = [threading.Thread(target=client) for _ in range(8)]
    for one in clients:
        one.start()
    for number in range(50):
        points.activate(choices[number % 2])
        served.refresh()
    ended.set()
    for one in clients:
        one.join()
    assert failures == []
    for row in Detection.objects.prefetch_related("objects_found"):
        assert row.point_id in {None, *(one.pk for one in choices)}
        assert row.reported_count == len(reported_at(row.objects_found.all(), row.thresholds))


def test_points_are_proposed_and_activated_in_the_admin(client: Client, judged: None) -> None:
    client.force_login(User.objects.create_superuser("root"))
    add, rows = reverse("admin:detection_operatingpoint_add"), reverse("admin:detection_operatingpoint_changelist")
    assert "is no goal" in client.post(add, {"name": "sure", "goal": "best"}).content.decode()
    assert client.post(add, {"name": "sure", "goal": "precision:0.85"}).status_code == 302
    point = OperatingPoint.objects.get()
    assert "80" in client.get(reverse("admin:detection_operatingpoint_change", args=[point.pk])).content.decode()

    def act(action: str) -> str:
        form = {"action": action, "_selected_action": [point.pk]}
        return client.post(rows, form, follow=True).content.decode()

    assert "of 80 detections" in act("try_out")
    assert "sure@1 is active" in act("activate")
    assert OperatingPoint.objects.get().is_active
    assert "own threshold decides" in act("roll_back")
    assert "Choose the active point" in act("roll_back")


def test_simulated_months_are_told() -> None:
    assert "person: 95 % precision proposed in" in command("simulate", "--seeds", "2", "--verdicts", "200")


def test_goal_is_kept_as_it_was_written() -> None:
    assert goal_of("false:3").text == "false:3"
    assert (BASE_DIR / "models" / MODEL[0]).is_dir()
