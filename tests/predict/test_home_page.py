"""The first page without scripts: the form, the sample, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.test import Client

from detection.models import Detection
from detection.predict import service as predict_service
from tests.support.builders import stored_detection, stored_rows
from tests.support.photos import real_photo

MARCH_1, MARCH_2, MARCH_3 = (datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3))


def upload(data: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    return {"image": SimpleUploadedFile(name, data, content_type="image/jpeg")}


@pytest.mark.django_db
def test_first_page_offers_a_form_a_sample_and_the_command_for_programs(client: Client) -> None:
    response = client.get("/")
    html = response.content.decode()
    assert response.status_code == 200
    assert 'enctype="multipart/form-data"' in html
    assert "detection/samples/chelsea.jpg" in html
    assert "http://testserver/predict" in html
    assert "up to 20 MB" in html


@pytest.mark.django_db
@pytest.mark.usefixtures("model")
def test_first_page_names_the_loaded_model_and_its_classes(client: Client) -> None:
    response = client.get("/")
    assert response.context["model"]["name"] in response.content.decode()
    assert '<li class="chip">motorbike</li>' in response.content.decode()


@pytest.mark.django_db
def test_first_page_says_how_to_start_when_no_model_is_loaded(client: Client) -> None:
    predict_service.stop()
    response = client.get("/")
    assert response.status_code == 200
    assert "manage.py serve" in response.content.decode()


@pytest.mark.django_db
def test_first_page_shows_recent_detections_newest_first(client: Client) -> None:
    for day, name in ((MARCH_1, "dog"), (MARCH_3, "cat"), (MARCH_2, "bird")):
        stored_detection((name, 0.9), created_at=day)
    shown = [card.summary for card in client.get("/").context["recent"]]
    assert shown == ["cat", "bird", "dog"]


@pytest.mark.django_db(transaction=True)
def test_plain_upload_is_looked_at_in_the_chosen_tiles(client: Client) -> None:
    assert '<option value="2">2 \N{MULTIPLICATION SIGN} 2</option>' in client.get("/").content.decode()
    response = client.post("/", {**upload(real_photo("chelsea")), "tiles": "2"}, follow=True)
    assert Detection.objects.get().tile_grid == "2x2"
    assert "<dd>2 \N{MULTIPLICATION SIGN} 2, beside the whole photo</dd>" in response.content.decode()
    refused = client.post("/", {**upload(real_photo("chelsea")), "tiles": "9"})
    assert (refused.status_code, "There is no such choice of tiles" in refused.content.decode()) == (400, True)


@pytest.mark.django_db(transaction=True)
def test_plain_upload_detects_stores_and_leads_to_the_detection(client: Client) -> None:
    response = client.post("/", upload(real_photo("chelsea"), "../../etc/chelsea.jpg"))
    detection = Detection.objects.get()
    assert response.status_code == 303
    assert response["Location"] == f"/detections/{detection.uuid}/"
    assert (detection.source, detection.photo.original_name) == ("page", "chelsea.jpg")
    assert [found.class_name for found in detection.objects_found.filter(probability__gt=0.99)] == ["cat"]


@pytest.mark.django_db(transaction=True)
def test_sample_photo_is_detected_like_an_upload(client: Client) -> None:
    response = client.post("/", {"sample": "chelsea"}, follow=True)
    assert response.status_code == 200
    assert response.context["detection"].photo.original_name == "chelsea.jpg"
    assert response.context["title"] == "1 object found"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        pytest.param({}, "Choose a photo first", id="no file"),
        pytest.param({"image": "text"}, "Choose a photo first", id="text instead of a file"),
        pytest.param(upload(b""), "photo", id="empty file"),
        pytest.param(upload(b"not a photo"), "photo", id="text named jpg"),
        pytest.param(upload(real_photo("chelsea")[:5000]), "photo", id="truncated"),
    ],
)
def test_bad_upload_is_refused_with_a_sentence_and_stores_nothing(
    client: Client, stored_files: Callable[[], list[str]], form: dict[str, Any], sentence: str
) -> None:
    if "image" in form and not isinstance(form["image"], str):
        form["image"].seek(0)
    response = client.post("/", form)
    assert response.status_code == 400
    assert sentence in response.context["error"]
    assert response.context["error"].endswith(".")
    assert 'role="alert">' in response.content.decode()
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@pytest.mark.django_db(transaction=True)
def test_upload_says_try_later_when_the_database_cannot_be_written(
    client: Client, stored_files: Callable[[], list[str]]
) -> None:
    with mock.patch("detection.history.recorder.transaction.atomic", side_effect=DatabaseError("disk full")):
        response = client.post("/", upload(real_photo("chelsea")))
    assert response.status_code == 503
    assert "Nothing was stored" in response.context["error"]
    assert response["Retry-After"] == "1"
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@pytest.mark.django_db
def test_form_without_its_token_is_refused_with_a_page_that_says_why() -> None:
    response = Client(enforce_csrf_checks=True).post("/", {"sample": "1"})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert stored_rows() == (0, 0, 0)
