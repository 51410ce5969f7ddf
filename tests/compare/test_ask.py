"""Another model is asked about a stored photo, and both answers are shown."""

import shutil
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from detection.bulk import redetect
from detection.conf import Config
from detection.history import trash
from detection.inference.errors import OverloadedError
from detection.inference.queues.fair_queue import OVERLOADED
from detection.models import Detection
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.registry import listing
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db(transaction=True)
NANODET = "nanodet_plus_m"


@pytest.fixture
def detection(model: None, chelsea: bytes) -> Detection:
    """A photo of a cat that the default model has answered."""
    answer = predict_service.detect(Upload(chelsea, "page", original_name="cat.jpg"))
    assert answer.detection_uuid is not None
    return Detection.objects.get(uuid=answer.detection_uuid)


def ask(client: Client, detection: Detection, model: str) -> Any:
    return client.post(f"/detections/{detection.uuid}/ask/", {"model": model})


def test_another_model_answers_once_and_both_are_shown(client: Client, detection: Detection) -> None:
    page = client.get(detection.get_absolute_url()).content.decode()
    assert "No other model has looked at this photo." in page
    assert f'<option value="{NANODET}">' in page
    assert '<option value="mobilenet_ssd_voc">' not in page
    answers = [ask(client, detection, NANODET) for _ in range(2)]
    other = Detection.objects.exclude(pk=detection.pk).get()
    assert (other.photo_id, other.model_name, other.source) == (detection.photo_id, NANODET, "redetect")
    assert {one["Location"] for one in answers} == {f"/compare/{detection.uuid}/{other.uuid}/"}
    shown = client.get(answers[0]["Location"])
    assert shown.status_code == 200
    assert f"{NANODET}@1.0" in shown.content.decode()
    page = client.get(detection.get_absolute_url()).content.decode()
    assert answers[0]["Location"] in page
    assert f'<option value="{NANODET}">' not in page


def test_pair_says_what_each_alone_and_what_both_have_found(client: Client, detection: Detection) -> None:
    location = ask(client, detection, NANODET)["Location"]
    body = client.get(f"{location}answers/").json()
    assert (body["name"], body["a"]["model"], body["b"]["model"]) == (
        "cat.jpg",
        "mobilenet_ssd_voc",
        f"{NANODET}@1.0",
    )
    shared = [[one for one in body[side]["objects"] if one[6]] for side in ("a", "b")]
    assert [[one[0] for one in objects] for objects in shared] == [["cat"], ["cat"]]
    assert body["partners"] == [[0, 0]]


def test_model_that_answered_already_is_told_apart(client: Client, detection: Detection) -> None:
    answer = client.post(f"/detections/{detection.uuid}/ask/", {"model": "mobilenet_ssd_voc"}, follow=True)
    assert "This is the answer of mobilenet_ssd_voc already." in answer.content.decode()
    assert Detection.objects.count() == 1


@pytest.mark.parametrize(
    ("model", "sentence"), [("", "Choose a model first."), ("none", "There is no model"), (NANODET, "is missing")]
)
def test_what_cannot_be_asked_is_said_on_the_page(
    client: Client, detection: Detection, config: Config, model: str, sentence: str
) -> None:
    shutil.rmtree(config.photo_dir)
    answer = client.post(f"/detections/{detection.uuid}/ask/", {"model": model}, follow=True)
    assert sentence in answer.content.decode()
    assert Detection.objects.count() == 1


def test_answer_in_the_trash_is_not_made_again(client: Client, detection: Detection) -> None:
    ask(client, detection, NANODET)
    trash.remove(Detection.objects.exclude(pk=detection.pk).get())
    answer = client.post(f"/detections/{detection.uuid}/ask/", {"model": NANODET}, follow=True)
    assert "was deleted just now" in answer.content.decode()


def test_full_queue_is_said(client: Client, detection: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> Any:
        raise OverloadedError(OVERLOADED())

    monkeypatch.setattr(redetect, "_detect", refuse)
    answer = client.post(f"/detections/{detection.uuid}/ask/", {"model": NANODET}, follow=True)
    assert "The server is busy" in answer.content.decode()


def test_answers_for_different_photos_are_no_pair(client: Client) -> None:
    one, other = stored_detection(("cat", 0.9)), stored_detection(("cat", 0.9))
    page = client.get(f"/compare/{one.uuid}/{other.uuid}/")
    assert (page.status_code, "different photos" in page.content.decode()) == (400, True)
    answers = client.get(f"/compare/{one.uuid}/{other.uuid}/answers/")
    assert (answers.status_code, "different photos" in answers.json()["error"]) == (400, True)
    assert client.get(f"/compare/{one.uuid}/{uuid4()}/").status_code == 404


def test_others_answers_are_not_listed(client: Client, limits: Any) -> None:
    limits(access="login")
    owner, other = account("owner"), account("other")
    detection = stored_detection(("cat", 0.9), owner=owner)
    fields = {"engine": "openvino", "device": "CPU", "precision": "f32", "threshold": 0.5, "source": "api"}
    foreign = Detection.objects.create(
        photo=detection.photo, owner=other, model_name="secret", model_sha256="cd" * 32, reported_count=0, **fields
    )
    client.force_login(owner)
    assert "secret" not in client.get(detection.get_absolute_url()).content.decode()
    assert client.get(f"/compare/{detection.uuid}/{foreign.uuid}/").status_code == 404


def test_references_name_each_model_once(model: None) -> None:
    found = listing.references()
    # The default one of these tests is a bare checkpoint; the embedded folder has a card.
    assert found[0] == ("mobilenet_ssd_voc", ("mobilenet_ssd_voc", ""))
    assert set(found[1:]) == {
        ("mobilenet_ssd_voc@1.0", ("mobilenet_ssd_voc", "1.0")),
        (NANODET, (NANODET, "1.0")),
    }
