"""PHOTO_STORE_URL: photos in a real S3-compatible store, which answers, is gone, and is shared by two servers."""

import json
import os
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from redis import Redis
from redis.exceptions import RedisError
from websockets.sync.client import connect

from detection.conf import PhotoStore
from detection.inference.photos.decode import read_info
from detection.maintenance import orphans
from detection.models import Detection, Photo
from detection.photos import store as photo_store
from detection.photos.store import StoredPhoto
from detection.predict import service as predict_service
from tests.faults.databases import fresh_postgres
from tests.support import photos
from tests.support.object_store import ObjectStore, object_store
from tests.support.serving import ServerDidNotStartError, running_server

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def running_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def store(running_store: ObjectStore, request: Any, monkeypatch: Any, settings: Any) -> ObjectStore:
    """Django's default storage in the store, in a part of its own for each test."""
    for name, value in running_store.settings.items():
        monkeypatch.setenv(name, value)
    place = PhotoStore("photos", f"test-{abs(hash(request.node.nodeid))}", running_store.endpoint, "us-east-1")
    backend = {"BACKEND": "detection.photos.s3.PhotoObjectStorage", "OPTIONS": {"store": place}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    return running_store


def save(data: bytes) -> StoredPhoto:
    return photo_store.save(data, read_info(data, max_pixels=10**8))


def row_of(stored: StoredPhoto) -> Photo:
    return Photo.objects.create(
        sha256=stored.sha256, format=stored.format, width=1, height=1, size_bytes=1, file=stored.file
    )


def names() -> list[str]:
    return sorted(orphans._stored_files(""))


@pytest.mark.usefixtures("store")
def test_photo_is_stored_once_under_its_content_and_read_back(chelsea: bytes) -> None:
    first, second = save(chelsea), save(chelsea)
    assert (first.is_new, second.is_new) == (True, False)
    assert names() == [first.file]
    photo = Photo(file=first.file, format="JPEG")
    assert photo_store.decode(photo).info.size_wh == (451, 300)
    assert default_storage.size(first.file) == len(photo_store.read(photo))
    assert abs(default_storage.get_modified_time(first.file) - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.usefixtures("store")
def test_large_photo_is_copied_in_pieces_and_never_whole_in_memory() -> None:
    data = photos.encode(photos.noise((1500, 1500)), "PNG")
    stored = save(data)
    photo = Photo(file=stored.file, format="PNG", stored_bytes=stored.content_bytes)
    kept = photo_store.read(photo)
    assert len(kept) > 6_000_000
    tracemalloc.start()
    with photo_store.open_file(photo) as file:
        most_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        file.seek(0)
        assert file.read() == kept
    assert most_bytes < 3_000_000


@pytest.mark.usefixtures("store")
def test_what_is_not_there_is_not_found() -> None:
    with pytest.raises(FileNotFoundError):
        photo_store.read(Photo(file="aa/none.jpg"))
    with pytest.raises(FileNotFoundError):
        default_storage.size("aa/none.jpg")
    assert not default_storage.exists("aa/none.jpg")
    default_storage.delete("aa/none.jpg")


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_file_without_a_row_is_discarded_and_one_with_a_row_stays(chelsea: bytes) -> None:
    kept, unused = save(chelsea), save(photos.encode(photos.noise((20, 20))))
    row_of(kept)
    photo_store.discard_unused(unused.file)
    photo_store.discard_unused(kept.file)
    assert names() == [kept.file]


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_orphans_are_found_in_both_directions(chelsea: bytes) -> None:
    kept, unused = save(chelsea), save(photos.encode(photos.noise((20, 20))))
    row_of(kept)
    gone = row_of(StoredPhoto("0" * 64, "00/gone.jpg", "JPEG", True, 0, ""))
    assert [lost.name for lost in orphans.files_without_rows(timedelta(hours=-1))] == [unused.file]
    assert list(orphans.files_without_rows()) == []
    assert list(orphans.photos_without_files()) == [gone]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("store", "model")
def test_detection_photo_and_drawing_come_from_the_store_and_leave_it(chelsea: bytes, client: Client) -> None:
    predict_service.stop()
    client.post("/api/predict", chelsea, content_type="image/jpeg")
    detection = Detection.objects.get()
    address = f"/api/detections/{detection.uuid}"
    assert names() == [detection.photo.file]
    for kind in ("photo", "annotated", "thumbnail"):
        answer = client.get(f"{address}/{kind}")
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert client.get(detection.get_absolute_url()).status_code == 200
    assert client.delete(f"{address}/").status_code == 204
    assert names() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="needs SQLite")
@pytest.mark.usefixtures("store", "model")
def test_backup_holds_the_photos_of_the_store_and_brings_them_back(
    chelsea: bytes, client: Client, tmp_path: Path
) -> None:
    predict_service.stop()
    client.post("/api/predict", chelsea, content_type="image/jpeg")
    (before,) = names()
    call_command("backup", str(tmp_path / "all.tar"), verbosity=0)
    default_storage.delete(before)
    call_command("restore", str(tmp_path / "all.tar"), "--replace", verbosity=0)
    assert names() == [before]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("model")
def test_store_that_is_gone_is_answered_with_503_and_found_again(
    store: ObjectStore, chelsea: bytes, client: Client
) -> None:
    predict_service.stop()
    client.post("/api/predict", chelsea, content_type="image/jpeg")
    address = f"/api/detections/{Detection.objects.get().uuid}/photo"
    store.stop()
    refused, unread = client.post("/api/predict", chelsea, content_type="image/jpeg"), client.get(address)
    assert (refused.status_code, unread.status_code) == (503, 503)
    assert "photo store cannot be written now. Nothing was stored" in refused.json()["error"]
    assert unread.json() == {"error": "The photo cannot be read now. Try again later."}
    assert Detection.objects.count() == 1
    store.start()
    assert client.get(address).status_code == 200
    assert client.post("/api/predict", chelsea, content_type="image/jpeg").status_code == 200


@pytest.mark.usefixtures("store")
def test_wrong_keys_are_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(OSError, match="The photo store answers"):
        default_storage.save("aa/a.jpg", ContentFile(b"content"))


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_room_on_the_disk_is_not_made_by_deleting_photos_elsewhere() -> None:
    with pytest.raises(CommandError, match="makes no room here"):
        call_command("prune", "--min-free", "1GB")


def test_server_without_its_bucket_does_not_start(running_store: ObjectStore, tmp_path: Path) -> None:
    settings = {**running_store.settings, "PHOTO_STORE_URL": f"s3://other?endpoint={running_store.endpoint}"}
    with (
        pytest.raises(ServerDidNotStartError, match="Look at PHOTO_STORE_URL"),
        running_server({"DATA_DIR": str(tmp_path), **settings}),
    ):
        pass


def test_two_servers_share_database_store_and_news(running_store: ObjectStore, tmp_path: Path, chelsea: bytes) -> None:
    try:
        Redis.from_url(REDIS_URL).ping()
    except RedisError:
        pytest.skip(f"no Redis answers at {REDIS_URL}")
    with fresh_postgres(tmp_path) as database:
        shared = {
            **running_store.settings,
            "DATABASE_URL": database.url,
            "REDIS_URL": REDIS_URL,
            "SECRET_KEY": "of both " * 8,
        }
        with (
            running_server({**shared, "DATA_DIR": str(tmp_path / "one")}) as one,
            running_server({**shared, "DATA_DIR": str(tmp_path / "two")}) as two,
        ):
            posted = httpx.post(f"{one.url}/api/predict", content=chelsea, headers=JPEG)
            address = f"{two.url}/api/detections/{posted.headers['X-Detection-Id']}"
            assert httpx.get(f"{address}/").json()["objects"][0]["objectClass"] == "cat"
            pictures = [httpx.get(f"{address}/{kind}") for kind in ("photo", "annotated")]
            assert [picture.status_code for picture in pictures] == [200, 200]
            assert posted.headers["X-Detection-Id"] in httpx.get(f"{two.url}/history/").text
            listed = {"name": "trip", "photos": [{"name": "a.jpg", "size_bytes": len(chelsea)}]}
            batch = httpx.post(f"{one.url}/api/batches/", json=listed).json()["id"]
            with connect(f"{two.url.replace('http', 'ws')}/ws/batches/{batch}") as socket:
                httpx.post(f"{one.url}/api/batches/{batch}/photos/0", content=chelsea, headers=JPEG)
                states = []
                while "done" not in states:
                    states.append(json.loads(socket.recv(timeout=60)).get("state"))
            assert httpx.delete(f"{address}/").status_code == 204
            # The batch's detection still has the photo.
            assert httpx.get(f"{one.url}/history/").status_code == 200
        assert not (tmp_path / "one" / "photos").exists()
        assert not (tmp_path / "two" / "photos").exists()
