"""The recorder: many detections in one transaction, and one that fails fails alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext

from detection.errors import AccountClosedError, StorageUnavailableError
from detection.history import recorder
from detection.history.recorder import MAX_GROUP, Record, Recorder
from detection.inference.errors import ImageDecodeError
from detection.inference.hardware import usable_cores
from detection.inference.photos.decode import PhotoInfo
from detection.models import DetectedObject, Detection, Photo
from detection.photos import store as photo_store
from detection.webhooks import outbox
from tests.support import photos
from tests.support.builders import stored_rows
from tests.support.records import CAT, record

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 60


@pytest.fixture
def running() -> Iterator[Recorder]:
    running = Recorder()
    yield running
    running.close()


@contextmanager
def held(recorder_: Recorder) -> Iterator[None]:
    """The thread that writes rows is busy; what is submitted within gathers, and is one group afterwards."""
    busy, free = threading.Event(), threading.Event()

    def wait(group: list[Any]) -> None:
        for _, photo, _ in group:
            photo_store.discard(photo.file)
        busy.set()
        assert free.wait(WAIT_S)

    with mock.patch.object(recorder, "_write", wait):
        recorder_.submit(record(photos.encode(photos.two_colours((80, 40)))))
        assert busy.wait(WAIT_S)
    try:
        yield
        wait_for_files(recorder_)
    finally:
        free.set()


def wait_for_files(recorder_: Recorder) -> None:
    """Return when no thread writes a file: all of them meet here, behind what they had to do."""
    threads = usable_cores()
    meeting = threading.Barrier(threads + 1)
    for _ in range(threads):
        recorder_._files.submit(meeting.wait, WAIT_S)
    meeting.wait(WAIT_S)


def different(count: int) -> list[Record]:
    return [record(photos.encode(photos.noise((16, 16), seed))) for seed in range(count)]


def outcomes(futures: "list[Future[UUID]]") -> list[Any]:
    """The uuid or the error of each."""
    return [future.exception(WAIT_S) or future.result() for future in futures]


def test_record_becomes_rows_and_a_file(running: Recorder, stored_files: Any) -> None:
    given = record(original_name="my cat.jpg", source="websocket")
    detection = Detection.objects.select_related("photo").get(uuid=running.submit(given).result(WAIT_S))
    photo = detection.photo
    assert (photo.original_name, photo.width, photo.height, photo.format) == ("my cat.jpg", 64, 32, "JPEG")
    assert photo.size_bytes == len(given.data)
    assert [photo.file] == stored_files()
    assert (detection.engine, detection.device, detection.precision, detection.source) == (
        "openvino",
        "CPU",
        "f32",
        "websocket",
    )
    assert (detection.threshold, detection.reported_count, detection.timings_ms) == (0.5, 1, {"decode": 1.5})
    cat, dog = detection.objects_found.all()
    assert (cat.rank, cat.class_id, cat.class_name, cat.probability, cat.box) == (0, 7, "cat", 0.9, CAT.box)
    assert (cat.xmin, cat.ymin, cat.xmax, cat.ymax) == CAT.box_xyxy_unit
    assert (dog.rank, dog.class_name) == (1, "dog")


def test_brightness_and_sharpness_are_kept(running: Recorder) -> None:
    rows = np.full((2, 16, 3), 50, np.uint8)
    running.submit(record(sampled_rows=rows)).result(WAIT_S)
    running.submit(record(photos.encode(photos.two_colours((8, 8))))).result(WAIT_S)
    kept = Photo.objects.order_by("pk").values_list("brightness", "sharpness")
    assert list(kept) == [(50.0, 0.0), (None, None)]


def test_record_without_objects_is_kept(running: Recorder) -> None:
    running.submit(record(objects=())).result(WAIT_S)
    assert stored_rows() == (1, 1, 0)


def test_what_has_gathered_is_committed_at_once(running: Recorder) -> None:
    with mock.patch.object(recorder, "insert_stored", wraps=recorder.insert_stored) as insert:
        with held(running):
            futures = [running.submit(one) for one in different(5)]
        uuids = outcomes(futures)
    assert insert.call_count == 1
    assert stored_rows() == (5, 5, 10)
    assert {detection.uuid for detection in Detection.objects.all()} == set(uuids)


def test_group_needs_as_many_queries_as_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked once, not for each group.
    monkeypatch.setattr(outbox, "_KNOWN_FOR_S", 3600)
    outbox.detected([], [])
    counts = []
    for group in (different(1), different(20)):
        stored = [(one, photo_store.save(one.data, one.info)) for one in group]
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            recorder.insert_stored(stored, is_told=True)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_more_than_a_group_is_written_in_several(running: Recorder) -> None:
    with held(running):
        futures = [running.submit(record()) for _ in range(MAX_GROUP + 3)]
    assert len(set(outcomes(futures))) == MAX_GROUP + 3
    assert Detection.objects.count() == MAX_GROUP + 3


def test_record_that_the_database_refuses_fails_alone(running: Recorder, stored_files: Any) -> None:
    good, bad, better = different(3)
    refused = record(bad.data, objects=(CAT,), threshold=None)
    with mock.patch.object(recorder, "_detection", wraps=recorder._detection) as build:
        build.side_effect = lambda one, photo: Detection(
            uuid=one.detection_uuid,
            photo=photo,
            threshold=one.threshold,
            reported_count=0,
            source=one.source,
        )
        with held(running):
            futures = [running.submit(one) for one in (good, refused, better)]
        first, second, third = outcomes(futures)
    assert isinstance(second, StorageUnavailableError)
    assert {first, third} == set(Detection.objects.values_list("uuid", flat=True))
    assert len(stored_files()) == 2


def test_record_whose_photo_cannot_be_prepared_fails_alone(running: Recorder, stored_files: Any) -> None:
    good, better = different(2)
    broken = replace(record(info=PhotoInfo("GIF", (1, 1), 1, 1)), data=b"no photo")
    with held(running):
        futures = [running.submit(one) for one in (good, broken, better)]
    _, error, _ = outcomes(futures)
    assert isinstance(error, ImageDecodeError)
    assert stored_rows()[:2] == (2, 2)
    assert len(stored_files()) == 2


def test_photo_store_that_cannot_be_written_keeps_no_row(running: Recorder) -> None:
    with mock.patch("detection.photos.filesystem.os.open", side_effect=OSError("read-only file system")):
        error = running.submit(record()).exception(WAIT_S)
    assert isinstance(error, StorageUnavailableError)
    assert str(error) == (
        "The detection could not be kept: the photo store cannot be written now. Nothing was stored; try again later."
    )
    assert stored_rows() == (0, 0, 0)


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError, DatabaseError], ids=lambda kind: kind.__name__)
def test_database_that_cannot_be_written_keeps_no_file(
    kind: type[Exception], running: Recorder, stored_files: Any
) -> None:
    with mock.patch.object(recorder, "insert_stored", side_effect=kind("disk full")):
        error = running.submit(record()).exception(WAIT_S)
    assert isinstance(error, StorageUnavailableError)
    assert "the database cannot be written now" in str(error)
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


def test_locked_database_is_not_tried_once_for_each_record(running: Recorder, stored_files: Any) -> None:
    with mock.patch.object(recorder, "insert_stored", side_effect=OperationalError("database is locked")) as insert:
        with held(running):
            futures = [running.submit(one) for one in different(5)]
        errors = outcomes(futures)
    assert {type(error) for error in errors} == {StorageUnavailableError}
    assert insert.call_count == 1
    assert stored_files() == []


def test_new_file_goes_when_the_database_is_gone_altogether(running: Recorder, stored_files: Any) -> None:
    kept = record()
    running.submit(kept).result(WAIT_S)
    files = stored_files()
    with (
        mock.patch.object(recorder, "insert_stored", side_effect=OperationalError("connection refused")),
        mock.patch.object(photo_store, "discard_unused", side_effect=OperationalError("connection refused")),
    ):
        with held(running):
            futures = [running.submit(one) for one in (kept, *different(1))]
        errors = outcomes(futures)
    assert {type(error) for error in errors} == {StorageUnavailableError}
    assert stored_files() == files


def test_failing_recorder_answers_and_lives_on(running: Recorder) -> None:
    with mock.patch.object(recorder, "insert_stored", side_effect=RuntimeError("a mistake of ours")):
        error = running.submit(record()).exception(WAIT_S)
    assert isinstance(error, RuntimeError)
    assert running.submit(record()).result(WAIT_S) == Detection.objects.get().uuid


def test_file_that_cannot_be_put_back_does_not_undo_the_committed_rows(
    running: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with mock.patch.object(photo_store, "ensure", side_effect=OSError("read-only file system")):
        uuid = running.submit(record()).result(WAIT_S)
    assert Detection.objects.get().uuid == uuid
    assert "could not be written again" in caplog.text


def test_cancelled_record_is_not_kept(running: Recorder, stored_files: Any) -> None:
    free = threading.Event()
    for _ in range(usable_cores()):
        running._files.submit(free.wait, WAIT_S)
    cancelled, kept = (running.submit(one) for one in different(2))
    assert cancelled.cancel()
    free.set()
    kept.result(WAIT_S)
    assert stored_rows()[:2] == (1, 1)
    assert len(stored_files()) == 1


def test_what_waits_is_written_before_the_end() -> None:
    closing = Recorder()
    with held(closing):
        futures = [closing.submit(one) for one in different(3)]
    closing_thread = threading.Thread(target=closing.close)
    closing_thread.start()
    closing_thread.join(WAIT_S)
    assert not closing_thread.is_alive()
    assert all(future.done() for future in futures)
    assert DetectedObject.objects.count() == 6


def test_record_after_the_end_is_refused_and_nobody_waits() -> None:
    closed = Recorder()
    closed.close()
    with pytest.raises(StorageUnavailableError, match="stopping"):
        closed.submit(record())
    assert Photo.objects.count() == 0


def test_disk_that_cannot_be_flushed_keeps_nothing(running: Recorder, stored_files: Any) -> None:
    with mock.patch("detection.photos.filesystem.os.fsync", side_effect=OSError("I/O error")):
        assert isinstance(outcomes([running.submit(record())])[0], StorageUnavailableError)
    assert Detection.objects.count() == 0
    assert stored_files() == []
    assert isinstance(outcomes([running.submit(record())])[0], UUID)


def test_repaired_file_is_described_by_all_its_rows(running: Recorder) -> None:
    running.submit(record()).result(60)
    photo = Photo.objects.get()
    Path(default_storage.path(photo.file)).write_bytes(b"")
    Photo.objects.update(stored_bytes=1, stored_sha256="0" * 64)
    running.submit(record()).result(60)
    assert [photo_store.damage(one) for one in Photo.objects.all()] == ["", ""]


def test_photo_of_a_deleted_user_says_so_and_the_others_are_kept(running: Recorder, stored_files: Any) -> None:
    with held(running):
        futures = [running.submit(one) for one in (record(owner_id=404), *different(2))]
        wait_for_files(running)
    refused, *kept = outcomes(futures)
    assert isinstance(refused, AccountClosedError)
    assert [isinstance(one, UUID) for one in kept] == [True, True]
    assert Detection.objects.count() == len(stored_files()) == 2


@contextmanager
def connection_lost_at_commit(*, is_committed: bool) -> Iterator[None]:
    """The server goes away during the first COMMIT, before or after it took effect."""
    commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]
    lost: list[bool] = []

    def lose(self: BaseDatabaseWrapper) -> None:
        if is_committed or lost:
            commit(self)
        if not lost:
            lost.append(True)
            raise OperationalError("server closed the connection unexpectedly")

    with (
        mock.patch.object(BaseDatabaseWrapper, "_commit", lose),
        mock.patch.object(type(connections[DEFAULT_DB_ALIAS]), "is_usable", side_effect=lambda: not lost),
    ):
        yield


@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "not committed"])
def test_connection_lost_during_commit_gives_each_detection_once(
    is_committed: bool, running: Recorder, stored_files: Any
) -> None:
    with connection_lost_at_commit(is_committed=is_committed):
        with held(running):
            futures = [running.submit(one) for one in different(3)]
        uuids = outcomes(futures)
    assert set(uuids) == set(Detection.objects.values_list("uuid", flat=True))
    assert stored_rows()[0] == len(stored_files()) == len(uuids)


@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "not committed"])
def test_file_stays_while_nobody_knows_whether_its_row_is_there(
    is_committed: bool, running: Recorder, stored_files: Any
) -> None:
    gone = OperationalError("connection refused")
    with (
        connection_lost_at_commit(is_committed=is_committed),
        mock.patch.object(recorder, "_is_committed", side_effect=gone),
    ):
        error = running.submit(record()).exception(WAIT_S)
    assert isinstance(error, StorageUnavailableError)
    assert "may be kept or not" in str(error)
    assert len(stored_files()) == 1
    assert Detection.objects.count() == is_committed
