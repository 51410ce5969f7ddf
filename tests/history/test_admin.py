"""The admin: past detections to look at, search and delete, and never to change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from detection.history import admin as history_admin
from detection.models import Detection, Photo
from detection.predict import service as predict_service
from tests.support.builders import SHA256, stored_detection, stored_rows

pytestmark = pytest.mark.django_db
LIST = "/admin/detection/detection/"
PHOTOS = "/admin/detection/photo/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def change(detection: Detection) -> str:
    return reverse("admin:detection_detection_change", args=[detection.pk])


def listed(client: Client, path: str = LIST, **query: str) -> set[Any]:
    """The primary keys of the listed rows."""
    response = client.get(path, query)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


def test_list_shows_pictures_names_and_reported_objects(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.987), ("dog", 0.3), original_name="my <cat>.jpg")
    html = admin_client.get(LIST).content.decode()
    assert f'<img src="/api/detections/{detection.uuid}/thumbnail"' in html
    assert "cat 0.99" in html
    assert "dog 0.30" not in html
    assert "my &lt;cat&gt;.jpg" in html
    assert "my <cat>" not in html


def test_list_names_what_has_no_name_and_no_object(admin_client: Client) -> None:
    stored_detection(original_name="")
    html = admin_client.get(LIST).content.decode()
    assert "(no name)" in html
    assert '<td class="field-found">No objects</td>' in html


def test_list_is_newest_first(admin_client: Client) -> None:
    old, new = (stored_detection(created_at=NOON + timedelta(days=days)) for days in (0, 1))
    rows = admin_client.get(LIST).context["cl"].result_list
    assert [row.pk for row in rows] == [new.pk, old.pk]


def test_detail_shows_the_annotated_picture_and_all_kept_objects(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.3))
    html = admin_client.get(change(detection)).content.decode()
    assert f'<img src="/api/detections/{detection.uuid}/annotated"' in html
    assert f'<a href="/detections/{detection.uuid}/">' in html
    assert '<td class="field-class_name">' in html
    assert html.count("<p>cat</p>") == 1
    assert html.count("<p>dog</p>") == 1
    assert "640 x 480 pixels, 12,345 bytes, JPEG" in html
    assert SHA256 in html
    assert str(detection.uuid) in html


@pytest.fixture
def mixed() -> dict[str, Detection]:
    """Detections that differ in everything that can be filtered and searched for."""
    return {
        "cat": stored_detection(("cat", 0.9), ("dog", 0.3), original_name="holiday.jpg", created_at=NOON),
        "dog": stored_detection(("dog", 0.9), engine="onnxruntime", source=Detection.Source.PAGE),
        "nothing": stored_detection(model_name="resnet50_ssd", source=Detection.Source.WEBSOCKET),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, {"cat", "dog", "nothing"}, id="none"),
        pytest.param({"class": "cat"}, {"cat"}, id="class"),
        pytest.param({"class": "dog"}, {"dog"}, id="class, of reported objects only"),
        pytest.param({"class": "horse"}, set(), id="class that was never found"),
        pytest.param({"engine": "onnxruntime"}, {"dog"}, id="engine"),
        pytest.param({"engine": "onnxruntime", "class": "cat"}, set(), id="engine and class"),
        pytest.param({"source__exact": "websocket"}, {"nothing"}, id="source"),
        pytest.param({"model_name": "resnet50_ssd"}, {"nothing"}, id="model"),
        pytest.param(
            {"created_at__gte": "2026-03-10 00:00:00+00:00", "created_at__lt": "2026-03-11 00:00:00+00:00"},
            {"cat"},
            id="date",
        ),
        pytest.param({"q": "holiday"}, {"cat"}, id="search for a name"),
        pytest.param({"q": " HOLI "}, {"cat"}, id="search for a name in other letters"),
        pytest.param({"q": "%liday"}, set(), id="search for a wildcard"),
        pytest.param({"q": "resnet50_ssd"}, {"nothing"}, id="search for a model"),
        pytest.param({"q": "holiday", "class": "dog"}, set(), id="search within a filter"),
        pytest.param({"q": SHA256}, {"cat", "dog", "nothing"}, id="search for a hash"),
        pytest.param({"q": "' OR 1=1 --"}, set(), id="search for SQL"),
    ],
)
def test_list_is_filtered_and_searched(
    query: dict[str, str], found: set[str], mixed: dict[str, Detection], admin_client: Client
) -> None:
    assert listed(admin_client, **query) == {mixed[name].pk for name in found}


def test_detection_is_found_by_its_id(mixed: dict[str, Detection], admin_client: Client) -> None:
    assert listed(admin_client, q=str(mixed["dog"].uuid)) == {mixed["dog"].pk}


def test_photo_is_found_by_name_hash_and_id(mixed: dict[str, Detection], admin_client: Client) -> None:
    photo = mixed["cat"].photo
    assert listed(admin_client, PHOTOS, q="holiday.J") == {photo.pk}
    assert listed(admin_client, PHOTOS, q=str(photo.uuid)) == {photo.pk}
    assert listed(admin_client, PHOTOS, q=SHA256) == {one.photo.pk for one in mixed.values()}
    assert listed(admin_client, PHOTOS, q="day") == set()


@pytest.mark.parametrize("path", [LIST, PHOTOS])
def test_search_that_finds_more_than_it_shows_says_so(
    path: str, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        stored_detection(original_name=f"holiday-{number}.jpg")
    monkeypatch.setattr(history_admin, "MAX_PHOTOS", 2)
    response = admin_client.get(path, {"q": "holiday"})
    assert len(response.context["cl"].result_list) == 2
    assert "More than 2 photos match, and the others are not shown." in response.content.decode()
    assert "2 results (" in response.content.decode()
    assert "More than" not in admin_client.get(path, {"q": "holiday-1"}).content.decode()


def test_names_are_searched_in_their_index() -> None:
    stored_detection(original_name="holiday.jpg")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "photo_name" in Photo.objects.filter(original_name__istartswith="holi").values("pk").explain()


def test_filter_offers_the_classes_that_were_found(mixed: dict[str, Detection], admin_client: Client) -> None:
    html = admin_client.get(LIST).content.decode()
    assert 'href="?class=cat"' in html
    assert 'href="?class=dog"' in html
    assert 'href="?class=horse"' not in html
    assert len(mixed) == 3


def test_every_filter_has_its_links_in_the_sidebar(mixed: dict[str, Detection], admin_client: Client) -> None:
    """To type an address is nobody's filter: what the sidebar does not offer is not there."""
    html = admin_client.get(LIST).content.decode()
    assert len(mixed) == 3
    sidebar = html.partition('id="changelist-filter"')[2]
    links = [
        ("class", "cat"),
        ("period", "week"),
        ("source", "websocket"),
        ("engine", "openvino"),
        ("engine", "onnxruntime"),
        ("model", "resnet50_ssd"),
        ("review", "open"),
    ]
    assert [link for link in links if f'href="?{link[0]}={link[1]}"' not in sidebar] == []
    assert 'href="?engine=mxnet"' not in sidebar


@pytest.mark.parametrize("path", [LIST, PHOTOS])
def test_number_of_queries_of_a_list_does_not_grow_with_its_rows(path: str, admin_client: Client) -> None:
    counts = []
    assert admin_client.get(path).status_code == 200  # the first page of a process looks up content types
    for rows in (1, 20):
        for _ in range(rows):
            stored_detection(("cat", 0.9), ("dog", 0.8))
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_number_of_queries_of_a_detail_does_not_grow_with_its_objects(admin_client: Client) -> None:
    counts = []
    assert admin_client.get(change(stored_detection())).status_code == 200  # the first one looks up content types
    for objects in (1, 30):
        detection = stored_detection(*[("cat", 0.9)] * objects)
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(change(detection)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", [f"{LIST}add/", f"{PHOTOS}add/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nothing_can_be_added(path: str, method: str, admin_client: Client) -> None:
    assert getattr(admin_client, method)(path).status_code == 403
    assert stored_rows() == (0, 0, 0)


def test_nothing_can_be_changed(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    values = {
        "threshold": "0.9",
        "source": "page",
        "objects_found-TOTAL_FORMS": "0",
        "objects_found-INITIAL_FORMS": "0",
    }
    assert admin_client.post(change(detection), values).status_code == 403
    photo_url = reverse("admin:detection_photo_change", args=[detection.photo_id])
    assert admin_client.post(photo_url, {"original_name": "other"}).status_code == 403
    assert 'name="_save"' not in admin_client.get(change(detection)).content.decode()
    detection.refresh_from_db()
    assert (detection.threshold, detection.source, detection.photo.original_name) == (0.5, "api", "photo.jpg")
    assert detection.objects_found.count() == 1


def test_photo_is_shown_and_goes_with_its_detection_only(admin_client: Client) -> None:
    detection = stored_detection()
    photo_url = reverse("admin:detection_photo_change", args=[detection.photo_id])
    assert "photo.jpg" in admin_client.get(PHOTOS).content.decode()
    assert SHA256 in admin_client.get(photo_url).content.decode()
    response = admin_client.post(reverse("admin:detection_photo_delete", args=[detection.photo_id]), {"post": "yes"})
    assert response.status_code == 403
    assert Photo.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("model")
def test_deletion_of_one_removes_its_rows_and_its_file(admin_client: Client, chelsea: bytes, stored_files: Any) -> None:
    predict_service.detect(predict_service.Upload(chelsea, source="api"))
    delete = reverse("admin:detection_detection_delete", args=[Detection.objects.get().pk])
    assert "Are you sure" in admin_client.get(delete).content.decode()
    assert len(stored_files()) == 1
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("model")
def test_deletion_of_many_removes_their_rows_and_files(admin_client: Client, chelsea: bytes, stored_files: Any) -> None:
    for _ in range(2):
        predict_service.detect(predict_service.Upload(chelsea, source="api"))
    kept = stored_detection(("cat", 0.9))
    chosen = [str(one.pk) for one in Detection.objects.exclude(pk=kept.pk)]
    action = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    assert admin_client.post(LIST, action).status_code == 302
    assert stored_rows() == (1, 1, 1)
    assert stored_files() == []


def test_stranger_has_to_log_in(client: Client) -> None:
    response = client.get(LIST)
    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={LIST}")


def test_staff_without_rights_sees_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(LIST).status_code == 403
