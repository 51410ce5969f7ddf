"""Detect and record, delete, and the life of the one detector of a process."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction

from detection.errors import DetectionTimeoutError, ModelUnavailableError, StorageUnavailableError
from detection.history import deletion
from detection.inference.errors import ImageDecodeError
from detection.inference.hardware import usable_cores
from detection.inference.photos import decode
from detection.models import Detection, Photo
from detection.predict import service as predict_service
from detection.predict.service import DetectionResult, Upload
from detection.serving import service as serving
from tests.support import photos
from tests.support.builders import stored_rows

WAIT_S = 60
database = pytest.mark.django_db(transaction=True)


def upload(data: bytes, **wishes: Any) -> Upload:
    return Upload(data, Detection.Source.API, **wishes)


def detect_async(given: Upload) -> DetectionResult:
    return asyncio.run(predict_service.detect_async(given))


@contextmanager
def decoding_held() -> Iterator[threading.Event]:
    """No photo gets further than to the decoder; the event is set once one is there."""
    there, free = threading.Event(), threading.Event()
    decode_photo = decode.decode_photo

    def wait(*args: Any, **kwargs: Any) -> Any:
        there.set()
        assert free.wait(WAIT_S)
        return decode_photo(*args, **kwargs)

    with mock.patch("detection.inference.detector.decode_photo", wait):
        try:
            yield there
        finally:
            free.set()
            drain()


def drain() -> None:
    """Wait until nothing is in the detector any more."""
    detector = serving._models.loaded
    assert detector is not None
    while detector.in_flight:
        detector._photos._pool.submit(int).result(WAIT_S)


@pytest.fixture
def no_model() -> Iterator[None]:
    """As in a process that has not loaded the model, and leaves it so."""
    predict_service.stop()
    yield
    predict_service.stop()


@database
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("detect", [predict_service.detect, detect_async], ids=["from a thread", "from the event loop"])
def test_detection_is_answered_and_kept(detect: Any, chelsea: bytes, stored_files: Any) -> None:
    answer = detect(upload(chelsea, original_name="chelsea.jpg"))
    (cat,) = answer.objects
    detection = Detection.objects.select_related("photo").get()
    assert (cat.class_name, cat.probability > 0.99) == ("cat", True)
    assert answer.detection_uuid == detection.uuid
    assert (detection.threshold, detection.reported_count, detection.source) == (0.5, 1, "api")
    assert detection.photo.original_name == "chelsea.jpg"
    assert stored_files() == [detection.photo.file]
    kept = detection.objects_found.all()[0]
    assert (kept.class_name, kept.probability, kept.box) == (cat.class_name, cat.probability, cat.box)
    stages = [stage for stage, _ in answer.timings]
    assert stages == ["queue", "decode", "resize", "inference", "boxes", "record"]
    assert [stage for stage, _ in detection.stages_ms()] == stages[:-1]


@database
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("detect", [predict_service.detect, detect_async], ids=["from a thread", "from the event loop"])
def test_detection_that_is_not_to_be_kept_leaves_nothing(detect: Any, chelsea: bytes, stored_files: Any) -> None:
    answer = detect(upload(chelsea, store=False))
    assert [found.class_name for found in answer.objects] == ["cat"]
    assert answer.detection_uuid is None
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@database
@pytest.mark.usefixtures("model")
def test_threshold_moves_what_is_reported_and_not_what_is_kept(chelsea: bytes) -> None:
    for threshold, reported in ((1.0, 0), (0.5, 1)):
        answer = predict_service.detect(upload(chelsea, threshold=threshold))
        detection = Detection.objects.get(uuid=str(answer.detection_uuid))
        assert (len(answer.objects), detection.reported_count) == (reported, reported)
        assert detection.objects_found.count() >= 1


@database
@pytest.mark.usefixtures("model")
def test_threshold_below_what_is_kept_keeps_more() -> None:
    """A street of motorbikes: the network is not sure about some of them."""
    data = photos.real_photo("motorcycle_left")
    usual, low = (predict_service.detect(upload(data, threshold=threshold)) for threshold in (0.1, 0.01))
    assert len(low.objects) > len(usual.objects)
    assert min(found.probability for found in low.objects) < 0.1
    assert Detection.objects.get(uuid=str(low.detection_uuid)).objects_found.count() == len(low.objects)


@database
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        pytest.param("../../etc/passwd", "../../etc/passwd", id="path"),
        pytest.param("a\0b", "a\N{REPLACEMENT CHARACTER}b", id="NUL"),
        pytest.param("a\r\n\x1b[31mb", "a" + "\N{REPLACEMENT CHARACTER}" * 3 + "[31mb", id="control characters"),
        pytest.param("gpj.\N{RIGHT-TO-LEFT OVERRIDE}exe", "gpj.\N{REPLACEMENT CHARACTER}exe", id="turned direction"),
        pytest.param(
            "3.45\N{NARROW NO-BREAK SPACE}PM.png",
            "3.45\N{NARROW NO-BREAK SPACE}PM.png",
            id="space of a Mac's screenshots",
        ),
        pytest.param("گل\N{ZERO WIDTH NON-JOINER}میخ.jpg", "گل\N{ZERO WIDTH NON-JOINER}میخ.jpg", id="Persian"),
        pytest.param("\ud800.jpg", "\N{REPLACEMENT CHARACTER}.jpg", id="half a character"),
        pytest.param("\N{CAT FACE} Kätzchen 猫.jpg", "\N{CAT FACE} Kätzchen 猫.jpg", id="non-ASCII"),
        pytest.param("x" * 5000, "x" * 255, id="long"),
        pytest.param("", "", id="none"),
    ],
)
def test_name_of_a_photo_is_kept_as_one_line_of_text(name: str, kept: str, chelsea: bytes, stored_files: Any) -> None:
    predict_service.detect(upload(chelsea, original_name=name))
    photo = Photo.objects.get()
    assert photo.original_name == kept
    assert stored_files() == [f"{photo.sha256[:2]}/{photo.sha256}.jpg"]


@database
@pytest.mark.usefixtures("model")
def test_eight_threads_get_what_one_gets() -> None:
    uploads = [upload(photos.real_photo(name)) for name in ("chelsea", "astronaut", "motorcycle_left")] * 8
    alone = [predict_service.detect(one).objects for one in uploads[:3]] * 8
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(predict_service.detect, uploads))
    assert [answer.objects for answer in together] == alone
    assert len({answer.detection_uuid for answer in together}) == 24
    assert Detection.objects.count() == 27


@database
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("detect", [predict_service.detect, detect_async], ids=["from a thread", "from the event loop"])
def test_detection_that_takes_too_long_is_given_up_and_not_kept(
    detect: Any, chelsea: bytes, limits: Any, stored_files: Any
) -> None:
    limits(request_timeout_s=0.1)
    with decoding_held() as there:
        with pytest.raises(DetectionTimeoutError, match=r"longer than 0\.1 seconds\. Send the photo again later"):
            detect(upload(chelsea))
        assert there.is_set()
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@database
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("detect", [predict_service.detect, detect_async], ids=["from a thread", "from the event loop"])
def test_record_that_waits_too_long_is_given_up_and_not_kept(
    detect: Any, chelsea: bytes, limits: Any, stored_files: Any
) -> None:
    """As where a store does not answer: all threads for files are held."""
    go_on, held = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        held.release()
        go_on.wait(WAIT_S)

    threads = usable_cores()
    for _ in range(threads):
        predict_service._lazy_recorder.recorder()._files.submit(hold)
    for _ in range(threads):
        assert held.acquire(timeout=WAIT_S)
    limits(request_timeout_s=0.5)
    try:
        with pytest.raises(DetectionTimeoutError):
            detect(upload(chelsea))
    finally:
        go_on.set()
    # Stops when all that is queued was written.
    predict_service._lazy_recorder.close()
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@database
@pytest.mark.usefixtures("model")
def test_caller_of_the_event_loop_who_leaves_takes_the_waiting_photo_along(chelsea: bytes) -> None:
    detector = serving._models.loaded
    assert detector is not None

    async def leave() -> None:
        waiting = asyncio.ensure_future(predict_service.detect_async(upload(chelsea)))
        while detector.in_flight <= detector._workers:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with decoding_held():
        busy: list[Future[Any]] = [detector.submit(chelsea) for _ in range(detector._workers)]
        asyncio.run(leave())
        assert detector.in_flight == len(busy)
    assert Detection.objects.count() == 0


@database
@pytest.mark.usefixtures("model")
def test_photo_that_cannot_be_read_keeps_nothing(stored_files: Any) -> None:
    with pytest.raises(ImageDecodeError):
        predict_service.detect(Upload(b"no photo", Detection.Source.PAGE))
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@database
@pytest.mark.usefixtures("model")
def test_deletion_removes_detection_photo_and_file(chelsea: bytes, stored_files: Any) -> None:
    predict_service.detect(upload(chelsea))
    deletion.delete_detection(Detection.objects.get())
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


@database
@pytest.mark.usefixtures("model")
def test_file_that_two_photos_share_goes_with_the_second(chelsea: bytes, stored_files: Any) -> None:
    for _ in range(2):
        predict_service.detect(upload(chelsea))
    assert (Photo.objects.count(), len(stored_files())) == (2, 1)
    first, second = Detection.objects.all()
    deletion.delete_detection(first)
    assert (Photo.objects.count(), len(stored_files())) == (1, 1)
    deletion.delete_detection(second)
    assert (Photo.objects.count(), len(stored_files())) == (0, 0)


@database
@pytest.mark.usefixtures("model")
def test_photo_that_two_detections_share_goes_with_the_second(chelsea: bytes, stored_files: Any) -> None:
    predict_service.detect(upload(chelsea))
    first = Detection.objects.get()
    second = Detection.objects.create(photo=first.photo, threshold=0.5, reported_count=0, source="command")
    deletion.delete_detection(first)
    assert (Photo.objects.count(), len(stored_files())) == (1, 1)
    deletion.delete_detection(second)
    assert (Photo.objects.count(), len(stored_files())) == (0, 0)


@database
@pytest.mark.usefixtures("model")
def test_file_outlives_a_deletion_that_is_rolled_back(chelsea: bytes, stored_files: Any) -> None:
    predict_service.detect(upload(chelsea))
    with transaction.atomic():
        deletion.delete_detection(Detection.objects.get())
        assert Detection.objects.count() == 0
        transaction.set_rollback(True)
    assert stored_rows()[:2] == (1, 1)
    assert stored_files() == [Photo.objects.get().file]


@database
@pytest.mark.usefixtures("model")
def test_deletion_that_the_database_refuses_deletes_nothing(chelsea: bytes, stored_files: Any) -> None:
    predict_service.detect(upload(chelsea))
    with (
        mock.patch.object(Photo, "delete", side_effect=OperationalError("read-only")),
        pytest.raises(StorageUnavailableError, match="could not be deleted"),
    ):
        deletion.delete_detection(Detection.objects.get())
    assert stored_rows()[:2] == (1, 1)
    assert len(stored_files()) == 1


@database
@pytest.mark.usefixtures("model")
def test_deletion_succeeds_when_the_store_fails_afterwards(chelsea: bytes, caplog: pytest.LogCaptureFixture) -> None:
    predict_service.detect(upload(chelsea))
    with mock.patch.object(default_storage._wrapped, "delete", side_effect=OSError("busy")):  # type: ignore[attr-defined]
        deletion.delete_detection(Detection.objects.get())
    assert stored_rows() == (0, 0, 0)
    assert "could not be removed" in caplog.text


@database
@pytest.mark.usefixtures("model")
def test_deleting_what_another_has_just_deleted_is_no_error(chelsea: bytes) -> None:
    predict_service.detect(upload(chelsea))
    mine, other = Detection.objects.get(), Detection.objects.get()
    deletion.delete_detection(other)
    mine_before = mine.pk
    deletion.delete_detection(mine)
    assert mine_before is not None
    assert stored_rows() == (0, 0, 0)


@pytest.mark.usefixtures("no_model")
def test_model_is_unknown_until_it_is_loaded() -> None:
    assert not serving.is_ready()
    with pytest.raises(ModelUnavailableError, match="not loaded yet"):
        serving.model_info()
    serving.start()
    assert serving.is_ready()
    assert serving.model_info()["name"] == "mobilenet_ssd_voc"


@pytest.mark.usefixtures("no_model")
def test_model_is_loaded_once_by_whoever_asks_first() -> None:
    loading = threading.Event()

    def load(_: Any) -> mock.Mock:
        assert loading.wait(WAIT_S)
        return mock.Mock(name="detector")

    with mock.patch("detection.serving.service.load_detector", side_effect=load) as load_detector:
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(serving._models.detector) for _ in range(4)]
            loading.set()
            detectors = {id(future.result(WAIT_S)) for future in asked}
        serving.start()
    assert len(detectors) == 1
    assert load_detector.call_count == 1


@pytest.mark.usefixtures("no_model")
def test_event_loop_does_not_stand_still_while_the_model_is_loaded(chelsea: bytes) -> None:
    loop_thread = threading.get_ident()
    loaded_by: list[int] = []

    def load(_: Any) -> mock.Mock:
        loaded_by.append(threading.get_ident())
        detector = mock.Mock()
        detector.submit.side_effect = ImageDecodeError("refused")
        return detector

    with (
        mock.patch("detection.serving.service.load_detector", side_effect=load),
        pytest.raises(ImageDecodeError, match="refused"),
    ):
        detect_async(upload(chelsea))
    assert len(loaded_by) == 1
    assert loaded_by != [loop_thread]


def test_stop_twice_is_no_error(model: None) -> None:
    predict_service.stop()
    predict_service.stop()
    assert not serving.is_ready()
