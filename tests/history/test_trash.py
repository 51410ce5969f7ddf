"""A detection deleted in a page can be brought back for a while, and is gone for good after it."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from detection.batches import service as batches
from detection.batches.states import ListedPhoto
from detection.errors import StorageUnavailableError
from detection.history import indexing, trash
from detection.history.addresses import place_of
from detection.maintenance.retention import Rules
from detection.maintenance.worker import BackgroundWorker
from detection.models import DetectedObject, Detection, Photo, Removal, Tally
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.review import service as review_service
from detection.review.service import Reviewer
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept(model: None, chelsea: bytes) -> Detection:
    answer = predict_service.detect(Upload(chelsea, "page", original_name="cat.jpg"))
    assert answer.detection_uuid is not None
    return Detection.objects.get(uuid=answer.detection_uuid)


def delete(client: Client, detection: Detection) -> Any:
    return client.post(f"{detection.get_absolute_url()}delete/")


def restore(client: Client, detection: Detection) -> Any:
    return client.post(f"{detection.get_absolute_url()}restore/")


def test_deleted_detection_is_hidden_everywhere(client: Client, kept: Detection, tmp_path: Path) -> None:
    answer = delete(client, kept)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/history/?cursor={place_of(kept)}")
    hidden = [kept.get_absolute_url(), f"/api/detections/{kept.uuid}/", f"/api/detections/{kept.uuid}/photo"]
    assert {address: client.get(address).status_code for address in hidden} == dict.fromkeys(hidden, 404)
    assert client.get("/api/detections/").json()["results"] == []
    assert b"".join(client.get("/api/export?format=jsonl")) == b""
    exported = tmp_path / "detections.jsonl"
    call_command("export", "jsonl", str(exported), stdout=io.StringIO())
    assert exported.read_bytes() == b""
    assert "tile-link" not in client.get("/history/").text
    assert "card-link" not in client.get("/").text


def test_undo_brings_all_of_it_back(client: Client, kept: Detection, stored_files: Any) -> None:
    files, before = stored_files(), client.get(f"/api/detections/{kept.uuid}/").json()
    delete(client, kept)
    history = client.get("/history/").text
    assert "“cat.jpg” was deleted." in history
    assert f'action="/detections/{kept.uuid}/restore/"' in history
    answer = restore(client, kept)
    assert (answer.status_code, answer.headers["Location"]) == (303, kept.get_absolute_url())
    assert client.get(f"/api/detections/{kept.uuid}/").json() == before
    assert client.get(f"/api/detections/{kept.uuid}/photo").status_code == 200
    assert stored_files() == files
    assert "was deleted" not in client.get("/history/").text


def test_two_clicks_delete_once(client: Client, kept: Detection) -> None:
    assert [delete(client, kept).status_code for _ in range(2)] == [303, 404]
    trash.remove(kept)
    assert Removal.objects.count() == 1
    assert [restore(client, kept).status_code for _ in range(2)] == [303, 404]


def test_server_finishes_what_is_due_and_nothing_else(
    client: Client, kept: Detection, chelsea: bytes, stored_files: Any, tmp_path: Path
) -> None:
    other = predict_service.detect(Upload(b"\xff\xd8\xff\xfe\x00\x03x" + chelsea[2:], "page"))
    delete(client, kept)
    worker = BackgroundWorker(Rules(), tmp_path)
    worker.run_once()
    assert Detection.objects.count() == 2
    Removal.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    worker.run_once()
    assert [detection.uuid for detection in Detection.objects.all()] == [other.detection_uuid]
    assert set(DetectedObject.objects.values_list("detection__uuid", flat=True)) == {other.detection_uuid}
    assert (Photo.objects.count(), len(stored_files()), Removal.objects.count()) == (1, 1, 0)
    assert restore(client, kept).status_code == 404


def test_program_deletes_at_once(client: Client, kept: Detection) -> None:
    assert client.delete(f"/api/detections/{kept.uuid}/").status_code == 204
    assert not Detection.objects.exists()


def test_batch_tells_it_as_deleted_until_it_is_back(client: Client, model: None, chelsea: bytes) -> None:
    batch = batches.create("trip", None, [ListedPhoto("a.jpg", len(chelsea))])
    batches.detect_item(batch.items.get(), chelsea, "page")
    detection = Detection.objects.get()
    before = client.get(f"/api/batches/{batch.uuid}/").json()
    delete(client, detection)
    (item,) = client.get(f"/api/batches/{batch.uuid}/").json()["items"]
    assert (item["state"], item["detection"], item["objects"]) == ("done", None, {})
    assert item["summary"] == "The detection was deleted."
    restore(client, detection)
    assert client.get(f"/api/batches/{batch.uuid}/").json() == before


def test_others_do_not_see_or_undo_it(limits: Any) -> None:
    limits(access="login")
    owner, other = account("owner"), account("other")
    detection = stored_detection(owner=owner)
    clients = {}
    for user in (owner, other):
        clients[user] = Client()
        clients[user].force_login(user)
    assert delete(clients[owner], detection).status_code == 303
    assert "was deleted" in clients[owner].get("/history/").text
    assert "was deleted" not in clients[other].get("/history/").text
    assert restore(clients[other], detection).status_code == 404
    assert restore(clients[owner], detection).status_code == 303


def test_database_that_cannot_be_written_is_told_and_changes_nothing(client: Client, kept: Detection) -> None:
    failing = OperationalError("database is locked")
    with mock.patch.object(QuerySet, "get_or_create", side_effect=failing):
        answer = delete(client, kept)
    assert answer.status_code == 503
    assert "could not be deleted" in answer.text
    assert client.get(kept.get_absolute_url()).status_code == 200
    delete(client, kept)
    with mock.patch.object(Removal, "delete", side_effect=failing):
        answer = restore(client, kept)
    assert answer.status_code == 503
    assert "could not be brought back" in answer.text
    with mock.patch.object(Removal, "delete", side_effect=failing), pytest.raises(StorageUnavailableError):
        trash.restore(Removal.objects.get())


def numbers() -> dict[tuple[Any, ...], int]:
    rows = Tally.objects.exclude(count=0).values_list("kind", "span", "day", "class_name", "detail", "count")
    return {tuple(row[:-1]): row[-1] for row in rows}


def test_removed_detection_leaves_the_numbers_at_once_and_once(client: Client) -> None:
    stored_detection(("cat", 0.9))
    without = numbers()
    removed = stored_detection(("cat", 0.8), ("dog", 0.7))
    review_service.reject_all(removed, 0, Reviewer())
    everything = numbers()
    for _ in range(2):
        trash.remove(removed)
        assert numbers() == without
    indexing.rebuild()
    assert numbers() == without
    trash.restore(Removal.objects.get())
    assert numbers() == everything
    trash.remove(removed)
    trash.finish_due(timezone.now() + timedelta(days=1))
    assert numbers() == without
