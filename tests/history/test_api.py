"""The API of the history: lists, details, pictures, deletion."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from detection.models import Detection
from detection.photos.store import SUFFIXES
from detection.predict import service as predict_service
from tests.support import photos
from tests.support.builders import SHA256, stored_detection, stored_rows

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LIST = "/api/detections/"
NOT_FOUND = {"error": "There is nothing under this address: it was deleted, or the id is wrong."}
GPS = b"48.8583N"

in_transaction = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


def url(detection: Detection, rest: str = "") -> str:
    return f"{LIST}{detection.uuid}/{rest}"


def ids(page: Any) -> list[UUID]:
    return [UUID(one["id"]) for one in page["results"]]


@pytest.fixture
def cat(chelsea: bytes, model: None) -> Detection:
    """A detection of a real photo, with its file."""
    answer = predict_service.detect(
        predict_service.Upload(chelsea, source=Detection.Source.API, original_name="../cat.jpg")
    )
    return Detection.objects.get(uuid=str(answer.detection_uuid))


@in_transaction
def test_list_is_newest_first_in_pages_that_link_to_each_other(client: Client) -> None:
    made = [stored_detection(("cat", 0.9), created_at=NOON + timedelta(hours=hour)) for hour in (2, 0, 4, 1, 3)]
    newest_first = [one.uuid for one in sorted(made, key=lambda one: one.created_at, reverse=True)]
    first = client.get(LIST, {"page_size": 2}).json()
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()
    assert [*ids(first), *ids(second), *ids(third)] == newest_first
    assert (first["previous"], third["next"]) == (None, None)
    assert ids(client.get(third["previous"]).json()) == ids(second)
    assert "page_size=2" in first["next"]
    assert first["next"].startswith("http://testserver/api/detections/?")


@in_transaction
def test_page_does_not_shift_when_new_detections_come_in(client: Client) -> None:
    old = [stored_detection(created_at=NOON + timedelta(hours=hour)) for hour in range(4)]
    first = client.get(LIST, {"page_size": 2}).json()
    stored_detection(created_at=NOON + timedelta(days=1))
    second = client.get(first["next"]).json()
    assert ids(second) == [old[1].uuid, old[0].uuid]
    assert len(ids(client.get(second["previous"]).json())) == 2


@in_transaction
def test_detections_of_one_moment_are_all_listed_once(client: Client) -> None:
    made = {stored_detection(created_at=NOON).uuid for _ in range(5)}
    seen: list[UUID] = []
    following = f"{LIST}?page_size=2"
    while following:
        page = client.get(following).json()
        seen += ids(page)
        following = page["next"]
    assert sorted(seen) == sorted(made)


@in_transaction
def test_empty_history_is_an_empty_page(client: Client) -> None:
    assert client.get(LIST).json() == {"next": None, "previous": None, "results": []}


@pytest.fixture
def mixed() -> dict[str, UUID]:
    """Detections that differ in everything that can be filtered for."""
    return {
        "cat": stored_detection(("cat", 0.9), ("dog", 0.3), created_at=NOON).uuid,
        "dog": stored_detection(
            ("dog", 0.8), ("cat", 0.55), created_at=NOON + timedelta(days=1), source=Detection.Source.PAGE
        ).uuid,
        "nothing": stored_detection(created_at=NOON + timedelta(days=2), source=Detection.Source.WEBSOCKET).uuid,
        "midnight": stored_detection(("bird", 0.7), created_at=datetime(2026, 3, 13, tzinfo=UTC)).uuid,
    }


ALL = {"cat", "dog", "nothing", "midnight"}
DAY = {"date_from": "2026-03-12", "date_to": "2026-03-12"}
WEST, EAST = DAY | {"zone": "Pacific/Honolulu"}, DAY | {"zone": "Pacific/Kiritimati"}


@in_transaction
@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, {"cat", "dog", "nothing", "midnight"}, id="none"),
        pytest.param({"class": "cat"}, {"cat", "dog"}, id="class"),
        pytest.param({"class": "dog"}, {"dog"}, id="class, of reported objects only"),
        pytest.param({"class": "Cat"}, set(), id="class, as it is spelt"),
        pytest.param({"min_probability": "0.75"}, {"cat", "dog"}, id="probability"),
        pytest.param({"min_probability": "0"}, {"cat", "dog", "midnight"}, id="any reported object"),
        pytest.param({"class": "cat", "min_probability": "0.75"}, {"cat"}, id="class and probability of one object"),
        pytest.param({"date_from": "2026-03-11"}, {"dog", "nothing", "midnight"}, id="from a day"),
        pytest.param({"date_to": "2026-03-12"}, {"cat", "dog", "nothing"}, id="to the end of a day"),
        pytest.param({"date_from": "2026-03-11", "date_to": "2026-03-11"}, {"dog"}, id="one day"),
        pytest.param({"date_from": "2026-03-12", "date_to": "2026-03-11"}, set(), id="no day"),
        pytest.param({"date_from": "0001-01-01"}, {"cat", "dog", "nothing", "midnight"}, id="from the first day"),
        pytest.param({"date_to": "9999-12-31"}, {"cat", "dog", "nothing", "midnight"}, id="to the last day"),
        pytest.param(DAY, {"nothing"}, id="a day of UTC"),
        pytest.param(WEST, {"nothing", "midnight"}, id="the same day west of it"),
        pytest.param(EAST, {"dog"}, id="the same day east of it"),
        pytest.param({"date_from": "0001-01-01", "zone": "Asia/Tokyo"}, ALL, id="first day, east"),
        pytest.param({"date_to": "9999-12-31", "zone": "Pacific/Honolulu"}, ALL, id="last day, west"),
        pytest.param({"source": "page"}, {"dog"}, id="source"),
        pytest.param({"source": "api", "class": "cat"}, {"cat"}, id="source and class"),
        pytest.param({"engine": "openvino"}, {"cat", "dog", "nothing", "midnight"}, id="engine"),
        pytest.param({"engine": "mxnet"}, set(), id="engine that made none"),
        pytest.param({"class": "", "source": "", "date_from": ""}, {"cat", "dog", "nothing", "midnight"}, id="empty"),
    ],
)
def test_list_is_filtered(query: dict[str, str], found: set[str], mixed: dict[str, UUID], client: Client) -> None:
    assert set(ids(client.get(LIST, query).json())) == {mixed[name] for name in found}


@in_transaction
def test_links_of_a_filtered_list_keep_the_filter(client: Client, mixed: dict[str, UUID]) -> None:
    first = client.get(f"{LIST}?class=cat&page_size=1").json()
    second = client.get(first["next"]).json()
    assert ids(first) + ids(second) == [mixed["dog"], mixed["cat"]]
    assert second["next"] is None


@in_transaction
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param({"min_probability": "high"}, "min_probability: Enter a number.", id="probability as a word"),
        pytest.param({"min_probability": "nan"}, "min_probability: Enter a number.", id="probability not a number"),
        pytest.param(
            {"min_probability": "2"},
            "min_probability: Ensure this value is less than or equal to 1.",
            id="probability above 1",
        ),
        pytest.param({"date_from": "yesterday"}, "date_from: Enter a valid date.", id="date as a word"),
        *(
            pytest.param(
                {"zone": zone},
                "zone: Write a time zone as Europe/Berlin is written, or leave it out for UTC.",
                id=f"zone {zone[:12]!r}",
            )
            for zone in ("Tokyo", "Europe", "../../etc/passwd", "/etc/localtime", "x" * 64, "..", "Europe/Berlin/x")
        ),
        pytest.param({"date_to": "2026-02-30"}, "date_to: Enter a valid date.", id="date that does not exist"),
        pytest.param(
            {"source": "fax"},
            "source: Select a valid choice. fax is not one of the available choices.",
            id="unknown source",
        ),
        pytest.param(
            {"class": "x" * 101},
            "class: Ensure this value has at most 100 characters (it has 101).",
            id="class too long",
        ),
        pytest.param(
            {"cursor": "older-x"},
            "This address of a page of the history is damaged. Start again from the newest detections.",
            id="cursor",
        ),
        pytest.param(
            {"cursor": f"older-{'9' * 18}-1"},
            "This address of a page of the history is damaged. Start again from the newest detections.",
            id="cursor out of all time",
        ),
        *(
            pytest.param(
                {"page_size": size},
                f"page_size is {size!r}; set it to a whole number from 1 to 200, or leave it out.",
                id=f"page size {size!r}",
            )
            for size in (
                "0",
                "201",
                "-1",
                "many",
                "",
                "1e2",
                "9" * 5000,
                "0" * 8 + "1" + "0" * 5000,
                "00000000201",
                "\N{SUPERSCRIPT TWO}",
            )
        ),
    ],
)
def test_filter_that_cannot_be_used_is_told(query: dict[str, str], sentence: str, client: Client) -> None:
    response = client.get(LIST, query)
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")
    assert response.json() == {"error": sentence}


@in_transaction
def test_number_of_queries_does_not_grow_with_the_rows(client: Client) -> None:
    counts = []
    for rows in (1, 20):
        for _ in range(rows):
            stored_detection(("cat", 0.9), ("dog", 0.8))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST, {"page_size": 200}).status_code == 200
        counts.append(len(queries))
    assert counts == [3, 3]


@in_transaction
def test_detail_tells_everything_that_is_kept(client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.3), created_at=NOON, original_name="a/b.jpg")
    response = client.get(url(detection))
    base = f"http://testserver/api/detections/{detection.uuid}"
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json() == {
        "id": str(detection.uuid),
        "created_at": "2026-03-10T12:00:00Z",
        "source": "api",
        "model_name": "mobilenet_ssd_voc",
        "model_version": "",
        "model_sha256": SHA256,
        "operating_point": None,
        "calibration": None,
        "engine": "openvino",
        "device": "CPU",
        "precision": "f32",
        "tiles": "1",
        "tile_grid": "",
        "threshold": 0.5,
        "reported_count": 1,
        "timings_ms": {"decode": 2.5, "network": 12.5},
        "url": f"{base}/",
        "page_url": f"http://testserver/detections/{detection.uuid}/",
        "photo_url": f"{base}/photo",
        "annotated_url": f"{base}/annotated",
        "photo": {
            "uuid": str(detection.photo.uuid),
            "sha256": SHA256,
            "original_name": "a/b.jpg",
            "format": "JPEG",
            "width": 640,
            "height": 480,
            "size_bytes": 12345,
            "share_read": None,
        },
        "objects": [
            {
                "objectClass": "cat",
                "probability": 0.9,
                "calibrated_probability": None,
                "x": 10,
                "y": 20,
                "width": 300,
                "height": 200,
                "box_unit": [10 / 640, 20 / 480, 310 / 640, 220 / 480],
                "reported": True,
            },
            {
                "objectClass": "dog",
                "probability": 0.3,
                "calibrated_probability": None,
                "x": 11,
                "y": 21,
                "width": 300,
                "height": 200,
                "box_unit": [11 / 640, 21 / 480, 311 / 640, 221 / 480],
                "reported": False,
            },
        ],
    }


def pixel(jpeg: bytes, at: tuple[int, int]) -> tuple[int, int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        red, green, blue = image.convert("RGB").getpixel(at)  # type: ignore[misc]
        return red, green, blue


def is_red(colour: tuple[int, int, int]) -> bool:
    return colour[0] > 200 and max(colour[1:]) < 60


@committed
def test_photo_comes_without_its_metadata_under_our_name_and_cannot_run(client: Client, model: None) -> None:
    exif = Image.Exif()
    exif[0x010E] = GPS.decode()
    data = photos.encode(photos.two_colours(), exif=exif, comment=GPS)
    answer = predict_service.detect(predict_service.Upload(data, source="api", original_name='evil".html'))
    detection = Detection.objects.get(uuid=str(answer.detection_uuid))
    response = client.get(url(detection, "photo"))
    assert GPS in data
    assert GPS not in response.content
    assert pixel(response.content, (60, 16)) == pixel(data, (60, 16))
    assert response["Content-Type"] == "image/jpeg"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Content-Disposition"] == r'inline; filename="evil\".jpg"'
    assert "immutable" in response["Cache-Control"]


@committed
@pytest.mark.parametrize(
    ("photo_format", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_photo_has_the_type_of_its_file(photo_format: str, content_type: str, client: Client, model: None) -> None:
    answer = predict_service.detect(
        predict_service.Upload(photos.encode(photos.two_colours(), photo_format), source="api")
    )
    detection = Detection.objects.get(uuid=str(answer.detection_uuid))
    response = client.get(url(detection, "photo?download=1"))
    assert response["Content-Type"] == content_type
    assert response["Content-Disposition"] == (
        f'attachment; filename="photo-{detection.photo.uuid}.{SUFFIXES[photo_format]}"'
    )


@committed
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("called", "plain", "annotated"),
    [
        ("cat.JPG", 'filename="cat.jpg"', 'filename="cat-annotated.jpg"'),
        ("a/b\\cat.2.png", 'filename="cat.2.jpg"', 'filename="cat.2-annotated.jpg"'),
        ("猫.jpg", "filename*=utf-8''%E7%8C%AB.jpg", "filename*=utf-8''%E7%8C%AB-annotated.jpg"),
        (".jpg", 'filename=".jpg.jpg"', 'filename=".jpg-annotated.jpg"'),
        ("a\r\nX-Evil: 1.jpg", None, None),
    ],
)
def test_downloads_are_named_after_the_photo(
    called: str, plain: str | None, annotated: str | None, client: Client, chelsea: bytes
) -> None:
    answer = predict_service.detect(predict_service.Upload(chelsea, source="api", original_name=called))
    detection = Detection.objects.get(uuid=str(answer.detection_uuid))
    for rest, name in (("photo", plain), ("annotated", annotated)):
        response = client.get(url(detection, f"{rest}?download=1"))
        assert "X-Evil" not in response
        assert name is None or response["Content-Disposition"] == f"attachment; {name}"


@committed
def test_annotated_picture_has_red_boxes_above_the_threshold(client: Client, cat: Detection) -> None:
    box = cat.objects_found.all()[0].box
    on_edge = (box.x + box.width - 1, box.y + box.height // 2)
    shown = client.get(url(cat, "annotated"))
    hidden = client.get(url(cat, "annotated?threshold=1"))
    assert is_red(pixel(shown.content, on_edge))
    assert not is_red(pixel(hidden.content, on_edge))
    assert shown["Content-Type"] == "image/jpeg"
    assert shown["Content-Disposition"] == 'inline; filename="cat-annotated.jpg"'
    assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert [stage.split(";")[0] for stage in shown["Server-Timing"].split(", ")] == ["decode", "draw"]
    with Image.open(io.BytesIO(shown.content)) as picture:
        assert picture.size == (451, 300)


@committed
def test_annotated_picture_can_be_saved(client: Client, cat: Detection) -> None:
    response = client.get(url(cat, "annotated?download=1"))
    assert response["Content-Disposition"] == 'attachment; filename="cat-annotated.jpg"'


@committed
@pytest.mark.parametrize("threshold", ["abc", "nan", "2", "-1"])
def test_picture_for_a_threshold_that_is_no_number_is_refused(threshold: str, client: Client, cat: Detection) -> None:
    response = client.get(url(cat, "annotated"), {"threshold": threshold})
    assert response.status_code == 400
    assert response.json() == {"error": f"threshold is {threshold!r}; set it to a number from 0 to 1, or leave it out."}


@committed
def test_thumbnail_is_small_and_of_the_same_shape(client: Client, cat: Detection) -> None:
    response = client.get(url(cat, "thumbnail"))
    with Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (320, 213))
    assert response["Content-Disposition"] == f'inline; filename="thumbnail-{cat.uuid}.jpg"'
    assert response["Server-Timing"].startswith("thumbnail;dur=")


@committed
@pytest.mark.parametrize("rest", ["photo", "annotated", "thumbnail"])
def test_picture_is_served_whatever_the_caller_accepts(rest: str, client: Client, cat: Detection) -> None:
    response = client.get(url(cat, rest), headers={"Accept": "image/jpeg"})
    assert (response.status_code, response["Content-Type"]) == (200, "image/jpeg")


@committed
@pytest.mark.parametrize("rest", ["photo", "annotated", "thumbnail"])
def test_head_of_a_picture_has_its_headers(rest: str, client: Client, cat: Detection) -> None:
    response = client.head(url(cat, rest))
    assert (response.status_code, response["Content-Type"], response.content) == (200, "image/jpeg", b"")


@committed
@pytest.mark.parametrize("rest", ["photo", "annotated", "thumbnail"])
def test_photo_whose_file_is_gone_is_told(rest: str, client: Client, cat: Detection) -> None:
    Path(default_storage.path(cat.photo.file)).unlink()
    response = client.get(url(cat, rest))
    assert response.status_code == 404
    assert response.json() == {
        "error": f"The file of photo {cat.photo.uuid} is missing from the photo store, or damaged. "
        "Restore it from a backup, or delete the detection."
    }


@committed
@pytest.mark.parametrize("rest", ["annotated", "thumbnail"])
def test_photo_whose_file_is_damaged_is_told(rest: str, client: Client, cat: Detection) -> None:
    Path(default_storage.path(cat.photo.file)).write_bytes(b"\0" * 100)
    response = client.get(url(cat, rest))
    assert response.status_code == 404
    assert "or damaged" in response.json()["error"]


@committed
def test_deletion_removes_rows_and_file_and_is_done_once(client: Client, cat: Detection, stored_files: Any) -> None:
    assert len(stored_files()) == 1
    first = client.delete(url(cat))
    second = client.delete(url(cat))
    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, second.json()) == (404, NOT_FOUND)
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@committed
def test_photo_that_was_sent_twice_is_stored_once_and_outlives_one_deletion(
    client: Client, cat: Detection, chelsea: bytes, stored_files: Any
) -> None:
    predict_service.detect(predict_service.Upload(chelsea, source="page"))
    other = Detection.objects.exclude(pk=cat.pk).get()
    assert len(stored_files()) == 1
    assert client.delete(url(cat)).status_code == 204
    assert client.get(url(other, "photo")).status_code == 200
    assert stored_rows()[:2] == (1, 1)


@committed
def test_deletion_that_the_database_refuses_is_told_and_deletes_nothing(
    client: Client, cat: Detection, stored_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Detection) -> None:
        raise OperationalError("read-only")

    monkeypatch.setattr(Detection, "delete", refuse)
    response = client.delete(url(cat))
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json() == {
        "error": "The detection could not be deleted: the database cannot be written now. Try again later."
    }
    assert stored_rows()[:2] == (1, 1)
    assert len(stored_files()) == 1


@in_transaction
def test_database_that_does_not_answer_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("detection.history.api.page_of", fail)
    response = client.get(LIST)
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json() == {"error": "The database does not answer. Try again later, or tell the server's operator."}


@in_transaction
@pytest.mark.parametrize(
    ("method", "rest", "allowed"),
    [
        ("post", "", "GET, DELETE, HEAD, OPTIONS"),
        ("put", "", "GET, DELETE, HEAD, OPTIONS"),
        ("delete", "photo", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods_are_refused_with_those_that_work(method: str, rest: str, allowed: str, client: Client) -> None:
    detection = stored_detection()
    response = getattr(client, method)(url(detection, rest))
    assert (response.status_code, response["Allow"]) == (405, allowed)
    assert response.json()["error"].endswith(f"Use {allowed}.")
    assert stored_rows()[:2] == (1, 1)
