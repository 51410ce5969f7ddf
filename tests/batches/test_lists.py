"""Bounds of the lists of batches: they are counted first, come in pages, and can be deleted."""

import json
import time
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from detection.batches import service as batches
from detection.batches.serializers import ListedPhotoSerializer
from detection.batches.states import ListedPhoto
from detection.maintenance import batch_lists
from detection.models import Batch, BatchItem, Detection
from detection.web.json_body import MAX_JSON_BYTES
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db


def listed(count: int = 1, name: str = "trip") -> Batch:
    return batches.create(name, None, [ListedPhoto(f"{number}.jpg", 1) for number in range(count)])


def post(photos: Any) -> Any:
    return Client().post("/api/batches/", json.dumps({"photos": photos}), content_type="application/json")


def test_a_list_is_counted_before_any_photo_is_looked_at() -> None:
    with mock.patch.object(ListedPhotoSerializer, "run_validation", side_effect=AssertionError) as looked_at:
        answer = post([{}] * 2001)
    assert (answer.status_code, looked_at.called) == (400, False)
    assert answer.json() == {"error": "photos: A batch has at most 2,000 photos. Send them in parts."}
    assert not Batch.objects.exists()


def test_a_list_of_hundreds_of_thousands_is_refused_by_its_bytes_at_once() -> None:
    body = b'{"photos": [' + b'{"name": "a", "size_bytes": 1},' * 200_001 + b"{}]}"
    started = time.perf_counter()
    answer = Client().post("/api/batches/", body, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (413, ["error"])
    assert answer.json()["error"].endswith(f"at most {MAX_JSON_BYTES:,} bytes are accepted. Send it in parts.")
    assert time.perf_counter() - started < 1


def test_the_longest_list_that_is_taken_fits() -> None:
    answer = post([{"name": "\u732b" * 255, "size_bytes": 2**53}] * 2000)
    assert (answer.status_code, BatchItem.objects.count()) == (201, 2000)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_json_is_refused(depth: int) -> None:
    body = b'{"photos": ' + b"[" * depth + b"]" * depth + b"}"
    answer = Client().post("/api/batches/", body, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert len(answer.json()["error"]) < 200


def test_batches_come_in_pages_the_newest_first() -> None:
    made = [str(listed(number + 1).uuid) for number in range(5)][::-1]
    url, pages = "/api/batches/?count=2", []
    while url:
        answer = Client().get(url).json()
        pages.append([(each["id"], each["photos"], each["waiting"]) for each in answer["results"]])
        url = answer["next"]
    assert pages == [
        [(made[0], 5, 5), (made[1], 4, 4)],
        [(made[2], 3, 3), (made[3], 2, 2)],
        [(made[4], 1, 1)],
    ]


@pytest.mark.parametrize(
    "query", ["count=0", "count=201", "count=many", "after=x", "after=00000000-0000-0000-0000-000000000000"]
)
def test_a_page_that_is_none_is_told(query: str) -> None:
    answer = Client().get(f"/api/batches/?{query}")
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_deleted_list_leaves_its_detections() -> None:
    batch, other = listed(3), listed(1)
    detection = stored_detection(("cat", 0.9))
    BatchItem.objects.filter(batch=batch, position=0).update(detection=detection, state=BatchItem.State.DONE)
    assert Client().delete(f"/api/batches/{batch.uuid}/").status_code == 204
    assert Client().delete(f"/api/batches/{batch.uuid}/").status_code == 404
    assert list(Batch.objects.all()) == [other]
    assert (BatchItem.objects.count(), Detection.objects.count()) == (1, 1)


def test_a_list_is_deleted_on_its_page() -> None:
    batch, client = listed(), Client()
    page = client.get(f"/batches/{batch.uuid}/").content.decode()
    assert f'action="/batches/{batch.uuid}/delete/"' in page
    assert client.get(f"/batches/{batch.uuid}/delete/").status_code == 405
    answer = client.post(f"/batches/{batch.uuid}/delete/", follow=True)
    assert answer.redirect_chain == [("/batches/", 303)]
    assert "The list was deleted. Its detections are in the history." in answer.content.decode()
    assert not Batch.objects.exists()


def test_a_page_says_why_its_list_is_not_deleted() -> None:
    batch = listed()
    with mock.patch.object(Batch, "delete", side_effect=OperationalError("locked")):
        answer = Client().post(f"/batches/{batch.uuid}/delete/", headers={"Accept-Language": "ru"})
    assert (answer.status_code, Batch.objects.count()) == (503, 1)
    assert "Список не удалить" in answer.content.decode()


def test_a_list_that_cannot_be_deleted_stays_and_is_told() -> None:
    batch = listed()
    with mock.patch.object(Batch, "delete", side_effect=OperationalError("locked")):
        answer = Client().delete(f"/api/batches/{batch.uuid}/")
    assert (answer.status_code, Batch.objects.count()) == (503, 1)


def test_lists_of_others_are_neither_shown_nor_deleted(limits: Any) -> None:
    owner, other = (User.objects.create_user(name, password="p") for name in ("owner", "other"))
    limits(access="login")
    batch = batches.create("mine", None, [ListedPhoto("a", 1)], owner.pk)
    client = Client()
    client.force_login(other)
    assert client.get("/api/batches/").json() == {"next": None, "results": []}
    assert client.delete(f"/api/batches/{batch.uuid}/").status_code == 404
    client.force_login(owner)
    assert client.delete(f"/api/batches/{batch.uuid}/").status_code == 204


def test_lists_go_with_the_age_of_detections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_lists, "CHUNK", 2)
    old = [listed() for _ in range(5)]
    Batch.objects.filter(pk__in=[each.pk for each in old]).update(created_at=timezone.now() - timedelta(days=31))
    young = listed()
    assert batch_lists.remove_older_than(None) == 0
    assert batch_lists.remove_older_than(timedelta(days=30)) == 5
    assert list(Batch.objects.all()) == [young]


def test_an_unknown_parameter_of_a_photo_is_refused() -> None:
    batch = listed()
    answer = Client().post(f"/api/batches/{batch.uuid}/photos/0?treshold=1", b"x", content_type="image/jpeg")
    assert (answer.status_code, answer.json()["error"][:34]) == (400, "There is no parameter 'treshold' h")
    assert [item.state for item in batch.items.all()] == [BatchItem.State.WAITING]
