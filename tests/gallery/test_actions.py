"""Actions on selected photos: each kind, undo, stop, going on after a kill, and who may."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client
from django.utils import timezone

from detection.gallery import actions, jobs
from detection.history import trash
from detection.models import Album, AlbumPhoto, BulkAction, Detection, Removal, Review, Tally
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.review import service as review_service
from detection.review.service import Reviewer
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db(transaction=True)


def act(client: Client, kind: str, selection: Any, **more: Any) -> Any:
    return client.post(
        "/history/actions/", json.dumps({"kind": kind, "selection": selection, **more}), content_type="application/json"
    )


def ids_of(*detections: Detection) -> dict[str, list[str]]:
    return {"ids": [str(one.uuid) for one in detections]}


def photos_counted() -> int:
    return Tally.objects.filter(kind="photo", span="month").aggregate(sum=Sum("count"))["sum"] or 0


def test_selected_photos_are_deleted_together_and_brought_back(client: Client) -> None:
    one, two, other = (stored_detection(("dog", 0.9)) for _ in range(3))
    answer = act(client, "delete", ids_of(one, two))
    body = answer.json()
    assert (answer.status_code, body["state"], body["done"], body["total"]) == (201, "done", 2, 2)
    assert [row["id"] for row in client.get("/api/detections/").json()["results"]] == [str(other.uuid)]
    assert photos_counted() == 1
    page = client.get("/history/").content.decode()
    assert "2 photos were deleted." in page
    undo = client.post(f"/history/actions/{body['id']}/undo/", headers={"Accept": "application/json"})
    assert undo.json() == {"restored": 2}
    assert photos_counted() == 3
    assert Removal.objects.count() == 0
    assert "were deleted" not in client.get("/history/").content.decode()


def test_deletion_is_undone_without_the_script(client: Client) -> None:
    action = act(client, "delete", ids_of(stored_detection())).json()
    answer = client.post(f"/history/actions/{action['id']}/undo/")
    assert (answer.status_code, answer["Location"]) == (303, "/history/")
    assert Detection.objects.filter(removal=None).count() == 1


def test_all_that_match_are_selected_but_for_some_and_for_later_ones(client: Client) -> None:
    dogs = [stored_detection(("dog", 0.9)) for _ in range(4)]
    cat = stored_detection(("cat", 0.9))
    selection = {"query": "class=dog", "except": [str(dogs[0].uuid)]}
    assert act(client, "album", selection, name="Dogs").json()["done"] == 3
    album = Album.objects.get()
    assert set(album.photos.values_list("detection", flat=True)) == {dog.pk for dog in dogs[1:]}
    assert act(client, "unalbum", ids_of(dogs[1]), album=str(album.uuid)).json()["done"] == 1
    assert act(client, "album", ids_of(dogs[1], dogs[2], cat), album=str(album.uuid)).json()["failed"] == 0
    assert album.photos.count() == 4


def test_photos_are_sent_to_review_in_a_queue_of_their_own(client: Client) -> None:
    done, fresh, other = (stored_detection(("dog", 0.9)) for _ in range(3))
    review_service.judge(done, 0, (), Reviewer(), reviewed=True)
    body = act(client, "review", ids_of(done, fresh)).json()
    assert (body["done"], body["failed"]) == (2, 0)
    assert not Review.objects.get(detection=done).is_reviewed
    queue = client.get(f"/api/review/queue?album={body['url'].partition('album=')[2]}&count=9").json()["detections"]
    assert set(queue) == {str(done.uuid), str(fresh.uuid)}
    assert str(other.uuid) in client.get("/api/review/queue").json()["detections"]


def test_photos_are_looked_at_again_once(client: Client, model: None, chelsea: bytes) -> None:
    answer = predict_service.detect(Upload(chelsea, "page", original_name="cat.jpg"))
    assert answer.detection_uuid is not None
    detection = Detection.objects.get(uuid=answer.detection_uuid)
    Detection.objects.update(model_sha256="0" * 64)
    for _ in range(2):
        body = act(client, "redetect", ids_of(detection), model="").json()
        assert (body["state"], body["done"], body["failed"]) == ("done", 1, 0)
    (again,) = Detection.objects.filter(source="redetect")
    assert (again.photo_id, again.objects_found.reported()[0].class_name) == (detection.photo_id, "cat")


def test_long_action_goes_on_after_the_request_and_after_a_kill(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        stored_detection()
    monkeypatch.setitem(actions.KINDS, "delete", actions.Kind(actions.KINDS["delete"].work, chunk=2))
    monkeypatch.setattr(jobs, "AT_ONCE_S", 0.0)
    body = act(client, "delete", {"query": ""}).json()
    assert (body["state"], body["done"], body["total"]) == ("running", 2, 5)
    # A server that works on it, and one that was killed while it did.
    BulkAction.objects.update(lease_until=timezone.now() + timedelta(seconds=30))
    jobs.run_waiting()
    assert Removal.objects.count() == 2
    BulkAction.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.run_waiting()
    assert client.get(f"/history/actions/{body['id']}/").json()["done"] == 5
    assert BulkAction.objects.get().state == "done"
    assert (Removal.objects.count(), photos_counted()) == (5, 0)


def test_stopped_action_does_no_more(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        stored_detection()
    monkeypatch.setitem(actions.KINDS, "delete", actions.Kind(actions.KINDS["delete"].work, chunk=2))
    monkeypatch.setattr(jobs, "AT_ONCE_S", 0.0)
    body = act(client, "delete", {"query": ""}).json()
    assert client.post(f"/history/actions/{body['id']}/stop/").json()["state"] == "stopped"
    jobs.run_waiting()
    assert Removal.objects.count() == 2
    assert client.post(f"/history/actions/{body['id']}/undo/").status_code == 303
    assert Removal.objects.count() == 0


def test_deletion_of_an_action_is_finished_when_it_is_due(client: Client) -> None:
    act(client, "delete", ids_of(stored_detection(), stored_detection()))
    assert trash.finish_due(timezone.now() + timedelta(minutes=6)) == 2
    assert Detection.objects.count() == 0
    BulkAction.objects.update(created_at=timezone.now() - timedelta(days=2))
    jobs.run_waiting()
    assert not BulkAction.objects.exists()


@pytest.mark.parametrize(
    ("kind", "selection", "more", "sentence"),
    [
        ("burn", {"ids": []}, {}, "There is no action 'burn'."),
        ("delete", None, {}, "Select photos first."),
        ("delete", {"ids": []}, {}, "Select photos first."),
        ("delete", {"ids": ["x"]}, {}, "The selection is damaged."),
        ("delete", {"query": "date_from=soon"}, {}, "The selection is damaged."),
        ("album", {"query": ""}, {"album": "x"}, "There is no such album."),
        ("redetect", {"query": ""}, {"model": "none"}, "none"),
    ],
)
def test_what_cannot_be_done_is_said(client: Client, kind: str, selection: Any, more: Any, sentence: str) -> None:
    answer = act(client, kind, selection, **more)
    assert 400 <= answer.status_code < 500
    assert sentence in answer.json()["error"]
    assert not BulkAction.objects.exists()


def test_only_own_photos_are_acted_on_and_only_own_actions_are_seen(limits: Any) -> None:
    limits(access="login")
    users = {name: account(name) for name in ("anna", "berta")}
    clients = {name: Client() for name in users}
    for name, client in clients.items():
        client.force_login(users[name])
    hers, others = stored_detection(owner=users["anna"]), stored_detection(owner=users["berta"])
    body = act(clients["anna"], "delete", ids_of(hers, others)).json()
    assert body["done"] == 1
    assert Removal.objects.get().detection == hers
    assert clients["berta"].get(f"/history/actions/{body['id']}/").status_code == 404
    assert clients["berta"].post(f"/history/actions/{body['id']}/undo/").status_code == 404
    act(clients["berta"], "album", ids_of(others), name="Mine")
    album = Album.objects.get()
    assert clients["anna"].post(f"/albums/{album.uuid}/delete/").status_code == 404
    assert act(clients["anna"], "album", {"query": ""}, album=str(album.uuid)).status_code == 400
    assert AlbumPhoto.objects.count() == 1


def files_of(answer: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_photos_are_downloaded_plain_with_boxes_and_as_an_export(client: Client, model: None, chelsea: bytes) -> None:
    for name in ("a.jpg", "b.jpg"):
        predict_service.detect(Upload(chelsea, "page", original_name=name))
    missing = stored_detection(original_name="gone.jpg")
    form = {"selection": json.dumps({"query": ""})}
    plain = files_of(client.post("/history/download/", {**form, "what": "photos"}))
    assert sorted(name[:2] for name in plain) == ["a_", "b_", "mi"]
    assert f"gone_{missing.pk}" in plain["missing-photos.txt"].decode()
    boxes = files_of(client.post("/history/download/", {**form, "what": "boxes"}))
    drawn = next(data for name, data in boxes.items() if name.startswith("a_"))
    detection = Detection.objects.get(photo__original_name="a.jpg")
    assert drawn == client.get(f"/api/detections/{detection.uuid}/annotated").content
    some = {"selection": json.dumps(ids_of(detection)), "what": "yolo", "photos": "1"}
    assert any(name.endswith(".jpg") for name in files_of(client.post("/history/download/", some)))
    wrong = client.post("/history/download/", {**form, "what": "fax"})
    assert (wrong.status_code, "fax" in wrong.json()["error"]) == (400, True)
    assert client.post("/history/download/", {"what": "photos", "selection": "{"}).status_code == 400
